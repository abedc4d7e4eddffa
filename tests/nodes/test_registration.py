"""Nodes are registered, beat while they are alive, and become ready again after they were away."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from typing import Any

from sizes import HANGS
from waiting import eventually

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
        self.refuses: set[str] = set()
        self.hangs: set[str] = set()
        self.answers = threading.Event()

    def get(self, path: str, **query: str) -> dict[str, Any]:
        if path == "/version":
            return {"gitVersion": "v1.37.2"}
        conditions = {name: [{"type": "Ready", "status": state}] for name, state in self.ready.items()}
        metadata = {name: {"name": name, "uid": f"uid-{name}"} for name in conditions}
        return {"items": [{"metadata": metadata[n], "status": {"conditions": c}} for n, c in conditions.items()]}

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        name = body["metadata"]["name"]
        if path == NODES:
            if name in self.hangs:
                self.answers.wait(HANGS)
            if name in self.refuses:
                raise ApiError(500, "InternalError", "failed calling webhook")
            if name in self.ready:
                raise ApiError(409, "AlreadyExists", "it exists")
            self.ready[name] = ""
            return {}
        self.beats.append(name)
        return body

    def merge(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        name = path.rpartition("/")[2]
        if path.startswith(LEASES):
            if name not in self.beats:
                raise ApiError(404, "NotFound", "no lease")
            self.beats.append(name)
        return {}

    def request(self, method: str, path: str, body: Any = None, kind: str = "") -> dict[str, Any]:
        *_, name, what = path.split("/")
        assert ("PATCH", "status") == (method, what)
        states = {one["type"]: one["status"] for one in body["status"]["conditions"]}
        self.ready[name] = states["Ready"]
        return {}


def registration(server: Server, stopped: Sequence[str] = (), told: list[str] | None = None) -> Registration:
    objects, _ = decode(parse(TOPOLOGY, "topology.yaml")[0])
    failed = (told if told is not None else []).append
    return Registration(server, resolve(objects), 10250, lambda node: node not in stopped, failed, every=0.01)


def registered(server: Server, stopped: Sequence[str] = ()) -> Registration:
    """Return the nodes of a server after their first heartbeat."""
    found = registration(server, stopped)
    assert found.register()
    found.beat()
    return found


def test_every_node_is_ready_and_has_a_lease():
    """They are new."""
    server = Server()
    registered(server)

    assert {"True"} == {*server.ready.values()}
    assert sorted(server.ready) == sorted(server.beats)
    assert 3 == len(server.ready)


def test_a_stopped_node_does_not_beat_and_says_nothing():
    """Also when netlab as the nodes begins again."""
    server = Server()
    registered(server)
    first, *others = server.ready
    server.ready[first], server.beats = "Unknown", server.beats[:]
    server.beats.clear()
    registered(server, [first])

    assert "Unknown" == server.ready[first]
    assert sorted(others) == sorted({*server.beats})


def test_a_node_that_was_away_is_ready_after_its_next_heartbeat():
    """So it is after ``node start``, and after the API server was away for longer than the grace period."""
    server = Server()
    stopped: list[str] = []
    nodes = registered(server, stopped)
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
    nodes = registered(server)
    written: list[str] = []
    server.request = lambda method, path, body=None, kind="": written.append(path) or {}  # type: ignore
    nodes.beat()

    assert [] == written


def test_a_node_that_is_refused_is_told_and_does_not_hold_up_the_others():
    """A webhook may refuse one of them."""
    server, told = Server(), list[str]()
    server.refuses = {"n1"}
    nodes = registration(server, told=told)

    assert not nodes.register()
    nodes.beat()
    assert {"n2": "True", "n3": "True"} == server.ready
    assert ["n2", "n3"] == server.beats
    assert ["node n1 is not registered: failed calling webhook"] == told


def test_a_node_that_exists_beats_also_while_it_is_refused():
    """Else its pods would be replaced. A pod of this node may be the webhook that has to answer."""
    server = Server()
    registered(server)
    server.beats.remove("n1")
    server.ready["n1"], server.refuses = "Unknown", {"n1"}
    nodes = registration(server)

    assert not nodes.register()
    nodes.beat()
    assert "True" == server.ready["n1"]
    assert "n1" in server.beats


def test_nodes_are_registered_as_soon_as_they_may_be():
    """However long they are refused."""
    server, told = Server(), list[str]()
    server.refuses = {"n1", "n2", "n3"}
    with running(registration(server, told=told)):
        eventually(lambda: len(told) > 5)
        server.refuses = set()
        eventually(lambda: sorted(set(server.beats)) == ["n1", "n2", "n3"])

    assert {"True"} == {*server.ready.values()}


def test_nodes_beat_while_a_registration_has_no_answer():
    """A webhook that does not answer takes longer than the controllers wait for a heartbeat."""
    server = Server()
    registered(server)
    server.hangs = {"n1"}
    server.ready["n3"] = "Unknown"
    server.beats.clear()
    with running(registration(server)):
        eventually(lambda: min(map(server.beats.count, ("n1", "n2", "n3"))) > 2)
        server.answers.set()

    assert "True" == server.ready["n3"]


@contextlib.contextmanager
def running(nodes: Registration) -> Iterator[None]:
    """Register and beat meanwhile."""
    stopped = threading.Event()
    threads = [threading.Thread(target=one, args=(stopped,)) for one in (nodes.register_all, nodes.beat_forever)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stopped.set()
        nodes.beat_soon()
        for thread in threads:
            thread.join()
