"""Nodes are registered, beat while they are alive, and become ready again after they were away."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from netlab.cluster import resolve
from netlab.control_plane.api import ApiError, Client
from netlab.control_plane.nodes.registration import Registration
from netlab.objects import decode
from netlab.objects.documents import parse

TOPOLOGY = """apiVersion: netlab/v1alpha1
kind: Topology
metadata: {name: three}
spec: {nodes: [{name: n1}, {name: n2}, {name: n3}]}
"""
NODES, LEASES = "/api/v1/nodes", "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"


class Server(Client):
    """An API server that keeps nodes and leases."""

    def __init__(self) -> None:
        self.ready: dict[str, str] = {}
        self.beats: list[str] = []
        self.uids = itertools.count()

    def get(self, path: str, **query: str) -> dict[str, Any]:
        if path == "/version":
            return {"gitVersion": "v1.37.2"}
        conditions = {name: [{"type": "Ready", "status": state}] for name, state in self.ready.items()}
        return {"items": [{"metadata": {"name": n}, "status": {"conditions": c}} for n, c in conditions.items()]}

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        name = body["metadata"]["name"]
        if path == NODES:
            if name in self.ready:
                raise ApiError(409, "AlreadyExists", "it exists")
            self.ready[name] = ""
            return {"metadata": {"uid": str(next(self.uids))}}
        self.beats.append(name)
        return body

    def merge(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        name = path.rpartition("/")[2]
        if path.startswith(LEASES):
            if name not in self.beats:
                raise ApiError(404, "NotFound", "no lease")
            self.beats.append(name)
        return {"metadata": {"uid": "known"}}

    def request(self, method: str, path: str, body: Any = None, kind: str = "") -> dict[str, Any]:
        *_, name, what = path.split("/")
        assert ("PATCH", "status") == (method, what)
        states = {one["type"]: one["status"] for one in body["status"]["conditions"]}
        self.ready[name] = states["Ready"]
        return {}


def registration(server: Server, stopped: Sequence[str] = ()) -> Registration:
    objects, _ = decode(parse(TOPOLOGY, "topology.yaml")[0])
    return Registration(server, resolve(objects), 10250, lambda node: node not in stopped)


def test_every_node_is_ready_and_has_a_lease():
    """They are new."""
    server = Server()
    registration(server).register()

    assert {"True"} == {*server.ready.values()}
    assert sorted(server.ready) == sorted(server.beats)
    assert 3 == len(server.ready)


def test_a_stopped_node_does_not_beat_and_says_nothing():
    """Also when netlab as the nodes begins again."""
    server = Server()
    registration(server).register()
    first, *others = server.ready
    server.ready[first], server.beats = "Unknown", server.beats[:]
    server.beats.clear()
    registration(server, [first]).register()

    assert "Unknown" == server.ready[first]
    assert sorted(others) == sorted({*server.beats})


def test_a_node_that_was_away_is_ready_after_its_next_heartbeat():
    """So it is after ``node start``, and after the API server was away for longer than the grace period."""
    server = Server()
    stopped: list[str] = []
    nodes = registration(server, stopped)
    nodes.register()
    first = next(iter(server.ready))
    stopped.append(first)
    server.ready[first] = "Unknown"
    nodes.beat()
    assert "Unknown" == server.ready[first]
    stopped.clear()
    nodes.beat()

    assert "True" == server.ready[first]


def test_a_ready_node_has_its_status_written_once():
    """Heartbeats are leases, as statuses are large."""
    server = Server()
    nodes = registration(server)
    nodes.register()
    written: list[str] = []
    server.request = lambda method, path, body=None, kind="": written.append(path) or {}  # type: ignore
    nodes.beat()

    assert [] == written
