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

    A request gives an object another version, and those of ``changed`` another generation. A controller writes to
    the objects of ``busy`` once, after they were read.
    """

    def __init__(self, refusals: dict[str, list[ApiError]] | None = None) -> None:
        self.refusals = refusals or {}
        self.got: list[str] = []
        self.bodies: list[dict[str, Any]] = []
        self.changed: list[str] = []
        self.busy: list[str] = []
        self.status: dict[str, int] = {}

    def get(self, path: str, **query: str) -> dict[str, Any]:
        if path in self.got:
            found = self._object(path, 1)
            if path in self.busy:
                self.busy.remove(path)
                self.status[path] = 1
            return found
        if path not in SERVED:
            raise ApiError(404, "NotFound", "the server could not find the requested resource")
        fields = ("kind", "name", "namespaced")
        return {"resources": [dict(zip(fields, one, strict=True)) for one in SERVED[path]]}

    def apply(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        if self.refusals.get(path):
            raise self.refusals[path].pop(0)
        version = self._object(path, 1)["metadata"]["resourceVersion"]
        if body["metadata"].get("resourceVersion", version) != version:
            raise ApiError(409, "Conflict", "the object has been modified")
        self.got.append(path)
        self.bodies.append(body)
        return self._object(path, 2 if path in self.changed else 1)

    def _object(self, path: str, generation: int) -> dict[str, Any]:
        status = self.status.get(path, 0)
        return {
            "metadata": {"resourceVersion": f"{self.got.count(path)}-{status}", "generation": generation},
            "status": {"replicas": status},
        }


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


def test_what_a_controller_writes_meanwhile_is_no_change():
    """The verb is about what the input changed. The object is read again where a controller was in between."""
    path = "/api/v1/namespaces/default/pods/a"
    server = Server()
    sender = Sender(server, compare=True)
    sender.send([one("Pod", "a")])
    server.busy = [path]

    assert [("pod/a", "unchanged")] == sender.send([one("Pod", "a")])
    assert {path: 1} == server.status


def test_what_another_server_wrote_into_an_object_is_not_sent():
    """As `kubectl get -o yaml` prints it: a server refuses a uid and a version that it did not give."""
    server = Server()
    printed = one("Pod", "a")
    printed["metadata"] |= {"uid": "2041beeb", "resourceVersion": "7", "generation": 3, "labels": {"app": "web"}}
    printed["metadata"] |= {"creationTimestamp": "2026-01-01T00:00:00Z", "managedFields": [], "selfLink": "/a"}
    Sender(server).send([printed | {"status": {"phase": "Running"}}])

    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "labels": {"app": "web"}}}
    assert [body] == server.bodies
    assert "uid" in printed["metadata"]


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


def test_only_the_first_object_waits_for_a_kind_that_is_not_served(monkeypatch):
    """Fifty objects of one kind would wait fifty times as long."""
    clock = Clock()
    monkeypatch.setattr(rest, "time", clock)
    monkeypatch.setattr(rest, "_PAUSE", 1.0)
    with pytest.raises(Refused) as caught:
        Sender(Server()).send([one("Policy", name, version="x/v1") for name in "abc"])

    assert 3 == len(str(caught.value).splitlines())
    assert rest._PATIENCE <= clock.now < 2 * rest._PATIENCE


class Clock:
    """A time that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
