"""Kubernetes' end-to-end tests of Services, with real packets.

Rows about connections: sessionAffinity, refusal, and connections that outlive a change.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import Any

import pytest
from services.bench import Bench
from services.objects import exported, pod, service
from services.upstream_rows import INSIDE, row

from netlab.conformance.shorthand import document
from netlab.kernel import netns

pytestmark = pytest.mark.kernel

Build = Callable[..., Bench]


@row(15)
@pytest.mark.parametrize("kind", ["ClusterIP", "NodePort"])
def test_with_session_affinity_a_client_keeps_its_endpoint(lab: Build, kind: str) -> None:
    """With ClientIP a client reaches one pod only, with None any pod."""
    pods = [pod(f"u/p{i}", "app=s", f"n{1 + i % 2}") for i in range(3)]
    b = lab(service("u/s", "app=s", type=kind, sessionAffinity="ClientIP"), *pods)
    b.serve(["u/p0", "u/p1", "u/p2"])
    frontend = (b.cluster_ip("u/s"), 80)
    if kind == "NodePort":
        frontend = (b.address("node:n1"), b.node_port("u/s"))

    assert 1 == len(b.endpoints("u/c1", *frontend, tries=20))
    b.apply(service("u/s", "app=s", type=kind))
    assert {"u/p0", "u/p1", "u/p2"} == b.endpoints("u/c1", *frontend, tries=60)
    b.apply(service("u/s", "app=s", type=kind, sessionAffinity="ClientIP"))
    assert 1 == len(b.endpoints("u/c1", *frontend, tries=20))


def test_clients_keep_their_endpoint_when_the_first_cluster_wide_policy_comes(lab: Build) -> None:
    """The rules differ then; the map with the clients' endpoints is kept."""
    pods = [pod(f"u/p{i}", "app=s") for i in range(8)]
    b = lab(service("u/s", "app=s", sessionAffinity="ClientIP"), *pods)
    b.serve([f"u/p{i}" for i in range(8)])
    frontend = (b.cluster_ip("u/s"), 80)
    first = b.endpoints("u/c1", *frontend, tries=2)
    rules = [{"action": "Deny", "from": [{"namespaces": {"matchLabels": {"team": "none"}}}]}]
    spec = {"tier": "Admin", "priority": 1, "subject": {"namespaces": {}}, "ingress": rules}
    b.apply(document("ClusterNetworkPolicy", "first", spec))

    assert 1 == len(first)
    assert first == b.endpoints("u/c1", *frontend, tries=3)


@row(16)
@pytest.mark.parametrize("kind", ["ClusterIP", "NodePort"])
def test_session_affinity_ends_after_its_timeout(lab: Build, kind: str) -> None:
    """A client that made no connection for the timeout may reach another pod."""
    timeout: dict[str, Any] = {
        "sessionAffinity": "ClientIP",
        "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 1}},
    }
    b = lab(
        service("u/s", "app=s", type=kind, **timeout), *(pod(f"u/p{i}", "app=s", f"n{1 + i % 2}") for i in range(3))
    )
    b.serve(["u/p0", "u/p1", "u/p2"])
    frontend = (b.cluster_ip("u/s"), 80)
    if kind == "NodePort":
        frontend = (b.address("node:n1"), b.node_port("u/s"))

    found: set[str] = set()
    for _ in range(8):
        began = time.monotonic()
        once = b.endpoints("u/c1", *frontend, tries=5)
        # On a busy machine the timeout may pass between two tries.
        assert 1 == len(once) or time.monotonic() - began > 1
        found |= once
        if len(found) > 1:
            break
        time.sleep(1.5)
    assert len(found) > 1


