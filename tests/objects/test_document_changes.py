"""The changes that apply, delete and label make to a running lab's documents."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from netlab.cluster import resolve, try_resolve
from netlab.cluster.find import pod_of
from netlab.errors import UsageError
from netlab.objects import Document, apply, decode, delete
from netlab.objects import relabel as relabel_documents
from netlab.objects.documents import parse
from netlab.objects.scenarios import LabelChange, ObjectRef

LAB = """\
{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: x, labels: {app: a, tier: b}}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: x}, spec: {replicas: 11}}
---
{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: web-1, namespace: x}, spec: {replicas: 2}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: none, namespace: x}, spec: {replicas: 0}}
---
{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: agent, namespace: x},
 spec: {template: {spec: {nodeSelector: {zone: a}}}}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: deny}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: "y", labels: {team: b}}}
---
{apiVersion: v1, kind: Node, metadata: {name: node-b, labels: {zone: a}}}
---
{apiVersion: netlab/v1alpha1, kind: Topology, spec: {nodes: [{name: node-a, labels: {zone: b}}, {name: node-c}]}}
---
{apiVersion: v1, kind: Node, metadata: {name: node-c, labels: {zone: a}}}
"""


def documents(text: str = LAB) -> list[Document]:
    found, problems = parse(text, "lab.yaml")

    assert [] == problems
    return found


def relabel(before: list[Document], change: LabelChange) -> list[Document]:
    """Change labels in a lab of the documents."""
    cluster, _ = try_resolve(decode(before)[0])
    return relabel_documents(before, change, lambda ref: pod_of(cluster, ref))


def pod_labels(found: list[Document]) -> Mapping[str, Mapping[str, str | None]]:
    objects, problems = decode(found)

    assert [] == [p for p in problems if p.severity == "error"]
    return objects.pod_labels


def test_apply_replaces_in_place_and_appends() -> None:
    """apiVersion, kind, namespace and name identify an object. The default namespace may be left out."""
    policy = "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: deny, namespace: default}}"
    changes = documents(f"{policy}\n---\n{policy.replace('deny', 'other')}\n")
    before = documents()
    after = apply(before, changes)

    assert [*before[:5], changes[0], *before[6:], changes[1]] == after


def test_apply_does_not_mix_up_kinds_of_one_name() -> None:
    """Knative makes a Service of each of its Services, with the same name."""
    services = documents(
        "{apiVersion: v1, kind: Service, metadata: {name: a}}\n---\n"
        "{apiVersion: serving.knative.dev/v1, kind: Service, metadata: {name: a}}\n"
    )

    assert services == apply([services[0]], [services[1]])


def test_delete_removes_what_is_named() -> None:
    """It deletes no other object."""
    before = documents()
    after = delete(
        before, [ObjectRef("NetworkPolicy", "deny"), ObjectRef("Pod", "a", "x"), ObjectRef("Node", "node-b")]
    )

    assert [
        d
        for d in before
        if (d.kind, d.data.get("metadata", {}).get("name"))
        not in {("NetworkPolicy", "deny"), ("Pod", "a"), ("Node", "node-b")}
    ] == after


def test_delete_means_the_kind_that_netlab_reads() -> None:
    """An object of another API with a kind of that name is not deleted."""
    knative = "{apiVersion: serving.knative.dev/v1, kind: Service, metadata: {name: web, namespace: x}}"
    given = documents(f"{{apiVersion: v1, kind: Service, metadata: {{name: web, namespace: x}}}}\n---\n{knative}\n")

    (left,) = delete(given, [ObjectRef("Service", "web", "x")])

    assert "serving.knative.dev/v1" == left.data["apiVersion"]


def test_a_namespace_goes_with_everything_in_it() -> None:
    """The namespace may be declared or not."""
    left = delete(documents(), [ObjectRef("Namespace", "x"), ObjectRef("Namespace", "y")])

    assert ["NetworkPolicy", "Node", "Topology", "Node"] == [d.kind for d in left]


def test_delete_names_everything_that_is_not_there() -> None:
    """It names all of them."""
    refs = [ObjectRef("Pod", "a"), ObjectRef("Pod", "a", "x"), ObjectRef("Namespace", "z"), ObjectRef("Node", "q")]

    with pytest.raises(UsageError) as caught:
        delete(documents(), refs)

    assert "Pod a does not exist\nNamespace z does not exist\nNode q does not exist" == str(caught.value)


def test_a_pods_labels_change_in_its_document() -> None:
    """They are set, overwritten and removed. The given document does not change."""
    before = documents()
    after = relabel(before, LabelChange("pod", "x/a", {"tier": None, "app": "c", "new": ""}))

    assert {"app": "c", "new": ""} == after[0].data["metadata"]["labels"]
    assert {"app": "a", "tier": "b"} == before[0].data["metadata"]["labels"]
    assert ("lab.yaml", 1) == (after[0].source.file, after[0].source.line("metadata.labels.new"))


@pytest.mark.parametrize(
    ("name", "pod"),
    [
        ("x/web-0", "x/web-0"),
        ("x/web-10", "x/web-10"),
        ("x/web", "x/web-0"),
        ("x/web-1-1", "x/web-1-1"),
        ("x/agent", "x/agent-node-b"),
        ("x/agent-node-c", "x/agent-node-c"),
    ],
)
def test_labels_of_a_workloads_pod_are_kept_beside_it(name: str, pod: str) -> None:
    """The template does not change. A workload's name stands for its first pod."""
    after = relabel(documents(), LabelChange("pod", name, {"a": "b", "c": None}))

    assert {pod: {"a": "b", "c": None}} == pod_labels(after)


