"""Writes of a pod's status: in order, and again where the API server refused one."""

from __future__ import annotations

import threading
from typing import Any, cast

import pytest

from netlab.control_plane.api import ApiError, Client
from netlab.control_plane.nodes import statuses
from netlab.control_plane.nodes.objects import Key
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
        self.asked.append((method, body.get("status", {}).get("phase", "")))
        if method == "DELETE" or body["status"]["phase"] == "Last":
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
