"""Pods of a control plane that die: the API server deletes them, and the nodes end them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from netlab.cluster import Pod
from netlab.control_plane import failures
from netlab.control_plane.api import ApiError, Client
from netlab.errors import HostError
from netlab.lab.lab import Lab


class Server(Client):
    """An API server whose pods are gone once they are deleted, but for those that it ``keeps``."""

    def __init__(self) -> None:
        self.deleted: list[str] = []
        self.keeps: set[str] = set()

    def get(self, path: str, **query: str) -> dict[str, Any]:
        if path in self.deleted and path not in self.keeps:
            raise ApiError(404, "NotFound", "not there")
        return {"metadata": {"uid": f"uid of {path}"}}

    def delete(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        self.deleted.append(path)
        return {}


def lab(ends: bool) -> Lab:
    """Return a lab with the pods shop/a and shop/b, which its nodes end, or not."""
    pods = {ref: object.__new__(Pod) for ref in ("shop/a", "shop/b")}
    for pod in pods.values():
        object.__setattr__(pod, "system", False)
    found = SimpleNamespace(
        name="x", cluster=SimpleNamespace(by_ref=pods), records=SimpleNamespace(stamp=lambda name: len(pods))
    )
    found.look = lambda: pods.clear() if ends else None
    return cast(Lab, found)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    found = Server()
    monkeypatch.setattr(failures, "_client", lambda lab: found)
    monkeypatch.setattr(failures, "_PATIENCE", 0.1)
    return found


def test_it_returns_when_the_pods_have_left_the_lab(server: Server) -> None:
    """The change is in force then."""
    failures.kill(lab(ends=True), ["shop/a", "shop/b"])

    assert ["/api/v1/namespaces/shop/pods/a", "/api/v1/namespaces/shop/pods/b"] == server.deleted


def test_pods_that_stay_in_the_lab_are_an_error(server: Server) -> None:
    """As when netlab as the nodes has ended: the API server has no pod any more, and the lab still has one."""
    words = "the API server has deleted shop/a, shop/b; still in the lab after 0.1 s"
    with pytest.raises(HostError, match=words):
        failures.kill(lab(ends=False), ["shop/a", "shop/b"])


def test_a_pod_that_a_finalizer_keeps_is_named(server: Server) -> None:
    """The API server has it still, and so has the lab if its node is stopped."""
    server.keeps = {"/api/v1/namespaces/shop/pods/b"}
    with pytest.raises(HostError, match="finalizers keep shop/b; kubectl get pod -o yaml shows them"):
        failures.kill(lab(ends=False), ["shop/a", "shop/b"])
