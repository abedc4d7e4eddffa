"""Objects sent to an API server: where each belongs, in which order, and what is tried again."""

from __future__ import annotations

from typing import Any

import pytest

from netlab.control_plane import rest
from netlab.control_plane.api import ApiError, Client
from netlab.control_plane.rest import Refused, Sender

SERVED = {
    "/api/v1": [("Namespace", "namespaces", False), ("ConfigMap", "configmaps", True), ("Pod", "pods", True)],
    "/apis/apps/v1": [("Deployment", "deployments", True)],
}


class Server(Client):
    """An API server that keeps the paths of what it gets; ``refusals`` are raised first, by path.

    Each request gives an object another version, and those of ``changed`` another generation.
    """

    def __init__(self, refusals: dict[str, list[ApiError]] | None = None) -> None:
        self.refusals = refusals or {}
        self.got: list[str] = []
        self.changed: list[str] = []

    def get(self, path: str, **query: str) -> dict[str, Any]:
        if path in self.got:
            return {"metadata": {"resourceVersion": "1", "generation": 1}}
        if path not in SERVED:
            raise ApiError(404, "NotFound", "the server could not find the requested resource")
        fields = ("kind", "name", "namespaced")
        return {"resources": [dict(zip(fields, one, strict=True)) for one in SERVED[path]]}

    def apply(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        if self.refusals.get(path):
            raise self.refusals[path].pop(0)
        self.got.append(path)
        return {"metadata": {"resourceVersion": "2", "generation": 2 if path in self.changed else 1}}


def one(kind: str, name: str, namespace: str = "", version: str = "v1") -> dict[str, Any]:
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": version, "kind": kind, "metadata": metadata}


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest, "_PAUSE", 0.0)


def test_namespaces_come_first_wherever_they_stand():
    """A namespace that objects name and nobody has written is made too."""
    server = Server()
    sent = Sender(server).send(
        [one("Deployment", "web", "shop", "apps/v1"), one("ConfigMap", "a", "db"), one("Namespace", "db")]
    )

    assert ["namespace/shop", "namespace/db", "deployment/shop/web", "configmap/db/a"] == [name for name, _ in sent]
    assert "/apis/apps/v1/namespaces/shop/deployments/web" in server.got


def test_the_verb_says_what_became_of_an_object():
    """An object is unchanged if all but its version is as it was."""
    server = Server()
    sender = Sender(server, compare=True)
    server.changed = ["/api/v1/namespaces/default/pods/b"]
    sender.send([one("Pod", "a"), one("Pod", "b")])
    sent = sender.send([one("Pod", "a"), one("Pod", "b"), one("Pod", "c")])

    assert [("pod/a", "unchanged"), ("pod/b", "configured"), ("pod/c", "created")] == sent


def test_namespaces_of_every_api_server_are_not_made():
    """The server makes them itself."""
    server = Server()
    Sender(server).send([one("Pod", "a", "default"), one("ConfigMap", "b", "kube-system")])

    assert ["/api/v1/namespaces/default/pods/a", "/api/v1/namespaces/kube-system/configmaps/b"] == server.got


def test_an_object_without_a_namespace_is_in_the_default_one():
    """As kubectl has it."""
    server = Server()
    Sender(server).send([one("Pod", "a")])

    assert ["/api/v1/namespaces/default/pods/a"] == server.got


def test_a_pod_waits_for_the_account_of_its_namespace():
    """The controller manager makes it a moment after the namespace."""
    path = "/api/v1/namespaces/shop/pods/a"
    early = ApiError(
        403, "Forbidden", 'pods "a" is forbidden: error looking up service account: serviceaccount "default" not found'
    )
    server = Server({path: [early, early]})
    Sender(server).send([one("Pod", "a", "shop")])

    assert path in server.got


def test_what_the_server_refuses_is_said_after_all_others_were_sent():
    """Each is one line."""
    bad = ApiError(422, "Invalid", 'Pod "a" is invalid: spec: Required value')
    server = Server({"/api/v1/namespaces/shop/pods/a": [bad]})
    with pytest.raises(Refused) as caught:
        Sender(server).send([one("Pod", "a", "shop"), one("Pod", "b", "shop")])

    assert 'pod/shop/a: Pod "a" is invalid: spec: Required value' == str(caught.value)
    assert "/api/v1/namespaces/shop/pods/b" in server.got


def test_a_kind_that_is_not_served_is_refused_after_a_while(monkeypatch):
    """It may come with a CustomResourceDefinition of the same input."""
    monkeypatch.setattr(rest, "_PATIENCE", 0.0)
    with pytest.raises(Refused, match="the server has no kind Policy of x/v1"):
        Sender(Server()).send([one("Policy", "a", version="x/v1")])
