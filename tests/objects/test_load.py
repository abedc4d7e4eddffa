"""All objects of an input: the kinds that are read, names that are used twice, and all problems at once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from netlab.errors import InputError, Problem
from netlab.objects import Document, Objects, apply, decode, load
from netlab.objects.documents import parse
from netlab.objects.reduced import reduced
from netlab.objects.system_objects import system_document

Read = Callable[[str], tuple[Objects, list[Problem]]]


def test_kinds_that_netlab_does_not_read_are_counted(read_text: Read) -> None:
    """Also a kind of another API with a known name."""
    objects, problems = read_text("""\
        {apiVersion: networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: a}}
        ---
        {apiVersion: networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: b}}
        ---
        {apiVersion: serving.knative.dev/v1, kind: Service, metadata: {name: 5}}
        ---
        {apiVersion: example.com/v1, kind: Topology, spec: 1}
        """)

    assert [] == problems
    assert {"HTTPRoute": 2, "Service.serving.knative.dev": 1, "Topology.example.com": 1} == objects.skipped
    assert 4 == len(objects.documents)


def test_strict_refuses_kinds_that_netlab_does_not_read() -> None:
    """Each error has its place."""
    documents, _ = parse("apiVersion: networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: a}\n", "x.yaml")
    _, problems = decode(documents, strict=True)

    assert ["x.yaml:2: HTTPRoute default/a: kind: netlab does not read HTTPRoute of networking.k8s.io/v1"] == [
        str(p) for p in problems
    ]


@pytest.mark.parametrize(
    ("version", "kind", "right"),
    [
        ("v1", "Deployment", "apps/v1"),
        ("batch/v1beta1", "Job", "batch/v1"),
        ("apps/v1", "ReplicationController", "v1"),
        ("extensions/v1beta1", "NetworkPolicy", "networking.k8s.io/v1"),
        ("apps/v1", "Pod", "v1"),
    ],
)
def test_a_known_kind_in_a_version_that_never_had_it_is_an_error(
    problems: Callable[[str], list[str]], version: str, kind: str, right: str
) -> None:
    """Else its pods would be missing without a message. A policy of a retired group may have another meaning."""
    assert [f'apiVersion: Invalid value: "{version}": no {kind} that netlab reads; write "{right}"'] == problems(
        f"{{apiVersion: {version}, kind: {kind}, metadata: {{name: a}}}}"
    )


@pytest.mark.parametrize(
    ("version", "kind", "now"),
    [
        ("extensions/v1beta1", "Deployment", "apps/v1"),
        ("apps/v1beta1", "StatefulSet", "apps/v1"),
        ("apps/v1beta2", "DaemonSet", "apps/v1"),
        ("extensions/v1beta1", "ReplicaSet", "apps/v1"),
        ("extensions/v1beta1", "Job", "batch/v1"),
        ("batch/v1beta1", "CronJob", "batch/v1"),
        ("batch/v2alpha1", "CronJob", "batch/v1"),
    ],
)
def test_a_workload_in_a_version_that_is_gone_is_read_with_a_warning(
    read_text: Read, version: str, kind: str, now: str
) -> None:
    """One warning for the kind. The pod templates of the versions are the same."""
    text = "\n---\n".join(f"{{apiVersion: {version}, kind: {kind}, metadata: {{name: {name}}}}}" for name in "abc")
    objects, problems = read_text(text)

    assert ["a", "b", "c"] == [w.meta.name for w in objects.workloads]
    assert [
        f"x.yaml:1: {kind} default/a: apiVersion: Kubernetes serves no {kind} of {version} any more: read as {now}, "
        "as 2 more of the kind are"
    ] == [str(p) for p in problems]
    assert ["warning"] == [p.severity for p in problems]


def test_an_object_in_two_versions_is_one(read_text: Read) -> None:
    """As on a cluster, which serves an object in every version."""
    objects, problems = read_text(
        "{apiVersion: extensions/v1beta1, kind: Deployment, metadata: {name: a}, spec: {replicas: 2}}\n---\n"
        "{apiVersion: apps/v1, kind: Deployment, metadata: {name: a}, spec: {replicas: 3}}"
    )

    assert [3] == [w.replicas for w in objects.workloads]
    assert any("defined twice" in p.message for p in problems)


def test_several_system_objects_documents_count_once(read_text: Read) -> None:
    """Commands add the document, and users do not write it."""
    text = f"{json.dumps(system_document().data)}\n---\n{json.dumps(system_document().data)}"
    objects, problems = read_text(text)

    assert ([], True) == (problems, objects.system)
    assert not read_text("{apiVersion: v1, kind: Pod, metadata: {name: a}}")[0].system
    assert [document.kind for document in apply(reduced(objects.documents), [system_document()])] == ["SystemObjects"]


def test_namespaces_that_are_used_are_made(read_text: Read) -> None:
    """By pods, workloads, services and policies. Declared namespaces do not change."""
    objects, problems = read_text("""\
        {apiVersion: v1, kind: Pod, metadata: {name: a}}
        ---
        {apiVersion: apps/v1, kind: Deployment, metadata: {name: a, namespace: b}}
        ---
        {apiVersion: v1, kind: Namespace, metadata: {name: b, labels: {team: x}}}
        ---
        {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: a, namespace: c}}
        ---
        {apiVersion: v1, kind: Service, metadata: {name: a, namespace: d}, spec: {ports: [{port: 80}]}}
        ---
        {apiVersion: v1, kind: Node, metadata: {name: a, namespace: e}}
        """)
    label = "kubernetes.io/metadata.name"

    assert [] == problems
    assert {
        "b": {"team": "x", label: "b"},
        "default": {label: "default"},
        "c": {label: "c"},
        "d": {label: "d"},
    } == {n.meta.name: n.meta.labels for n in objects.namespaces}


def test_of_two_objects_of_a_name_the_last_counts(read_text: Read) -> None:
    """As on a cluster. The warning names both places."""
    head = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p, namespace: %s}\n"
    first, second = (f"spec: {{policyTypes: [{types}]}}\n" for types in ("Egress", "Ingress"))
    objects, problems = read_text(f"{head % 'a'}{first}---\n{head % 'b'}---\n{head % 'a'}{second}")

    only = frozenset({"ingress"})
    assert [("b/p", only), ("a/p", only)] == [(p.meta.key, p.policy_types) for p in objects.policies]
    assert [
        ("warning", "x.yaml:10: NetworkPolicy a/p: defined twice: this one counts, the one at x.yaml:1 does not")
    ] == [(p.severity, str(p)) for p in problems]


def test_workloads_of_different_kinds_may_share_a_name(read_text: Read) -> None:
    """A name is unique in its kind."""
    objects, problems = read_text("""\
        {apiVersion: apps/v1, kind: Deployment, metadata: {name: a}}
        ---
        {apiVersion: batch/v1, kind: Job, metadata: {name: a}}
        """)

    assert [] == problems
    assert 2 == len(objects.workloads)


def test_scenarios_may_share_a_name(read_text: Read) -> None:
    """Each is run, and none is applied."""
    head = "apiVersion: netlab/v1alpha1, kind: Scenario, metadata: {name: s}"
    one = f"{{{head}, spec: {{steps: [{{expect: [{{oracle: true}}]}}]}}}}"
    objects, problems = read_text(f"{one}\n---\n{one}\n")

    assert [] == problems
    assert ["s", "s"] == [s.meta.name for s in objects.scenarios]


def test_load_returns_warnings(tmp_path: Path) -> None:
    """Warnings do not raise an exception."""
    path = tmp_path / "x.yaml"
    pod = "{apiVersion: v1, kind: Pod, metadata: {name: a}}"
    path.write_text(f"{pod}\n---\n{pod}\n")
    objects, warnings = load([str(path)])

    assert 1 == len(objects.pods)
    assert ["warning"] == [w.severity for w in warnings]


def test_load_reports_every_problem_of_every_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dozen broken inputs: one line for each problem, by file, then by line."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.yaml").write_text("""\
apiVersion: v1
kind: Pod
metadata: {name: A_}
spec: {containers: [{ports: [{containerPort: 0}]}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec: {replicas: -1}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: p}
spec:
  egress:
  - {to: [{}], port: []}
  policyTypes: [Out]
---
kind: Service
---
- 1
---
a: [
""")
    (tmp_path / "b.json").write_text('{"apiVersion": "v1",\n "kind": "Node", "metadata": {}}')
    (tmp_path / "c.yaml").write_text("# nothing\n")
    (tmp_path / "d.yaml").write_bytes(b"\xff")
    with pytest.raises(InputError) as caught:
        load(["d.yaml", "missing.yaml", "."])
    found = [str(p).split(": must")[0].split(": a lower")[0] for p in caught.value.problems]

    assert [
        "d.yaml:1: not UTF-8: invalid start byte 0xff",
        "missing.yaml: No such file or directory",
        'a.yaml:3: Pod default/A_: metadata.name: Invalid value: "A_"',
        "a.yaml:4: Pod default/A_: spec.containers[0].ports[0].containerPort: Required value",
        "a.yaml:9: Deployment default/web: spec.replicas: Invalid value: -1",
        'a.yaml:16: NetworkPolicy default/p: spec.egress[0].port: unknown field "port"; did you mean "ports"?',
        "a.yaml:16: NetworkPolicy default/p: spec.egress[0].to[0]: Required value",
        'a.yaml:17: NetworkPolicy default/p: spec.policyTypes[0]: Unsupported value: "Out": supported values: '
        '"Ingress", "Egress"',
        "a.yaml:19: apiVersion: Required value: an object has an apiVersion",
        "a.yaml:21",
        "a.yaml:24: not YAML: while parsing a flow node, did not find expected node content",
        "b.json:2: Node: metadata.name: Required value: name or generateName is required",
        ".: skipped 1 file that holds no Kubernetes object: c.yaml",
    ] == found
    assert 2 == caught.value.exit_code


def test_the_same_problem_is_reported_once(tmp_path: Path) -> None:
    """Also if a file is read twice."""
    path = tmp_path / "x.yaml"
    path.write_text("{apiVersion: v1, kind: Pod, metadata: {name: A}}")
    with pytest.raises(InputError) as caught:
        load([str(path), str(path)])

    assert ["error"] == [p.severity for p in caught.value.problems if p.path == "metadata.name"]


WHOLE = """\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: p, namespace: ns, labels: {a: b}, annotations: {a: b}}
spec:
  podSelector: {matchLabels: {a: b}, matchExpressions: [{key: a, operator: In, values: [b]}]}
  policyTypes: [Ingress]
  ingress:
  - from: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}}, {podSelector: {}, namespaceSelector: {}}]
    ports: [{port: 80, endPort: 90, protocol: TCP}]
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: c}
spec:
  jobTemplate:
    spec:
      template:
        metadata: {labels: {a: b}}
        spec:
          nodeSelector: {a: b}
          initContainers: [{restartPolicy: Always, ports: [{containerPort: 1}]}]
          containers: [{ports: [{containerPort: 80, hostPort: 1, hostIP: 10.0.0.1, name: a, protocol: TCP}]}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: d}
