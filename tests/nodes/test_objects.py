"""Which objects of an API server a lab has, and what a change of one of them costs."""

from __future__ import annotations

from typing import Any

import pytest

from netlab.control_plane.nodes.objects import PROBES, Known, document, followed, is_ready
from netlab.control_plane.watch import Change


def pod(name: str = "web", **more: Any) -> dict[str, Any]:
    """Return a pod that is bound to a node."""
    metadata = {"name": name, "namespace": "shop", "uid": f"uid-{name}", "resourceVersion": "1"}
    spec = {"nodeName": "n1", "containers": [{"name": "c", "image": "nginx"}]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata | more.pop("metadata", {}),
        "spec": spec | more.pop("spec", {}),
        "status": more.pop("status", {"phase": "Pending"}),
    }


def complete(*pods: dict[str, Any]) -> Known:
    """Return what is known when every kind was listed and there are these pods."""
    known = Known()
    for kind in followed():
        known.take(Change(kind, "all", pods if kind == "Pod" else ()))
    return known


def test_kinds_that_make_pods_and_secrets_are_not_followed():
    """The controllers make the pods of workloads, and netlab needs no Secret."""
    assert {"Pod", "Namespace", "Service", "NetworkPolicy", "EndpointSlice"} <= followed().keys()
    assert not followed().keys() & {"Deployment", "StatefulSet", "Secret", "Node", "Topology"}


def test_a_bound_pod_is_in_the_lab_and_is_ready():
    """Its addresses are those that netlab gives it, so the status has none."""
    found = document(pod(status={"phase": "Running", "podIP": "10.0.0.9"}))

    assert found is not None
    assert {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]} == found["status"]


