"""Settings of ``spec.policy`` in both IP families: packets agree with the evaluator on every pair."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from typing import Any

import pytest

from netlab.cluster.flows import every_pair
from netlab.cluster.types import Endpoint
from netlab.conformance.shorthand import block, document, peer, policy, rule
from netlab.dataplane.names import endpoint_namespace
from netlab.kernel import netns
from netlab.lab.lab import Lab
from netlab.lab.temporary import temporary
from netlab.objects import Document, decode
from netlab.policy.evaluate import evaluate

PORTS = (("TCP", 80), ("UDP", 81), ("SCTP", 80), ("TCP", 30080), ("ICMP", None))
VALUES: list[dict[str, str]] = [
    {},
    {"enforcement": "none"},
    {"sctp": "drop"},
    {"icmp": "basic-always"},
    {"icmp": "basic-always", "established": "reevaluate"},
    {"deny": "reject", "rejectWith": "port-unreachable"},
    {"deny": "reject", "rejectWith": "tcp-reset"},
    {"ipBlockNodes": "ignore"},
    {"nodePorts": "exempt"},
    {"directions": "ingress-only"},
    {"multicast": "allow"},
]


def topology(settings: dict[str, str], mode: str) -> Document:
    """Return a dual-stack Topology of two nodes and an outside host with settings of ``spec.policy``."""
    spec: dict[str, Any] = {
        "networks": [{"name": "default", "mode": mode, "podCIDRs": ["10.244.0.0/16", "fd00:10:244::/56"]}],
        "nodes": [{"name": "n1"}, {"name": "n2"}],
        "hosts": [{"name": "out", "addresses": ["192.0.2.10", "2001:db8::10"]}],
        "policy": {"ownNode": "enforce", **settings},
    }
    return document("Topology", "dual-settings", spec)


def objects() -> Iterator[Document]:
    """Yield pods on both nodes, and policies with rules of every kind."""
    for name, node in (("a", "n1"), ("b", "n1"), ("c", "n2")):
        yield document("Pod", f"x/{name}", {"nodeName": node}, labels=f"pod={name}")
    yield document("Pod", "x/h", {"nodeName": "n2", "hostNetwork": True}, labels="pod=h")
    everywhere = [block("0.0.0.0/0"), block("::/0")]
    yield policy(
        "x/p",
        "pod=a",
        ingress=[rule("ingress", [peer("pod=b")]), rule("ingress", everywhere, ["80", "80/SCTP"])],
        egress=[rule("egress", everywhere, ["81/UDP"])],
    )
    yield policy("x/q", "pod=c", ingress=[], egress=[], types=["Ingress", "Egress"])


@pytest.fixture(scope="module", params=["overlay", "routed"])
def lab(request: pytest.FixtureRequest) -> Iterator[tuple[Lab, str]]:
    """A running lab; tests change its settings."""
    decoded, _ = decode([topology({}, request.param), *objects()])
    with temporary(decoded) as running:
        yield running, request.param


@pytest.mark.kernel
@pytest.mark.parametrize("settings", VALUES, ids=lambda s: " ".join(map(": ".join, s.items())) or "defaults")
def test_packets_agree_with_the_evaluator_in_both_families(lab: tuple[Lab, str], settings: dict[str, str]) -> None:
    """Nodes, host-network pods and outside hosts are asked too, and pods about themselves."""
    running, mode = lab
    running.apply([topology(settings, mode)])
    flows = list(every_pair(running.cluster, PORTS, nodes=True, self_pairs=True))
    measured = [(m.flow.source.ref, m.flow.target, m.flow[2:5], m.verdict) for m in running.probe(flows)]

    expected = [(f.source.ref, f.target, f[2:5], evaluate(running.cluster, f).verdict) for f in flows]
    assert [] == [(one, other) for one, other in zip(measured, expected, strict=True) if one != other]
    assert {(f, v) for f in (4, 6) for v in ("allow", "deny")} <= {(found[2][0], found[3]) for found in measured} | (
        {(4, "deny"), (6, "deny")} if settings.get("enforcement") else set()
    )


@pytest.mark.kernel
@pytest.mark.parametrize(("value", "heard"), [("judge", False), ("allow", True)])
def test_ipv6_multicast_passes_a_bridge_only_if_it_is_allowed(value: str, heard: bool) -> None:
    """Also between pods that policies isolate; to a group of the site."""
    decoded, _ = decode([topology({"multicast": value}, "overlay"), *objects()])
    with temporary(decoded) as running:
        ends = [running.cluster.by_ref[ref] for ref in ("x/a", "x/b")]
        (sender, out), (listener, into) = (_socket(running, end) for end in ends)
        with sender, listener:
            sender.bind((str(ends[0].addresses[1]), 0))
            sender.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, out)
            listener.bind(("::", 5000))
            group = socket.inet_pton(socket.AF_INET6, "ff05::1234")
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, group + struct.pack("=I", into))
            listener.settimeout(0.3)
            assert heard == _hears(sender, listener)


def _socket(lab: Lab, end: Endpoint) -> tuple[socket.socket, int]:
    """Return a UDP socket of an endpoint, and the number of the endpoint's link."""
    with netns.inside(endpoint_namespace(lab.name, end)):
        return socket.socket(socket.AF_INET6, socket.SOCK_DGRAM), socket.if_nametoindex("eth0")


def _hears(sender: socket.socket, listener: socket.socket) -> bool:
    for _ in range(3):
        sender.sendto(b"to the group", ("ff05::1234", 5000))
        try:
            return listener.recv(100) == b"to the group"
        except TimeoutError:
            continue
    return False
