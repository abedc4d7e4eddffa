"""The status that a pod gets, as a kubelet would write it."""

from __future__ import annotations

from nodes.test_objects import pod

from netlab.control_plane.nodes import pod_status

NOW, LATER = "2026-01-01T00:00:00Z", "2026-01-01T00:00:09Z"


def test_a_pod_that_runs_has_its_addresses_and_those_of_its_node():
    """The first of each is also in the field for one address."""
    status = pod_status.running(pod(), ["10.0.0.1", "fd00::1"], ["100.64.0.1"], NOW)

    assert ("Running", "10.0.0.1", "100.64.0.1") == (status["phase"], status["podIP"], status["hostIP"])
    assert [{"ip": "10.0.0.1"}, {"ip": "fd00::1"}] == status["podIPs"]


def test_every_container_is_ready_and_init_containers_have_ended():
    """An init container that restarts always runs beside the others."""
    init = [{"name": "a", "image": "x"}, {"name": "b", "image": "x", "restartPolicy": "Always"}]
    status = pod_status.running(pod(spec={"initContainers": init}), ["10.0.0.1"], [], NOW)

    assert [("c", True)] == [(one["name"], one["ready"]) for one in status["containerStatuses"]]
    assert ["terminated", "running"] == [next(iter(one["state"])) for one in status["initContainerStatuses"]]


def test_a_pod_that_is_not_ready_runs_all_the_same():
    """Its containers are not ready, and so it is not."""
    one = pod(metadata={"annotations": {"netlab/ready": "false"}})
    status = pod_status.running(one, ["10.0.0.1"], [], NOW)
    states = {condition["type"]: condition["status"] for condition in status["conditions"]}

    assert {"Ready": "False", "ContainersReady": "False", "Initialized": "True"}.items() <= states.items()
    assert "Running" == status["phase"]


def test_a_status_that_was_written_is_the_same_again():
    """Times stay, so nothing is written a second time."""
    written = pod_status.running(pod(), ["10.0.0.1"], ["100.64.0.1"], NOW)
    again = pod_status.running(pod(status=written), ["10.0.0.1"], ["100.64.0.1"], LATER)

    assert written == again
    assert not pod_status.differs(written, again)


def test_a_condition_that_changes_gets_a_new_time():
    """All others keep theirs."""
    written = pod_status.running(pod(), ["10.0.0.1"], [], NOW)
    one = pod(metadata={"annotations": {"netlab/ready": "false"}}, status=written)
    times = {c["type"]: c["lastTransitionTime"] for c in pod_status.running(one, ["10.0.0.1"], [], LATER)["conditions"]}

    assert (LATER, NOW) == (times["Ready"], times["Initialized"])


def test_what_others_wrote_in_a_status_does_not_count_as_a_difference():
    """The scheduler has conditions of its own, and the API server orders and completes fields."""
    written = pod_status.running(pod(), ["10.0.0.1"], [], NOW)
    server = {**written, "qosClass": "BestEffort", "conditions": [{"type": "PodScheduled", "status": "True"}]}

    assert pod_status.differs(server, written)
    server["conditions"] += written["conditions"]
    assert not pod_status.differs(server, written)