spec: {replicas: 1, template: {}}
---
apiVersion: v1
kind: Pod
metadata: {name: p}
spec: {nodeName: a, hostNetwork: true}
status: {phase: Running, podIP: 10.0.0.1, podIPs: [{ip: 10.0.0.1}]}
---
apiVersion: v1
kind: Node
metadata: {name: node}
spec: {podCIDRs: [10.0.0.0/24], podCIDR: 10.0.0.0/24}
status: {addresses: [{type: InternalIP, address: 10.0.0.1}]}
---
apiVersion: v1
kind: Service
metadata: {name: s}
spec: {selector: {a: b}, ports: [{port: 80, targetPort: 80, protocol: TCP, name: a}], clusterIP: None, type: ClusterIP}
---
apiVersion: netlab/v1alpha1
kind: Topology
metadata: {name: t}
spec:
  networks: [{name: a, mode: bridge, podCIDRs: [10.0.0.0/16]}, {name: b, podCIDRs: [10.1.0.0/16]}]
  nodes: [{name: a, labels: {a: b}}]
  hosts: [{name: a, addresses: [192.0.2.1]}]
  underlayCIDRs: [10.9.0.0/16]
---
apiVersion: netlab/v1alpha1
kind: Scenario
metadata: {name: s}
spec:
  description: a
  resources: [a.yaml]
  steps:
  - name: a
    apply: [{apiVersion: v1, kind: Pod, metadata: {name: p}}]
    label: [{pod: default/p, labels: {a: b}}, {namespace: default, labels: {a: null}}]
    delete: [{kind: Pod, namespace: default, name: p}]
    expect: [{from: a/b, to: a/c, port: 80, protocol: TCP, verdict: deny, family: 4}, {oracle: true}]
