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
        for name, kind in (("deployments", "Deployment"), ("daemonsets", "DaemonSet"), ("pods", "Pod"))
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


def deployment(ready: int, seen: int = 2, replicas: int = 2) -> dict[str, Any]:
    status = {"observedGeneration": seen, "replicas": replicas, "readyReplicas": ready}
    return {"metadata": {"generation": 2}, "spec": {"replicas": 2}, "status": status}


def wait(server: Server, kind: str, seconds: float = 5.0) -> None:
    waiting.wait(cast(Client, server), [given(kind)], seconds)


@pytest.mark.parametrize(
    ("kind", "states"),
    [
        ("Deployment", (None, deployment(0), deployment(1), deployment(2))),
        ("Deployment", (deployment(2, seen=1), deployment(2))),
        ("Deployment", (deployment(2, replicas=3), deployment(2))),
        (
            "DaemonSet",
            tuple(
                {
                    "metadata": {"generation": 1},
                    "spec": {},
                    "status": {"observedGeneration": 1, "desiredNumberScheduled": 3, "numberReady": ready},
                }
                for ready in (0, 3)
            ),
        ),
        ("Pod", tuple({"status": {"conditions": [{"type": "Ready", "status": one}]}} for one in ("False", "True"))),
    ],
    ids=["replicas", "old-generation", "old-pods", "daemon-set", "pod"],
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
        wait(Server(deployment(1)), "Deployment", 0.2)
