"""Which pods there are."""

from __future__ import annotations

import pytest
from builders import cluster, node, objects, pod, source, workload

from netlab.cluster import resolve
from netlab.errors import InputError


@pytest.mark.parametrize("kind", ["Deployment", "ReplicaSet", "StatefulSet", "Job", "CronJob"])
def test_replicas(kind: str) -> None:
    """A workload of N replicas is the pods NAME-0 to NAME-(N-1), with the template's labels."""
    of = cluster(workload(kind, "shop/web", 2, "app=web", ports=["80"]))

    assert ["shop/web-0", "shop/web-1"] == [p.ref for p in of.pods]
    assert [{"app": "web"}] * 2 == [p.labels for p in of.pods]
    assert [f"{kind} shop/web"] * 2 == [p.workload for p in of.pods]


def test_no_replicas() -> None:
    """A workload of no replicas has no pods."""
    assert () == cluster(workload("Deployment", "shop/web", 0)).pods


def test_daemon_set_on_every_admitted_node() -> None:
    """A DaemonSet has one pod, NAME-NODE, on every node that its selector admits."""
    of = cluster(
        node("a", "disk=ssd"),
        node("b"),
        node("c", "disk=ssd"),
        workload("DaemonSet", "sys/log", on="disk=ssd"),
        pod("sys/busy", node="a"),
    )

    assert {"sys/busy": "a", "sys/log-a": "a", "sys/log-c": "c"} == {p.ref: p.node for p in of.pods}


def test_daemon_set_on_no_node() -> None:
    """A DaemonSet that no node admits is legal and has no pods."""
    assert () == cluster(workload("DaemonSet", "sys/log", on="kubernetes.io/os=windows")).pods


def test_daemon_set_with_node_name() -> None:
    """A DaemonSet whose template names a node has its one pod there."""
    of = cluster(node("a"), node("b"), workload("DaemonSet", "sys/log", node="b"))

    assert ["sys/log-b"] == [p.ref for p in of.pods]


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_finished_pods_take_no_part(phase: str) -> None:
    """A pod that has finished is listed apart, and its address is free again."""
    of = cluster(pod("x/done", phase=phase, addresses=["10.244.0.9"]), pod("x/new", addresses=["10.244.0.9"]))

    assert ("x/done",) == of.finished
    assert [("x/new", "10.244.0.9")] == [(p.ref, str(p.addresses[0])) for p in of.pods]


@pytest.mark.parametrize("phase", ["", "Pending", "Running", "Unknown"])
def test_other_phases_run(phase: str) -> None:
    """A pod of any other phase takes part."""
    assert ["x/a"] == [p.ref for p in cluster(pod("x/a", phase=phase)).pods]


def test_pod_labels() -> None:
    """A label change applies to one pod of a workload; None removes the label."""
    changed = objects(
        workload("Deployment", "shop/web", 2, "app=web,tier=front"),
        pod_labels={"shop/web-1": {"tier": None, "canary": "yes"}, "shop/gone": {"a": "b"}},
    )

    assert [{"app": "web", "tier": "front"}, {"app": "web", "canary": "yes"}] == [
        p.labels for p in resolve(changed).pods
    ]


def test_a_name_made_twice() -> None:
    """A bare pod with the name of a workload's pod is an error that names both."""
    with pytest.raises(InputError) as caught:
        cluster(pod("shop/web-0", source=source(7)), workload("Deployment", "shop/web", 1, source=source(20)))

    assert [
        "test.yaml:20: Deployment shop/web: metadata.name: "
        "makes pod shop/web-0, and so does Pod shop/web-0 (test.yaml:7)"
    ] == [str(p) for p in caught.value.problems]


def test_first_pod_of_a_workload() -> None:
    """A workload's name stands for its first pod."""
    of = cluster(workload("StatefulSet", "shop/db", 12))

    assert "shop/db-0" == of.by_workload["shop/db"].ref