---
apiVersion: netlab/v1alpha1
kind: PodLabels
metadata: {name: p}
labels: {a: null}
"""
ODD = [  # type: ignore[var-annotated]
    None,
    True,
    0,
    -1,
    1.5,
    "",
    "x",
    "*",
    "a\nb",
    [],
    [None],
    [1],
    ["x"],
    [[]],
    {},
    {"x": None},
    [{}],
    {"": {}},
    {"\n": "\n"},
]


def mutations(value: Any) -> Iterator[Any]:
    """Yield the value with each of its parts replaced by each odd value."""
    yield from ODD
    if isinstance(value, dict):
        for key, part in value.items():
            yield from ({**value, key: changed} for changed in mutations(part))
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from ([*value[:index], changed, *value[index + 1 :]] for changed in mutations(part))


@pytest.mark.parametrize("document", parse(WHOLE, "x.yaml")[0], ids=lambda d: d.kind)
def test_no_content_raises(document: Document) -> None:
    """Any value of any field is valid or a problem. Every problem prints as one line."""
    tried = 0
    for changed in mutations(document.data):
        if isinstance(changed, dict) and isinstance(changed.get("kind"), str):
            _, problems = decode([Document(changed, document.source)])
            tried += 1

            assert all("\n" not in str(p) for p in problems)
    assert tried > 50


def test_an_object_joined_to_a_skipped_one_is_reported(read_text: Callable[[str], Any]) -> None:
    """Without a line of `---` after it, a policy is lost, as on a cluster. A warning says so."""
    first = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p}\nspec: {podSelector: {}}\n"
    _, problems = read_text(f"{first}apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c}}\n")

    assert ["apiVersion", "kind", "metadata"] == [problem.path for problem in problems]
    assert all("duplicate field: the last one counts" in problem.message for problem in problems)