def test_changed_labels_add_up() -> None:
    """A second change of a pod keeps the first one."""
    after = relabel(documents(), LabelChange("pod", "x/web-0", {"a": "b", "c": "d"}))
    after = relabel(after, LabelChange("pod", "x/web", {"a": None}))
    after = relabel(after, LabelChange("pod", "x/web-2", {"a": "z"}))

    assert {"x/web-0": {"a": None, "c": "d"}, "x/web-2": {"a": "z"}} == pod_labels(after)


def test_changed_labels_go_with_the_workload() -> None:
    """Only with that workload, though the name of another one begins like it."""
    after = relabel(documents(), LabelChange("pod", "x/web-10", {"a": "b"}))
    after = relabel(after, LabelChange("pod", "x/web-1-0", {"a": "b"}))

    assert {"x/web-1-0": {"a": "b"}} == pod_labels(delete(after, [ObjectRef("Deployment", "web", "x")]))


@pytest.mark.parametrize(
    "name", ["x/b", "a", "z/a", "x/web-11", "x/web-01", "x/web-", "x/none", "x/none-0", "x/agent-node-a", "x/agent-q"]
)
def test_a_pod_that_does_not_exist_has_no_labels(name: str) -> None:
    """Neither in the input nor made by a workload."""
    with pytest.raises(UsageError, match=rf"^pod {name if '/' in name else f'default/{name}'} does not exist$"):
        relabel(documents(), LabelChange("pod", name, {"a": "b"}))


def test_a_daemon_sets_pod_runs_on_the_only_node_there_is() -> None:
    """Without Topology and Nodes the lab has node-1."""
    only = documents("{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: agent}}")

    assert {"default/agent-node-1": {"a": "b"}} == pod_labels(relabel(only, LabelChange("pod", "agent", {"a": "b"})))


DAEMONS = "{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: agent}, spec: {template: {spec: {%s}}}}"


@pytest.mark.parametrize(
    ("nodes", "spec", "pods"),
    [
        ("", "", ["agent-node-1"]),
        ("", "nodeSelector: {kubernetes.io/os: linux}", ["agent-node-1"]),
        ("", "nodeSelector: {beta.kubernetes.io/arch: amd64}", ["agent-node-1"]),
        ("", "nodeSelector: {pool: blue}", ["agent-node-1"]),
        ("", "nodeSelector: {kubernetes.io/os: windows}", []),
        ("", "nodeName: worker", ["agent-worker"]),
        ("{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {nodeName: w}}", "", ["agent-w"]),
        ("{apiVersion: v1, kind: Node, metadata: {name: nn}}", "nodeSelector: {kubernetes.io/os: linux}", ["agent-nn"]),
        ("{apiVersion: v1, kind: Node, metadata: {name: nn}}", "nodeSelector: {pool: blue}", []),
        (
            "{apiVersion: v1, kind: Node, metadata: {name: nn}}\n---\n"
            "{apiVersion: v1, kind: Node, metadata: {name: m, labels: {pool: blue}}}",
            "nodeSelector: {kubernetes.io/hostname: m}",
            ["agent-m"],
        ),
    ],
)
def test_the_pods_that_labels_change_on_are_those_that_there_are(nodes: str, spec: str, pods: list[str]) -> None:
    """On the nodes that the cluster places a DaemonSet's pods on."""
    before = documents(f"{nodes}\n---\n{DAEMONS % spec}" if nodes else DAEMONS % spec)
    cluster, _ = try_resolve(decode(before)[0])

    assert pods == [pod.name for pod in cluster.pods if pod.workload]
    for pod in pods:
        after = relabel(before, LabelChange("pod", pod, {"a": "b"}))
        assert {f"default/{pod}": {"a": "b"}} == pod_labels(after)
        assert before == delete(after, [ObjectRef("DaemonSet", "agent")]) + before[-1:]
    if not pods:
        with pytest.raises(UsageError, match="does not exist"):
            relabel(before, LabelChange("pod", "agent", {"a": "b"}))


