"""``control-plane up --wait``: when the pods of the objects are ready."""

from __future__ import annotations

from typing import Any, cast

import pytest

from netlab.control_plane import waiting
from netlab.control_plane.api import ApiError, Client
from netlab.errors import HostError

RESOURCES = {
    "resources": [
        {"name": name, "kind": kind, "namespaced": True}
        for name, kind in (
            ("deployments", "Deployment"),
            ("replicasets", "ReplicaSet"),
            ("statefulsets", "StatefulSet"),
            ("daemonsets", "DaemonSet"),
            ("pods", "Pod"),
        )
    ]
}


class Server:
    """An API server whose object becomes another one with each question; None is an object that is not there."""

    def __init__(self, *states: dict[str, Any] | None) -> None:
        self._states = list(states)
        self.asked: list[str] = []

    def get(self, path: str) -> dict[str, Any]:
        if path in ("/apis/apps/v1", "/api/v1"):
            return RESOURCES
        self.asked.append(path)
        state = self._states.pop(0) if len(self._states) > 1 else self._states[0]
        if state is None:
            raise ApiError(404, "NotFound", "not there")
        return state


def given(kind: str) -> dict[str, Any]:
    version = "v1" if kind in ("Pod", "Service") else "apps/v1"
    return {"apiVersion": version, "kind": kind, "metadata": {"name": "web", "namespace": "shop"}}


def replicas(ready: int, seen: int = 2, there: int = 2, updated: int = 2, **spec: object) -> dict[str, Any]:
    """Return a workload of two pods."""
    status = {"observedGeneration": seen, "replicas": there, "readyReplicas": ready, "updatedReplicas": updated}
    spec = {"strategy": {"type": "RollingUpdate"}, **spec}
    return {"metadata": {"generation": 2}, "spec": {"replicas": 2, **spec}, "status": status}


def daemon_set(ready: int, updated: int = 3, **spec: object) -> dict[str, Any]:
    """Return a DaemonSet of three nodes."""
    status = {
        "observedGeneration": 1,
        "desiredNumberScheduled": 3,
        "numberReady": ready,
        "updatedNumberScheduled": updated,
    }
    return {"metadata": {"generation": 1}, "spec": spec, "status": status}


def wait(server: Server, kind: str, seconds: float = 5.0) -> None:
    waiting.wait(cast(Client, server), [given(kind)], seconds)


@pytest.mark.parametrize(
    ("kind", "states"),
    [
        ("Deployment", (None, replicas(0), replicas(1), replicas(2))),
        ("Deployment", (replicas(2, seen=1), replicas(2))),
        ("Deployment", (replicas(2, there=3), replicas(2))),
        ("Deployment", (replicas(2, updated=0), replicas(2, updated=1), replicas(2))),
        ("Deployment", (replicas(2, updated=0, paused=True),)),
        ("ReplicaSet", (replicas(1, updated=0, strategy=None), replicas(2, updated=0, strategy=None))),
        ("StatefulSet", (replicas(2, updated=0), replicas(2, updated=1), replicas(2))),
        (
            "StatefulSet",
            tuple(
                replicas(2, updated=updated, strategy=None, updateStrategy={"rollingUpdate": {"partition": 1}})
                for updated in (0, 1)
            ),
        ),
        ("StatefulSet", (replicas(2, updated=0, strategy=None, updateStrategy={"type": "OnDelete"}),)),
        ("DaemonSet", (daemon_set(0), daemon_set(3))),
        ("DaemonSet", (daemon_set(3, updated=0), daemon_set(3, updated=2), daemon_set(3))),
        ("DaemonSet", (daemon_set(3, updated=0, updateStrategy={"type": "OnDelete"}),)),
        ("Pod", tuple({"status": {"conditions": [{"type": "Ready", "status": one}]}} for one in ("False", "True"))),
        ("Pod", ({"status": {"phase": "Running"}}, {"status": {"phase": "Succeeded"}})),
    ],
    ids=[
        "replicas",
        "old-generation",
        "old-pods",
        "old-template",
        "paused",
        "replica-set",
        "stateful-set",
        "partition",
        "by-hand",
        "daemon-set",
        "daemon-set-old-template",
        "daemon-set-by-hand",
        "pod",
        "pod-that-ended",
    ],
)
def test_it_waits_until_all_pods_are_ready(kind, states):
    """Also for what the controller has not seen yet, and until the pods of the version before are gone."""
    server = Server(*states)
    wait(server, kind)

    assert len(states) == len(server.asked)


def test_what_is_no_workload_is_not_waited_for():
    """A Service is there when it is created."""
    server = Server(None)
    wait(server, "Service")

    assert [] == server.asked


def test_what_is_not_ready_in_time_is_named():
    """The exit code is 3; `kubectl describe` says more."""
    with pytest.raises(HostError, match=r"^deployment/web is not ready after 0.2 s; kubectl describe says why$"):
        wait(Server(replicas(1)), "Deployment", 0.2)
