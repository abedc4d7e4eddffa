"""Servers that answer wrong: in loops, in parts, or with what is none of an API server. The lab stays, and says it."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator, Mapping
from itertools import cycle
from pathlib import Path

import pytest
from mirror.mirrors import Begin, Running, node, one, pod, policy
from mirror.watched_server import WatchedServer
from sources.api_server import Answer, ok, status

from netlab.kernel import kube_streams
from netlab.mirror import inventory, mirror
from netlab.sources import cluster_api

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
POLICIES = "/apis/networking.k8s.io/v1/networkpolicies"
GONE = json.dumps({"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "too old"}}).encode()
BACKEND = {"service": {"name": "web", "port": {"number": 80}}}
TOPOLOGY = {"apiVersion": "netlab/v1alpha1", "kind": "Topology", "metadata": {"name": "of-a-stranger"}}


def listed(running: Running, path: str = POLICIES) -> int:
    return sum(at == path and "watch" not in query for _, at, query in running.server.requests)


def follow(running: Running, seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        running.mirror.step(0.05)


@contextlib.contextmanager
def refused(server: WatchedServer, folder: Path) -> Iterator[None]:
    """Let a server refuse the credentials, while the kubeconfig that is read again then is wrong."""
    kubeconfig = folder / "kubeconfig"
    right = kubeconfig.read_text()
    kubeconfig.write_text("nonsense: [")
    server.before = lambda path, query: status(401, "Unauthorized")
    yield
    kubeconfig.write_text(right)
    server.before = lambda path, query: None


@pytest.mark.parametrize("how", ["answer", "event"])
def test_a_watch_that_is_always_too_old_does_not_ask_without_a_pause(running: Running, how: str) -> None:
    """Each time the wait is longer, up to ten seconds."""
    running.until(lambda: any(at == POLICIES for at, _ in running.server.watches))
    if how == "answer":
        running.server.before = lambda path, query: (
            status(410, "gone") if "watch" in query and path == POLICIES else None
        )
        running.server.break_watches()
    before, began = listed(running), time.monotonic()
    while listed(running) < before + 3:
        if how == "event":
            running.server.say(GONE, POLICIES)
        follow(running, 0.05)

    # The waits before the second and the third.
    assert time.monotonic() - began >= 0.4 + 0.8


def test_a_list_that_alone_cannot_be_read_is_said(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was known stays. The line comes once, and so does the one when it can be read again."""
    monkeypatch.setattr(inventory, "POLL_SECONDS", 0.2)
    monkeypatch.setattr(inventory, "FORGIVING_SECONDS", 0.5)
    monkeypatch.setattr(cluster_api, "FIRST_WAIT", 0.01)
    running.until(lambda: any(at == POLICIES for at, _ in running.server.watches))
    running.server.before = lambda path, query: status(500, "broken") if path == POLICIES else None
    running.server.break_watches()
    running.until(lambda: running.said("networkpolicies.networking.k8s.io cannot be read (status 500)"))
    follow(running, 0.5)
    running.server.before = lambda path, query: None
    running.until(lambda: running.said("networkpolicies.networking.k8s.io can be read again"))

    assert 2 == len(running.lines), running.lines
    running.assert_mirrors()


@pytest.mark.parametrize(
    "value",
    [
        [],
        {"kind": "APIGroupDiscoveryList", "items": 5},
        {"kind": "APIVersions", "versions": 5},
        {"kind": "APIGroupList", "groups": 5},
        {"kind": "APIGroupList", "groups": [{"versions": 5}, {"preferredVersion": []}]},
        {"kind": [], "items": [{"versions": [{"version": [], "resources": [{"responseKind": {"kind": []}}]}]}]},
    ],
)
def test_kinds_that_are_missing_for_a_moment_stay(running: Running, value: object) -> None:
    """As those of a server that just started. The server that answers nonsense for them is no other."""
    running.until(lambda: any(at == POLICIES for at, _ in running.server.watches))
    running.server.before = lambda path, query: ok(value) if path in ("/api", "/apis") else None
    running.mirror._inventory._kinds_due = 0.0
    running.until(lambda: sum(path == "/api" for _, path, _ in running.server.requests) >= 2)
    running.server.put(policy("one"))
    running.until(lambda: "shop/one" in running.names())

    assert {"shop/a", "shop/b", "shop/deny", "shop/one"} == running.names()
    assert [] == running.lines


