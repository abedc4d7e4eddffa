"""Writes of the status of pods and Services: in order, and again where the API server refused one."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any, cast

import pytest
from waiting import eventually

from netlab.control_plane.api import ApiError, Client
from netlab.control_plane.nodes import statuses
from netlab.control_plane.nodes.balancers import FINALIZER, Balancer
from netlab.control_plane.nodes.objects import Key
from netlab.control_plane.nodes.registration import STRATEGIC
from netlab.control_plane.nodes.statuses import Statuses

SECONDS = 10.0


class Server:
    """Keeps what it is asked; the first request waits for ``go_on``, and may be refused."""

    def __init__(self, refuses: int = 0) -> None:
        self.asked: list[tuple[str, str]] = []
        self.go_on, self.begun, self.idle = threading.Event(), threading.Event(), threading.Event()
        self._refuses = refuses

    def request(self, method: str, path: str, body: dict[str, Any], kind: str) -> None:
        first = not self.begun.is_set()
        self.begun.set()
        assert not first or self.go_on.wait(SECONDS)
        status = body.get("status", {})
        ingress = status.get("loadBalancer", {}).get("ingress", [])
        self.asked.append((method, status.get("phase", "") or "".join(one["ip"] for one in ingress)))
        if method == "DELETE" or status.get("phase") == "Last":
            self.idle.set()
        if first and self._refuses:
            raise ApiError(self._refuses, "Reason", "no")


def pod(name: str = "a") -> dict[str, Any]:
    return {"metadata": {"namespace": "shop", "name": name, "uid": f"uid-{name}"}}


def writer(server: Server, again: list[Key]) -> Statuses:
    return Statuses(cast(Client, server), lambda text: None, again.append)


def test_the_last_status_of_a_pod_is_the_last_one_written():
    """A write that is slow must not undo one that came after it. What the last one replaces is not written."""
    server = Server()
    writes = writer(server, [])
    writes.write(pod(), {"phase": "Pending"})
    assert server.begun.wait(SECONDS)
    writes.write(pod(), {"phase": "Running"})
    writes.write(pod(), {"phase": "Last"})
    server.go_on.set()

    assert server.idle.wait(SECONDS)
    writes.close()
    assert [("PATCH", "Pending"), ("PATCH", "Last")] == server.asked


def test_a_pod_is_removed_after_its_status_was_written():
    """The removal is the last request about it."""
    server = Server()
    writes = writer(server, [])
    writes.write(pod(), {"phase": "Running"})
    writes.remove(pod())
    server.go_on.set()

    assert server.idle.wait(SECONDS)
    writes.close()
    assert [("PATCH", "Running"), ("DELETE", "")] == server.asked


def test_a_slow_write_of_one_pod_does_not_hold_another_pod():
    """Several pods are written at a time."""
    server = Server()
    writes = writer(server, [])
    writes.write(pod("a"), {"phase": "Running"})
    assert server.begun.wait(SECONDS)
    writes.write(pod("b"), {"phase": "Last"})

    assert server.idle.wait(SECONDS)
    assert [("PATCH", "Last")] == server.asked
    server.go_on.set()
    writes.close()


def test_the_last_load_balancer_of_a_service_is_the_last_one_written():
    """As it is with pods; a finalizer that came after its removal would keep the Service for ever."""
    server, service = Server(), {"metadata": {"namespace": "shop", "name": "web", "uid": "u"}}
    writes = writer(server, [])
    for address in ("198.18.0.1", "198.18.0.2", "198.18.0.3"):
        writes.balancer(service, Balancer([{"ip": address}], kept=True), lambda uid: None)
        assert server.begun.wait(SECONDS)
    writes.write(pod(), {"phase": "Last"})
    assert server.idle.wait(SECONDS)
    assert [("PATCH", "Last")] == server.asked
    server.go_on.set()

    eventually(lambda: len(server.asked) == 3)
    writes.close()
    assert [("PATCH", "198.18.0.1"), ("PATCH", "198.18.0.3")] == server.asked[1:]


@pytest.mark.parametrize(("status", "expected"), [(409, [("shop", "a")]), (500, [("shop", "a")]), (404, [])])
def test_a_refused_write_is_done_again_unless_the_pod_is_gone(monkeypatch, status, expected):
    """The API server refuses a patch with 409 when others changed the pod more often than it tries."""
    monkeypatch.setattr(statuses, "_PAUSE", 0.0)
    server, again = Server(refuses=status), list[Key]()
    writes = writer(server, again)
    writes.write(pod(), {"phase": "Running"})
    assert server.begun.wait(SECONDS)
    writes.write(pod(), {"phase": "Last"})
    server.go_on.set()

    assert server.idle.wait(SECONDS)
    writes.close()
    assert expected == again


class Answering:
    """Stands in for an API server that answers at once, maybe with an error."""

    def __init__(self, refuses: int = 0) -> None:
        self.asked: queue.SimpleQueue[tuple[str, dict[str, Any], str]] = queue.SimpleQueue()
        self._refuses = refuses

    def request(self, method: str, path: str, body: dict[str, Any], kind: str) -> None:
        self.asked.put((path, body, kind))
        if self._refuses:
            raise ApiError(self._refuses, "Reason", "no")

    def told(self, balancer: Balancer, failed: Callable[[str], None]) -> tuple[str, dict[str, Any], str]:
        """Write what a Service says of its load balancer, and return what the server was asked."""
        writes = Statuses(cast(Client, self), lambda text: None, lambda key: None)
        writes.balancer({"metadata": {"namespace": "shop", "name": "web", "uid": "u"}}, balancer, failed)
        return self.asked.get(timeout=SECONDS)


def test_an_address_and_the_finalizer_of_a_load_balancer_are_one_write():
    """So no Service has the address alone. It needs no right but that to write the status."""
    balancer = Balancer([{"ip": "198.18.0.1"}], kept=True)
    path, body, kind = Answering().told(balancer, lambda uid: None)

    assert ("/api/v1/namespaces/shop/services/web/status", STRATEGIC) == (path, kind)
    assert {"uid": "u", "finalizers": [FINALIZER]} == body["metadata"]
    assert [{"ip": "198.18.0.1"}] == body["status"]["loadBalancer"]["ingress"]


def test_only_the_finalizer_of_the_load_balancer_is_removed():
    """Those of others stay."""
    _, body, _ = Answering().told(Balancer([], kept=False), lambda uid: None)

    assert {"uid": "u", "$deleteFromPrimitiveList/finalizers": [FINALIZER]} == body["metadata"]


@pytest.mark.parametrize("status", [409, 500])
def test_a_write_of_a_load_balancer_that_failed_is_told(monkeypatch, status):
    """It is done again, unless the Service is gone by then."""
    monkeypatch.setattr(statuses, "_PAUSE", 0.0)
    failed: queue.SimpleQueue[str] = queue.SimpleQueue()
    Answering(status).told(Balancer([], kept=False), failed.put)

    assert "u" == failed.get(timeout=SECONDS)