@row(17, 18)
@pytest.mark.parametrize("label", ["service.kubernetes.io/service-proxy-name=other", "service.kubernetes.io/headless="])
def test_kube_proxy_ignores_a_service_with_a_label(lab: Build, label: str) -> None:
    """The address answers only while the Service does not have the label."""
    b = lab(service("u/s", "app=s"), pod("u/p", "app=s"))
    b.serve(["u/p"])
    to = b.cluster_ip("u/s")

    assert "answered" == b.ask("u/c2", to).how
    b.apply(service("u/s", "app=s", labels=label))
    assert "answered" != b.ask("u/c2", to).how
    b.apply(service("u/s", "app=s"))
    assert "answered" == b.ask("u/c2", to).how


@row(19)
@pytest.mark.parametrize("family", [4, 6])
def test_a_service_without_endpoints_refuses(lab: Build, family: int) -> None:
    """Pods, nodes and outside hosts see it at once, at every frontend."""
    b = lab(service("u/s", "app=s", dual=True, type="LoadBalancer"), families=(4, 6))

    assert {"refused"} == {b.ask(c, b.cluster_ip("u/s", family)).how for c in INSIDE}
    everywhere = (*INSIDE, "host:out")
    assert {"refused"} == {b.ask(c, b.balancer("u/s", family)).how for c in everywhere}
    node, port = b.address("node:n1", family), b.node_port("u/s")
    assert {"refused"} == {b.ask(c, node, port).how for c in everywhere}


@row(38)
@pytest.mark.parametrize("kind", ["ClusterIP", "NodePort"])
def test_a_udp_client_with_a_fixed_port_follows_its_server(lab: Build, kind: str) -> None:
    """After the server's deletion, conntrack has no entry that leads to it."""
    b = lab(service("u/s", "app=s", ("80/UDP",), type=kind), pod("u/p1", "app=s"))
    b.serve(["u/p1"], 80, "UDP")
    frontend = (b.cluster_ip("u/s"), 80)
    if kind == "NodePort":
        frontend = (b.address("node:n1"), b.node_port("u/s", 80, "UDP"))
    assert "u/p1" == b.ask("u/c2", *frontend, "UDP", own=12345).endpoint

    b.apply(pod("u/p2", "app=s", "n2"))
    b.serve(["u/p2"], 80, "UDP")
    b.stop("u/p1")
    b.delete("Pod u/p1")
    assert "u/p2" == b.ask("u/c2", *frontend, "UDP", own=12345).endpoint


@row(39)
def test_a_udp_client_that_asked_too_early_is_answered_later(lab: Build) -> None:
    """A client that sends from the same source port is answered once the endpoint is ready."""
    b = lab(service("u/s", "app=s", ("80/UDP",)), exported("u/p", "app=s", ready=False))
    b.serve(["u/p"], 80, "UDP")
    assert "answered" != b.ask("u/c2", b.cluster_ip("u/s"), 80, "UDP", own=12345).how

    b.apply(exported("u/p", "app=s"))
    assert "u/p" == b.ask("u/c2", b.cluster_ip("u/s"), 80, "UDP", own=12345).endpoint


@row(40)
def test_packets_out_of_window_do_not_end_a_connection(lab: Build) -> None:
    """Conntrack does not translate them, as they are invalid. If they reached the client, it would send a reset."""
    b = lab(service("u/s", "app=s"), pod("u/p", "app=s"))
    with netns.inside(b.namespace("u/p")):
        server = socket.create_server(("", 80))
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    with netns.inside(b.namespace("u/c2")):
        client = socket.socket()
    with server, raw, client:
        client.settimeout(5)
        client.connect((b.cluster_ip("u/s"), 80))
        connection, _ = server.accept()
        with connection:
            _, port = client.getsockname()
            raw.sendto(_out_of_window(b.address("u/p"), b.address("u/c2"), port), (b.address("u/c2"), 0))
            time.sleep(0.1)
            client.sendall(b"still here")
            connection.settimeout(5)
            assert b"still here" == connection.recv(100)


def _out_of_window(source: str, to: str, port: int) -> bytes:
    from scapy.layers.inet import IP, TCP

    return bytes(IP(src=source, dst=to) / TCP(sport=80, dport=port, flags="A", seq=1, ack=1, window=10))
