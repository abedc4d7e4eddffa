"""The repository of the tests: the documented workflow, a scenario, and the change of a pull request."""

from __future__ import annotations

import re

from action.act import REPOSITORY

WORKFLOW: str = re.findall(r"```yaml\n(name: .*?)```", (REPOSITORY / "docs/ci.md").read_text(), re.DOTALL)[0]
SCENARIO = """\
apiVersion: netlab/v1alpha1
kind: Scenario
metadata: {name: shop}
spec:
  resources: [../manifests]
  steps:
  - name: the database is closed
    expect:
    - {from: shop/api, to: shop/db, port: 5432, verdict: allow}
    - {from: other/stranger, to: shop/db, port: 5432, verdict: deny}
"""
# The change of a pull request: it opens the database to all.
OPEN = """\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: open, namespace: shop}
spec: {podSelector: {}, ingress: [{}]}
"""
