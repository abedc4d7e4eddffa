"""The pods of a cluster."""

from __future__ import annotations

from dataclasses import replace

import pytest
from builders import cluster, node, objects, pod, source, workload

from netlab.cluster import resolve
from netlab.errors import InputError


@pytest.mark.parametrize("kind", ["Deployment", "ReplicaSet", "ReplicationController", "StatefulSet", "Job", "CronJob"])
def test_replicas(kind: str) -> None:
    """A workload of N replicas has the pods NAME-0 to NAME-(N-1), with the template's labels."""
    of = cluster(workload(kind, "shop/web", 2, "app=web", ports=["80"]))

    assert ["shop/web-0", "shop/web-1"] == [p.ref for p in of.pods]
    assert ["web"] * 2 == [p.labels["app"] for p in of.pods]
    assert [f"{kind} shop/web"] * 2 == [p.workload for p in of.pods]


def test_no_replicas() -> None:
    """A workload with 0 replicas has no pods."""
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
    """A DaemonSet that no node admits is valid, and has no pods."""
    assert () == cluster(workload("DaemonSet", "sys/log", on="kubernetes.io/os=windows")).pods


def test_daemon_set_with_node_name() -> None:
    """A DaemonSet with a nodeName in its template has one pod, on that node."""
    of = cluster(node("a"), node("b"), workload("DaemonSet", "sys/log", node="b"))

    assert ["sys/log-b"] == [p.ref for p in of.pods]


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_finished_pods_are_not_in_the_lab(phase: str) -> None:
    """A finished pod is listed in ``finished``, and its address is free."""
    of = cluster(pod("x/done", phase=phase, addresses=["10.244.0.9"]), pod("x/new", addresses=["10.244.0.9"]))

    assert ("x/done",) == of.finished
    assert [("x/new", "10.244.0.9")] == [(p.ref, str(p.addresses[0])) for p in of.pods]


@pytest.mark.parametrize("phase", ["", "Pending", "Running", "Unknown"])
def test_other_phases_run(phase: str) -> None:
    """A pod of any other phase is in the lab."""
    assert ["x/a"] == [p.ref for p in cluster(pod("x/a", phase=phase)).pods]


def test_pod_labels() -> None:
    """A label change applies to one pod of a workload. None removes the label."""
    changed = objects(
        workload("ReplicaSet", "shop/web", 2, "app=web,tier=front"),
        pod_labels={"shop/web-1": {"tier": None, "canary": "yes"}, "shop/gone": {"a": "b"}},
    )

    assert [{"app": "web", "tier": "front"}, {"app": "web", "canary": "yes"}] == [
        p.labels for p in resolve(changed).pods
    ]


def test_a_name_made_twice() -> None:
    """A Pod with the name of a StatefulSet's pod is an error that names both, as no cluster has both."""
    with pytest.raises(InputError) as caught:
        cluster(pod("shop/web-0", source=source(7)), workload("StatefulSet", "shop/web", 1, source=source(20)))

    assert [
        "test.yaml:20: StatefulSet shop/web: metadata.name: "
        "makes pod shop/web-0, and so does Pod shop/web-0 (test.yaml:7)"
    ] == [str(p) for p in caught.value.problems]


@pytest.mark.parametrize("kind", ["Deployment", "ReplicaSet", "ReplicationController", "Job", "CronJob"])
def test_pods_with_random_names_get_another_name(kind: str) -> None:
    """On a cluster their names end with random letters. So a Pod with such a name, finished or not, is no error."""
    for phase in ("Running", "Succeeded"):
        of = cluster(pod("shop/web-0", phase=phase), workload(kind, "shop/web", 2))
        made = [p.name for p in of.pods if p.workload]

        assert [f"web-{kind.lower()}-0", f"web-{kind.lower()}-1"] == made
        assert made[0] == of.by_workload["shop/web"].name
        assert (f"{kind} shop/web",) == of.renamed


def test_a_daemon_sets_pods_get_another_name() -> None:
    """If a Pod, or another workload's pod on a node whose name is a number, has the name."""
    of = cluster(node("0"), workload("DaemonSet", "x/a"), workload("Deployment", "x/a", 1), pod("x/b"))

    assert ["a-0", "a-daemonset-0", "b"] == [p.name for p in of.pods]


def test_workloads_of_one_name() -> None:
    """The second one's pods have its kind in their names, in whatever order the objects stand and however few they are.

    A name that is another workload's already gets a number.
    """
    kinds = ["StatefulSet", "Deployment", "ReplicaSet", "ReplicationController", "Job", "CronJob"]
    of = [workload(kind, "x/a", 1) for kind in kinds]
    found = cluster(*of)

    assert {
        "StatefulSet x/a": "a-0",
        "Deployment x/a": "a-deployment-0",
        "ReplicaSet x/a": "a-replicaset-0",
        "ReplicationController x/a": "a-replicationcontroller-0",
        "Job x/a": "a-job-0",
        "CronJob x/a": "a-cronjob-0",
    } == {p.workload: p.name for p in found.pods}
    assert found == cluster(*reversed(of))
    assert "a-0" == found.by_workload["x/a"].name
    assert ["a-job-0"] == [p.name for p in cluster(workload("Deployment", "x/a", 0), workload("Job", "x/a", 1)).pods]
    three = cluster(workload("Deployment", "x/a", 1), workload("Deployment", "x/a-job", 1), workload("Job", "x/a", 1))
    assert {"Deployment x/a-job": "a-job-0", "Deployment x/a": "a-0", "Job x/a": "a-job-2-0"} == {
        p.workload: p.name for p in three.pods
    }


def test_a_workloads_name_stands_for_the_kind_of_the_lowest_rank() -> None:
    """Though a pod of another kind is first by name."""
    of = cluster(node("z"), workload("Job", "x/a", 1), workload("DaemonSet", "x/a"))

    assert ["a-0", "a-z"] == [p.name for p in of.pods]
    assert "a-z" == of.by_workload["x/a"].name


def test_ordinals() -> None:
    """A StatefulSet's pods begin at its first ordinal, and that is its first pod."""
    of = cluster(replace(workload("StatefulSet", "w/db", 3), first=9))

    assert {"db-9", "db-10", "db-11"} == {p.name for p in of.pods}
    assert "db-9" == of.by_workload["w/db"].name


def test_first_pod_of_a_workload() -> None:
    """A workload's name stands for its first pod."""
    of = cluster(workload("StatefulSet", "shop/db", 12))

    assert "shop/db-0" == of.by_workload["shop/db"].ref