def test_kinds_that_stay_missing_are_gone(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the time in which a server may start."""
    monkeypatch.setattr(inventory, "POLL_SECONDS", 0.1)
    monkeypatch.setattr(inventory, "_LONGEST_WAIT", 0.1)
    monkeypatch.setattr(inventory, "FORGIVING_SECONDS", 0.5)
    running.server.kinds = [one for one in running.server.kinds if one.kind != "NetworkPolicy"]
    running.mirror._inventory._kinds_due = 0.0
    running.until(lambda: "shop/deny" not in running.names())

    assert {"shop/a", "shop/b"} == running.names()


def test_more_kinds_than_a_command_reads_end_nothing(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lab goes on with the kinds that were known."""
    from netlab.objects.bounds import Budget

    monkeypatch.setattr(inventory, "Budget", lambda: Budget(bytes=1 << 16))
    running.server.before = lambda path, query: ok({"x": "x" * (1 << 17)}) if path == "/apis" else None
    running.mirror._inventory._kinds_due = 0.0
    running.until(lambda: sum(path == "/apis" for _, path, _ in running.server.requests) >= 2)
    running.server.put(policy("one"))
    running.until(lambda: "shop/one" in running.names())


def test_a_kubeconfig_that_is_wrong_later_ends_nothing(
    server: WatchedServer, begin: Begin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is read again when the server refuses the credentials. When it is right again, the lab catches up."""
    monkeypatch.setattr(kube_streams, "_RENEWS", 0.0)
    monkeypatch.setattr(inventory, "POLL_SECONDS", 0.2)
    running = begin()
    running.until(lambda: any(at == POLICIES for at, _ in server.watches))
    with refused(server, tmp_path):
        running.mirror._inventory._kinds_due = 0.0
        running.until(lambda: sum(path == "/api" for _, path, _ in server.requests) >= 2)
    server.break_watches()
    server.put(policy("one"))
    running.until(lambda: "shop/one" in running.names())


def test_a_kubeconfig_that_is_wrong_when_a_secret_is_asked_for_ends_nothing(
    server: WatchedServer, begin: Begin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An Ingress came by a watch that goes on; its Secret is a request with credentials that are not accepted."""
    monkeypatch.setattr(kube_streams, "_RENEWS", 0.0)
    monkeypatch.setattr(mirror, "AGAIN_SECONDS", 0.1)
    running = begin()
    running.until(lambda: any(at.endswith("/ingresses") for at, _ in server.watches))
    with refused(server, tmp_path):
        spec = {"tls": [{"secretName": "tls"}], "defaultBackend": BACKEND}
        server.put(one("Ingress", "web", "shop", "networking.k8s.io/v1", spec=spec))
        running.until(lambda: running.said("a change is not in force"))
    running.until(lambda: any(one.meta.name == "web" for one in running.mirror.lab.cluster.ingresses))


@pytest.mark.parametrize("by", ["list", "watch"])
def test_an_item_has_the_kind_of_its_list(running: Running, by: str) -> None:
    """A Topology may name programs of this host, so no server may give one to netlab."""
    stranger = {**TOPOLOGY, "metadata": {"name": "of-a-stranger", "namespace": "shop"}, "spec": {"podSelector": {}}}
    # What the server says before a watch has begun is lost.
    running.until(lambda: any(at == POLICIES for at, _ in running.server.watches))
    if by == "watch":
        event = {"type": "ADDED", "object": {**stranger, "metadata": {**stranger["metadata"], "resourceVersion": "1"}}}  # type: ignore[dict-item]
        running.server.say(json.dumps(event).encode(), POLICIES)
    else:

        def listing(path: str, query: Mapping[str, list[str]]) -> Answer | None:
            metadata = {"resourceVersion": "999"}
            return (
                ok({"metadata": metadata, "items": [stranger]}) if path == POLICIES and "watch" not in query else None
            )

        running.server.before = listing
        running.server.put(pod("c", "10.244.1.6"))
        running.until(lambda: "shop/c" in running.names())
        running.server.say(GONE, POLICIES)
    running.until(lambda: "shop/of-a-stranger" in running.names())

    assert running.mirror.lab.objects.topology is None


def test_what_is_right_now_does_not_wait_for_what_is_still_refused(running: Running) -> None:
    """Two pods of two nodes that are not there: one node comes."""
    running.server.put(pod("x", "10.244.9.5", on=9), pod("y", "10.244.3.6", on=3))
    running.until(lambda: running.said("Pod shop/x") and running.said("Pod shop/y"))
    running.server.put(node(3))
    running.until(lambda: "shop/y" in running.names())

    assert running.said("in the lab now: Pod shop/y")
    assert 1 == sum("Pod shop/x" in line for line in running.lines)


NO_NAMES = ["a\nb", "\x1b[2J", "x" * 300_000, "", 5, None, [], {"a": 1}, "a/b", "..", "\ud800"]


# Each name with two kinds, and each kind with five names or six.
@pytest.mark.parametrize(
    ("kind", "name"), [*zip(cycle(["Pod", "Namespace", "Node", "Service"]), NO_NAMES * 2, strict=False)]
)
def test_a_name_that_is_none_leaves_its_object_out(running: Running, kind: str, name: object) -> None:
    """The rest of the change is in force."""
    running.server.put({"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": "shop"}, "spec": {}})
    running.server.put(policy("later"))
    running.until(lambda: "shop/later" in running.names())

    assert {"shop/a", "shop/b", "shop/deny", "shop/later"} == running.names()
    assert [] == running.mirror.lab.drift()


def test_every_request_is_a_get(running: Running) -> None:
    """Lists and watches, also after changes, breaks and refusals."""
    running.server.put(policy("one"))
    running.until(lambda: "shop/one" in running.names())
    running.server.before = lambda path, query: status(403, "no") if "watch" in query else None
    running.server.break_watches()
    follow(running, 0.5)

    assert {"GET"} == {method for method, _, _ in running.server.requests}


def test_nothing_of_a_secret_is_kept_but_a_certificate(running: Running) -> None:
    """Neither in the lab nor in memory: an Ingress may name any Secret of its namespace."""
    rules = [{"host": "a.example", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": BACKEND}]}}]
    tls = [{"hosts": ["a.example"], "secretName": name} for name in ("certificate", "password")]
    running.server.put(
        one(
            "Secret",
            "certificate",
            "shop",
            type="kubernetes.io/tls",
            data={"tls.crt": "Q0U=", "tls.key": "S0U=", "more": "c2VjcmV0"},
        ),
        one("Secret", "password", "shop", type="Opaque", data={"password": "c2VjcmV0"}),
        one("Ingress", "i", "shop", "networking.k8s.io/v1", spec={"tls": tls, "rules": rules}),
    )
    running.until(lambda: any(key.name == "password" for key in running.mirror._inventory._singles._known))
    running.until(lambda: any(found.kind == "Secret" for found in running.mirror.lab.documents))
    known = [found.document for found in running.mirror._inventory._singles._known.values()]

    assert 2 == len(known)
    assert "c2VjcmV0" not in str([found and found.data for found in known])
    assert "c2VjcmV0" not in str([found.data for found in running.mirror.lab.documents])