def test_an_exported_pod_is_labelled_in_its_own_document() -> None:
    """Also by its workload's name: the workload makes no further pods."""
    owner = "{apiVersion: apps/v1, kind: Deployment, name: web, controller: true}"
    before = documents(
        "{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}}\n---\n"
        f"{{apiVersion: v1, kind: Pod, metadata: {{name: web-x7, ownerReferences: [{owner}]}}}}"
    )
    after = relabel(before, LabelChange("pod", "web", {"a": "b"}))

    assert {} == pod_labels(after)
    assert {"a": "b"} == after[1].data["metadata"]["labels"]


def test_a_namespaces_labels_change() -> None:
    """In its document, or in a new one if the namespace was not declared."""
    after = relabel(documents(), LabelChange("namespace", "y", {"team": None, "a": "b"}))
    after = relabel(after, LabelChange("namespace", "x", {"c": "d"}))
    namespaces = {n.meta.name: n.meta.labels for n in decode(after)[0].namespaces}

    assert {"a": "b", "kubernetes.io/metadata.name": "y"} == namespaces["y"]
    assert {"c": "d", "kubernetes.io/metadata.name": "x"} == namespaces["x"]


def test_a_namespace_that_does_not_exist_has_no_labels() -> None:
    """It is neither declared nor used."""
    with pytest.raises(UsageError, match=r"^namespace z does not exist$"):
        relabel(documents(), LabelChange("namespace", "z", {"a": "b"}))


def test_a_label_that_is_none_is_found_by_decoding() -> None:
    """Decoding checks the change."""
    after = relabel(documents(), LabelChange("pod", "x/web-0", {"a": "b c"}))
    (problem,) = decode(after)[1]

    assert str(problem).startswith('netlab label: PodLabels x/web-0: labels.a: Invalid value: "b c": ')


WORKLOADS = """\
{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: db, namespace: w}, spec: {replicas: 2, ordinals: {start: 9}}}
---
{apiVersion: batch/v1, kind: Job, metadata: {name: app, namespace: w}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: app, namespace: w}, spec: {replicas: 2}}
---
{apiVersion: batch/v1, kind: Job, metadata: {name: held, namespace: w}, spec: {suspend: true}}
---
{apiVersion: batch/v1beta1, kind: CronJob, metadata: {name: nightly, namespace: w}}
---
{apiVersion: v1, kind: ReplicationController, metadata: {name: front, namespace: w}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: live, namespace: w}, spec: {replicas: 1}}
---
{apiVersion: v1, kind: Pod, metadata: {name: live-x7k, namespace: w,
 ownerReferences: [{kind: Deployment, name: live, controller: true}]}}
---
{apiVersion: v1, kind: Pod, metadata: {generateName: tmp-, namespace: w}}
"""


@pytest.mark.parametrize(
    ("name", "pod"),
    [
        ("db", "db-9"),
        ("db-10", "db-10"),
        ("db-0", None),
        ("app", "app-0"),
        ("app-1", "app-1"),
        ("app-job-0", "app-job-0"),
        ("held-0", None),
        ("held", None),
        ("nightly", "nightly-0"),
        ("front", "front-0"),
        ("live-0", None),
    ],
)
def test_the_pods_that_can_be_labelled_are_those_of_the_cluster(name: str, pod: str | None) -> None:
    """With ordinals, suspended Jobs, workloads of one name, and workloads with exported pods."""
    given = documents(WORKLOADS)
    change = LabelChange("pod", f"w/{name}", {"a": "b"})
    if pod is None:
        with pytest.raises(UsageError, match="does not exist"):
            relabel(given, change)
    else:
        assert {f"w/{pod}": {"a": "b"}} == pod_labels(relabel(given, change))
        assert f"w/{pod}" in resolve(decode(given)[0]).by_ref
        found = resolve(decode(given)[0])
        assert pod == (found.by_ref.get(f"w/{name}") or found.by_workload[f"w/{name}"]).name


def test_changed_labels_go_with_the_right_one_of_two_workloads_of_a_name() -> None:
    """Their pods have different names."""
    after = relabel(documents(WORKLOADS), LabelChange("pod", "w/app-0", {"a": "b"}))
    after = relabel(after, LabelChange("pod", "w/app-job-0", {"a": "b"}))

    assert {"w/app-0": {"a": "b"}} == pod_labels(delete(after, [ObjectRef("Job", "app", "w")]))