@pytest.mark.parametrize(
    "one",
    [
        pod(spec={"nodeName": ""}),
        pod(metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"}),
        pod(status={"phase": "Succeeded"}),
        pod(status={"phase": "Failed"}),
    ],
    ids=["unbound", "deleted", "succeeded", "failed"],
)
def test_a_pod_without_a_node_or_an_end_is_not_in_the_lab(one):
    """Its namespace goes before the API server forgets it."""
    assert document(one) is None


@pytest.mark.parametrize(
    ("one", "ready"),
    [
        (pod(metadata={"annotations": {"netlab/ready": "false"}}), False),
        (pod(metadata={"annotations": {"netlab/ready": "true"}}), True),
        (pod(spec={"readinessGates": [{"conditionType": "a/b"}]}), False),
        (
            pod(
                spec={"readinessGates": [{"conditionType": "a/b"}]},
                status={"conditions": [{"type": "a/b", "status": "True"}]},
            ),
            True,
        ),
    ],
    ids=["annotation", "other-value", "gate", "open-gate"],
)
def test_an_annotation_and_readiness_gates_decide_whether_a_pod_is_ready(one, ready):
    """As a pod has no programs, nothing else can."""
    assert ready == is_ready(one)


def test_slices_of_selectors_are_left_to_netlab_and_all_others_count():
    """netlab knows of a pod's end before the controller writes a slice without it."""
    by_controller = {"endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io"}
    slices = [
        {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": {"name": name, "labels": labels}}
        for name, labels in (("a", by_controller), ("b", {}))
    ]

    assert [False, True] == [document(one) is not None for one in slices]


def test_nothing_is_complete_before_every_kind_was_listed():
    """Else a lab would lose its pods when this program starts again."""
    known = Known()
    assert not known.complete
    assert complete().complete


def test_a_new_status_changes_no_document():
    """So it changes nothing of the lab."""
    known = complete(pod())
    before = known.documents()
    known.take(Change("Pod", "set", (pod(metadata={"resourceVersion": "2"}, status={"phase": "Running"}),)))

    assert [id(one) for one in before] == [id(one) for one in known.documents()]


def test_a_changed_object_keeps_its_place_among_the_documents():
    """A record keeps the lines of all others."""
    known = complete(pod("a"), pod("b"), pod("c"))
    known.take(Change("Pod", "set", (pod("b", metadata={"labels": {"x": "y"}}),)))

    assert ["a", "b", "c"] == [one.data["metadata"]["name"] for one in known.documents()]


def test_a_list_removes_what_it_does_not_have():
    """It stands for all events that a broken watch lost."""
    known = complete(pod("a"), pod("b"))
    known.take(Change("Pod", "all", (pod("b"),)))

    assert ["b"] == [one.data["metadata"]["name"] for one in known.documents()]


def test_each_change_of_a_pod_is_told_once():
    """The status of all other pods is not looked at."""
    known = complete(pod("a"), pod("b"))
    assert ["a", "b"] == [one["metadata"]["name"] for one in known.touched()]
    assert [] == known.touched()
    known.take(Change("Pod", "set", (pod("b"),)))
    known.take(Change("Pod", "gone", (pod("a"),)))

    assert ["b"] == [one["metadata"]["name"] for one in known.touched()]


def test_a_pod_whose_probes_fail_is_not_ready_until_they_pass():
    """Its own new states change nothing about it; the next pod of the name is ready."""
    known = complete(pod("a"))
    known.hold("uid-a", ("shop", "a"), PROBES, on=True)
    known.take(Change("Pod", "set", (pod("a", status={"phase": "Running"}),)))
    states = []
    for change in (None, False, True):
        if change is not None:
            known.hold("uid-a", ("shop", "a"), PROBES, on=change)
        states.append(known.documents()[0].data["status"]["conditions"][0]["status"])
    known.take(Change("Pod", "gone", (pod("a"),)))
    known.take(Change("Pod", "set", (pod("a"),)))

    assert ["False", "True", "False"] == states
    assert "True" == known.documents()[0].data["status"]["conditions"][0]["status"]
    assert {"apiVersion", "kind", "metadata", "spec", "status"} == known.documents()[0].data.keys()


RUNNING = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
UNREADY = {"phase": "Running", "conditions": [{"type": "Ready", "status": "False"}]}
DELETED = {"deletionTimestamp": "2026-01-01T00:00:00Z"}


@pytest.mark.parametrize(
    ("one", "ready"),
    [
        pytest.param(pod(status=RUNNING), "True", id="the controllers have not noticed"),
        pytest.param(pod(status=UNREADY), "False", id="they have"),
        pytest.param(pod(status=UNREADY, metadata=DELETED), "False", id="they have evicted it"),
        pytest.param(pod(status={"phase": "Pending"}), None, id="it did not begin before the node stopped"),
        pytest.param(pod(status={"phase": "Failed"}), None, id="it has finished"),
    ],
)
@pytest.mark.parametrize("held", [False, True], ids=["passes", "fails its probes"])
def test_pods_of_a_stopped_node_stay_and_are_as_ready_as_the_controllers_say(one, ready, held):
    """The node is away, so nothing on it begins or ends, and nobody hears of its probes."""
    known = complete(one)
    known.cut_off(frozenset({"n1"}))
    known.hold("uid-web", ("shop", "web"), PROBES, on=True)
    known.hold("uid-web", ("shop", "web"), PROBES, on=held)

    assert ready == next((d.data["status"]["conditions"][0]["status"] for d in known.documents()), None)


def test_a_deleted_pod_of_a_stopped_node_lingers():
    """It still runs, so its probes go on."""
    known = complete(pod("a", status=RUNNING, metadata=DELETED), pod("b", status=RUNNING))
    assert not known.lingers(("shop", "a"))
    known.cut_off(frozenset({"n1"}))

    assert [True, False] == [known.lingers(("shop", name)) for name in ("a", "b")]


def test_pods_of_a_node_that_comes_back_are_as_they_have_to_be():
    """What was evicted meanwhile ends, all others are ready again, and the status of all is written."""
    known = complete(pod("a", status=UNREADY), pod("b", status=UNREADY, metadata=DELETED))
    known.cut_off(frozenset({"n1"}))
    known.touched()
    known.cut_off(frozenset())

    assert ["a"] == [one.data["metadata"]["name"] for one in known.documents()]
    assert "True" == known.documents()[0].data["status"]["conditions"][0]["status"]
    assert ["a", "b"] == [one["metadata"]["name"] for one in known.touched()]


def test_a_pod_under_the_name_of_another_is_another_pod():
    """Also where the end of the first and the begin of the second come together."""
    known = complete(pod("a"), pod("b"))
    known.ended()
    before = known.documents()
    known.take(Change("Pod", "set", (pod("a", metadata={"uid": "second"}),)))
    known.take(Change("Pod", "gone", (pod("b"),)))

    assert {("shop", "a"), ("shop", "b")} == known.ended()
    assert set() == known.ended()
    assert not any(one is old for one in known.documents() for old in before)
