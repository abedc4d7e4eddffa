"""A small change makes the same cluster as ``resolve`` of all objects, mostly without it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sizes import samples

from netlab.cluster import Cluster, Placement, resolve
from netlab.cluster.resolve_change import resolve_change
from netlab.errors import InputError
from netlab.objects import Objects, decode
from netlab.objects.types import Document, Source

Data = dict[str, Any]


def meta(name: str, **more: Any) -> Data:
    return {"name": name, "namespace": "x", **more}


def topology(mode: str, cidr: str) -> Data:
    networks = [
        {"name": "default", "mode": mode, "podCIDRs": [cidr, "fd00:10::/56"]},
        {"name": "side", "podCIDRs": ["10.9.0.0/28"]},
    ]
    nodes = [{"name": "node-1", "labels": {"disk": "ssd"}}, {"name": "node-2"}]
    spec = {"networks": networks, "nodes": nodes}
    return {"apiVersion": "netlab/v1alpha1", "kind": "Topology", "metadata": {"name": "lab"}, "spec": spec}


def pod(name: str, labels: Data, spec: Data | None = None, status: Data | None = None, **more: Any) -> Data:
    found = {"apiVersion": "v1", "kind": "Pod", "metadata": meta(name, labels=labels, **more)}
    return {
        **found,
        "spec": {"containers": [{"name": "c", "ports": [{"containerPort": 80}]}], **(spec or {})},
        "status": status or {},
    }


def workload(
    kind: str, name: str, labels: Data, replicas: int | None = None, spec: Data | None = None, **more: Any
) -> Data:
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c"}], **(spec or {})}}
    size = {} if replicas is None else {"replicas": replicas}
    found = {"selector": {"matchLabels": labels}, "template": template, **size}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": meta(name, **more), "spec": found}


def stateful_set(name: str, labels: Data, replicas: int, start: int) -> Data:
    found = workload("StatefulSet", name, labels, replicas)
    return {**found, "spec": {**found["spec"], "ordinals": {"start": start}}}


def job(kind: str, name: str, labels: Data, spec: Data) -> Data:
    found = {"template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c"}]}}, **spec}
    spec = found if kind == "Job" else {"jobTemplate": {"spec": found}, "suspend": spec.get("suspend")}
    return {"apiVersion": "batch/v1", "kind": kind, "metadata": meta(name), "spec": spec}


def policy(name: str, labels: Data) -> Data:
    spec = {"podSelector": {"matchLabels": labels}}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": meta(name), "spec": spec}


def namespace(labels: Data) -> Data:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x", "labels": labels}}


def service(port: int) -> Data:
    return {"apiVersion": "v1", "kind": "Service", "metadata": meta("s"), "spec": {"ports": [{"port": port}]}}


def changed_labels(name: str, labels: Data) -> Data:
    return {"apiVersion": "netlab/v1alpha1", "kind": "PodLabels", "metadata": meta(name), "labels": labels}


LABELS = st.sampled_from([{"app": "a"}, {"app": "b"}])
OWNER: dict[str, Any] = {
    "ownerReferences": [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "d", "uid": "1", "controller": True}]
}
SPECS = st.sampled_from(
    [
        {},
        {},
        {"nodeName": "node-2"},
        {"nodeName": "worker"},
        {"nodeSelector": {"disk": "ssd"}},
        {"nodeSelector": {"disk": "none"}},
        {"hostNetwork": True},
        {"containers": [{"name": "c", "ports": [{"containerPort": 80, "hostPort": 80}]}]},
    ]
)
MORE = st.sampled_from(
    [{}, {}, {}, {"annotations": {"netlab/network": "side"}}, {"annotations": {"netlab/network": "none"}}, OWNER]
)
STATUS = st.sampled_from(
    [
        {},
        {},
        {},
        {"phase": "Succeeded"},
        {"phase": "Running", "podIPs": [{"ip": "10.244.0.3"}]},
        {"phase": "Running", "podIP": "10.244.0.20"},
        {"phase": "Running", "podIP": "10.42.1.5", "hostIP": "10.0.1.11"},
        {"phase": "Running", "podIP": "10.0.1.12", "hostIP": "10.0.1.11"},
    ]
)
NODES = st.builds(
    lambda name, cidr, address: {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {"disk": "ssd"} if cidr else {}},
        "spec": {"podCIDR": cidr},
        "status": {"addresses": [{"type": "InternalIP", "address": address}]},
    },
    st.sampled_from(["node-2", "worker"]),
    st.sampled_from(["", "10.42.1.0/24"]),
    st.sampled_from(["10.0.1.11", "100.64.0.7"]),
)
DOCUMENTS = st.one_of(
    st.builds(
        lambda n, a, s, t, m: pod(n, a, s, t, **m),
        st.sampled_from(["p", "q", "d-0", "d-node-1", "d-job-0"]),
        LABELS,
        SPECS,
        STATUS,
        MORE,
    ),
    st.builds(lambda a, n, s: workload("Deployment", "d", a, n, s), LABELS, st.integers(0, 3), SPECS),
    st.builds(lambda a, n: workload("ReplicaSet", "r", a, n, **OWNER), LABELS, st.integers(0, 2)),
    st.builds(lambda n, a, s: workload("DaemonSet", n, a, None, s), st.sampled_from("ed"), LABELS, SPECS),
    st.builds(stateful_set, st.sampled_from("sd"), LABELS, st.integers(0, 3), st.sampled_from([0, 1, 9])),
    st.builds(
        job,
        st.sampled_from(["Job", "CronJob"]),
        st.sampled_from("jd"),
        LABELS,
        st.sampled_from(
            [
                {},
                {"parallelism": 2},
                {"suspend": True},
                {"completions": 2, "parallelism": 2, "completionMode": "Indexed"},
                {"manualSelector": True},
            ]
        ),
    ),
    NODES,
    st.builds(policy, st.sampled_from("mn"), LABELS),
    st.builds(namespace, LABELS),
    st.builds(service, st.sampled_from([80, 81])),
    st.builds(
        changed_labels,
        st.sampled_from(["d-0", "d-1", "e-node-1", "p", "s-1", "j-0", "d-job-0"]),
        st.sampled_from(
            [
                {"app": None},
                {"app": "b", "z": "1"},
                {"apps.kubernetes.io/pod-index": "7", "job-name": None, "pod-template-hash": "x"},
            ]
        ),
    ),
)
# Each change is a document in the place of the one of its kind and name, or that one taken away.
CHANGES = st.lists(st.tuples(st.booleans(), DOCUMENTS), min_size=1, max_size=3)
OPEN = {"apiVersion": "netlab/v1alpha1", "kind": "Topology", "metadata": {"name": "lab"}, "spec": {}}
SHAPES = st.sampled_from(
    [
        topology("bridge", "10.244.0.0/28"),
        topology("overlay", "10.244.0.0/27"),
        topology("routed", "10.244.0.0/16"),
        OPEN,
        OPEN,
        {**OPEN, "spec": {"networks": [{"mode": "overlay"}], "hosts": [{"name": "h", "addresses": ["100.64.0.9"]}]}},
    ]
)


def placements(cluster: Cluster) -> dict[str, Placement]:
    return {p.ref: Placement(p.node, p.addresses) for p in cluster.pods}


@settings(max_examples=samples(400), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(shape=SHAPES, first=CHANGES, steps=st.lists(CHANGES, min_size=1, max_size=6))
def test_the_result_equals_that_of_resolve(shape: Data, first: Any, steps: Any) -> None:
    """Or it is None. Objects with problems never make a cluster."""
    documents = {("Topology", "lab"): Document(shape, Source("f"))}
    cluster: Cluster | None = None
    objects = Objects()
    for changes in (first, *steps):
        before = dict(documents)
        for stays, data in changes:
            key = data["kind"], data["metadata"]["name"]
            documents.pop(key, None)
            if stays:
                documents[key] = Document(data, Source("f"))
        now, problems = decode(documents.values())
        assert [] == [p for p in problems if p.severity == "error"]
        try:
            wanted = resolve(now, placements(cluster) if cluster else None)
        except InputError:
            # A running lab stays as it is then.
            assert cluster is None or resolve_change(cluster, objects, now) is None
            documents = before
            continue
        assert wanted == resolve(now, placements(wanted))
        if cluster is not None:
            assert resolve_change(cluster, objects, now) in (None, wanted)
        cluster, objects = wanted, now


@pytest.mark.parametrize(
    "change",
    [
        pytest.param([changed_labels("d-1", {"app": "b"})], id="a label of a workload's pod"),
        pytest.param([namespace({"team": "b"})], id="a label of a namespace"),
        pytest.param([policy("new", {"app": "a"})], id="a policy"),
        pytest.param([service(82)], id="a Service"),
        pytest.param([pod("p", {"app": "b"})], id="a pod that is there"),
        pytest.param([pod("new", {})], id="a pod that is new"),
        pytest.param([workload("Deployment", "d", {"app": "a"}, 4)], id="a workload that grows"),
        pytest.param([workload("Deployment", "d", {"app": "a"}, 1)], id="a workload that shrinks"),
        pytest.param([stateful_set("s", {}, 2, 5)], id="a StatefulSet that is new"),
        pytest.param([job("Job", "j", {}, {"parallelism": 2})], id="a Job that is new"),
        pytest.param([changed_labels("d-1", {"pod-template-hash": None})], id="a label that a controller set"),
    ],
)
def test_small_changes_need_no_resolve(change: list[Data]) -> None:
    """The result is not None, and equals that of ``resolve``."""
    before = [
        topology("overlay", "10.244.0.0/16"),
        namespace({}),
        pod("p", {}),
        workload("Deployment", "d", {"app": "a"}, 3),
        service(80),
    ]
    documents = {(d["kind"], d["metadata"]["name"]): Document(d, Source("f")) for d in before}
    old, _ = decode(documents.values())
    documents |= {(d["kind"], d["metadata"]["name"]): Document(d, Source("f")) for d in change}
    new, _ = decode(documents.values())
    cluster = resolve(old)

    assert resolve(new, placements(cluster)) == resolve_change(cluster, old, new) != cluster


def test_a_pod_that_has_finished_still_has_its_name() -> None:
    """If a workload's pod has the same name, the result is None."""
    before = [topology("bridge", "10.244.0.0/28"), workload("Deployment", "d", {"app": "a"}, 1)]
    old, _ = decode([Document(d, Source("f")) for d in before])
    over = pod("d-0", {"app": "a"}, status={"phase": "Succeeded"})
    new, _ = decode([*old.documents, Document(over, Source("f"))])

    assert resolve_change(resolve(old), old, new) is None


@pytest.mark.parametrize("kind", ["Job", "StatefulSet"])
def test_workloads_that_share_a_name_are_resolved_whole(kind: str) -> None:
    """The names of their pods depend on one another, when one is added and when it is removed."""
    one = workload("Deployment", "d", {"app": "a"}, 1)
    other = job("Job", "d", {}, {}) if kind == "Job" else stateful_set("d", {}, 1, 5)
    alone = [Document(topology("bridge", "10.244.0.0/28"), Source("f")), Document(other, Source("f"))]
    old, _ = decode(alone)
    new, _ = decode([*alone, Document(one, Source("f"))])

    assert resolve_change(resolve(old), old, new) is None
    assert resolve_change(resolve(new), new, old) is None
