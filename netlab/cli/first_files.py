"""The files that ``netlab init`` writes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from netlab.report.yaml_text import scalar

SCHEMA = ".netlab/scenario.schema.json"
"""The schema's path in a repository. netlab enters no folder with a dot, so no command takes it for a scenario."""


def scenario(
    schema: str, description: str, resources: Sequence[str], expect: Sequence[Mapping[str, object]]
) -> Iterator[str]:
    """Yield the lines of a scenario with one step; ``schema`` is the path of the schema of scenarios, for editors."""
    yield f"# yaml-language-server: $schema={schema}"
    yield "# Written by netlab init. It expects what the policies allow and deny today. Change what is not meant."
    yield "apiVersion: netlab/v1alpha1"
    yield "kind: Scenario"
    yield "metadata: {name: first}"
    yield "spec:"
    yield f"  description: {scalar(description)}"
    yield "  resources:"
    yield from (f"  - {scalar(path)}" for path in resources)
    yield "  steps:"
    yield "  - name: as it is today"
    yield "    expect:"
    for one in expect:
        fields = ", ".join(f"{name}: {scalar(value)}" for name, value in one.items())
        yield f"    - {{{fields}}}"


MANIFESTS = """\
# An example, as netlab init found no manifests. Put your own in its place.
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
spec: {containers: [{name: web, image: web, ports: [{containerPort: 80}]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: db, namespace: shop, labels: {app: db}}
spec: {containers: [{name: db, image: db, ports: [{containerPort: 5432}]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: stranger, namespace: other}
spec: {containers: [{name: stranger, image: stranger}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db, namespace: shop}
spec:
  podSelector: {matchLabels: {app: db}}
  ingress:
  - from: [{podSelector: {matchLabels: {app: web}}}]
    ports: [{port: 5432}]
"""


def workflow(action: str, manifests: Sequence[str], scenarios: str) -> Iterator[str]:
    """Yield the lines of a workflow for GitHub Actions; ``action`` is OWNER/NAME@REF."""
    yield from _WORKFLOW.format(action=action).splitlines()
    if manifests:
        yield "        manifests: |"
        yield from (f"          {path}" for path in manifests)
    yield f"        scenarios: {scalar(scenarios)}"


_WORKFLOW = """\
name: netlab
on:
  pull_request:
  push: {{branches: [main]}}

# The comment under the pull request needs pull-requests: write. The token of a fork's pull request can only read.
permissions: {{contents: read, pull-requests: write}}

concurrency:
  group: ${{{{ github.workflow }}}}-${{{{ github.ref }}}}
  cancel-in-progress: true

jobs:
  policies:
    runs-on: ubuntu-24.04
    timeout-minutes: 15
    steps:
    - uses: actions/checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8  # v5.0.0
      with: {{persist-credentials: false}}
    - uses: {action}
      with:"""


def hooks(action: str, manifests: Sequence[str]) -> Iterator[str]:
    """Yield the lines of a configuration of pre-commit; ``action`` is OWNER/NAME@REF."""
    name, _, revision = action.partition("@")
    arguments = ", ".join(scalar(f"--filename={path}") for path in manifests)
    yield "repos:"
    yield f"- repo: {scalar(f'https://github.com/{name}')}"
    yield f"  rev: {scalar(revision)}"
    yield "  hooks:"
    yield "  - id: netlab-check"
    yield f"    args: [{arguments}]"
