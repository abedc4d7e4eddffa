"""Manifests for the tests of ``suggest``: workloads with texts, and Services."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence

from netlab.cluster import Cluster, resolve
from netlab.objects.documents import parse
from netlab.objects.load import decode
from netlab.objects.mentions import mentions
from netlab.policy.suggest.suggestion import Suggestion, from_needs


def workload(
    ref: str, container: str = "", ports: Sequence[int] = (), *, kind: str = "Deployment", spec: str = ""
) -> str:
    """Return a workload with one pod; ``container`` and ``spec`` are more of its YAML."""
    namespace, _, name = ref.partition("/")
    numbers = ", ".join(f"{{name: p{port}, containerPort: {port}}}" for port in ports)
    return (
        textwrap.dedent(f"""\
        apiVersion: apps/v1
        kind: {kind}
        metadata: {{name: {name}, namespace: {namespace}}}
        spec:
          selector: {{matchLabels: {{app: {name}}}}}
          template:
            metadata: {{labels: {{app: {name}}}}}
            spec:
              containers:
              - name: main
                ports: [{numbers}]
        """)
        + textwrap.indent(textwrap.dedent(container), " " * 8)
        + textwrap.indent(textwrap.dedent(spec), " " * 6)
    )


def service(ref: str, port: int, target: int | str = 0, **more: str) -> str:
    """Return a Service that selects the pods of the workload of its name."""
    namespace, _, name = ref.partition("/")
    fields = "".join(f", {key}: {value}" for key, value in more.items())
    return (
        f"apiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: {namespace}}}\n"
        f"spec: {{selector: {{app: {name}}}, ports: [{{port: {port}, targetPort: {target or port}}}]{fields}}}\n"
    )


def config_map(ref: str, **data: str) -> str:
    """Return a ConfigMap."""
    namespace, _, name = ref.partition("/")
    metadata = f"metadata: {{name: {name}, namespace: {namespace}}}"
    return f"apiVersion: v1\nkind: ConfigMap\n{metadata}\ndata: {json.dumps(data)}\n"


def read(*texts: str) -> tuple[Cluster, Suggestion]:
    """Return the cluster of manifests and the suggestion for it."""
    documents, problems = parse("---\n".join(texts), "shop.yaml")
    assert not problems
    objects, problems = decode(documents)
    assert not [problem for problem in problems if problem.severity == "error"]
    cluster = resolve(objects)
    return cluster, from_needs(cluster, mentions(objects.documents))


def needs_of(*texts: str) -> set[str]:
    """Return the needed connections between pods, without those to DNS."""
    _, found = read(*texts)
    assert found.proof.holds, found.proof
    return {str(one) for one in found.needed if "kube-dns" not in one.destination}
