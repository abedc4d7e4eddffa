"""Routed mode on the real kernel: a route for each pod, no bridge, no tunnel, no NAT."""

from __future__ import annotations

import socket
import struct

import pytest
from builders import peer, pod, policy, rule, topology, workload
from iproute2 import addresses, columns

THREE = topology(["a", "b", "c"], mode="routed", hosts={"client": ["192.0.2.10"]})


def test_a_pod_knows_its_gateway_only(lab, facts):
    """A /32, a default route through an address that no machine has, and a permanent neighbour for it."""
    running = lab(THREE, pod("x/a", node="a"), pod("x/b", node="a"))

    own = addresses(facts(running, "x/a", "-4", "address", "show", "dev", "eth0"))
    routes = facts(running, "x/a", "route")
    (neighbour,) = facts(running, "x/a", "neigh")
    bridges = facts(running, "node:a", "link", "show", "type", "bridge")

    assert ["10.244.0.2/32"] == own
    assert [("default", "169.254.1.1", "eth0", "static", ["onlink"])] == columns(
        routes, "dst", "gateway", "dev", "protocol", "flags"
    )
    assert ("169.254.1.1", "eth0") == (neighbour["dst"], neighbour["dev"])
    assert neighbour["lladdr"].startswith("0a:59:")
    assert [] == bridges


def test_nodes_and_outside_hosts_route_plainly(lab, facts):
    """One route per pod on its node, one per node everywhere else, over the underlay."""
    running = lab(THREE, pod("x/a", node="a"))

    (own,) = facts(running, "node:a", "route", "get", "10.244.0.2")
    others = facts(running, "node:a", "route", "show", "dev", "underlay0", "proto", "static")
    outside = facts(running, "host:client", "route", "get", "10.244.1.9")

    assert "100.64.0.1" == own["prefsrc"]
    assert {("10.244.1.0/24", "100.64.0.2"), ("10.244.2.0/24", "100.64.0.3")} <= set(columns(others, "dst", "gateway"))
    assert [("10.244.1.9", "100.64.0.2", "underlay0")] == columns(outside, "dst", "gateway", "dev")


@pytest.mark.parametrize(
    ("client", "address", "server", "seen"),
    [
        ("x/a", "10.244.0.3", "x/near", "10.244.0.2"),
        ("x/a", "10.244.1.2", "x/b", "10.244.0.2"),
        ("x/a", "192.0.2.10", "host:client", "10.244.0.2"),
        ("host:client", "10.244.0.2", "x/a", "192.0.2.10"),
        ("x/a", "100.64.0.2", "node:b", "10.244.0.2"),
        ("node:a", "10.244.0.2", "x/a", "100.64.0.1"),
        ("node:b", "10.244.0.2", "x/a", "100.64.0.2"),
    ],
    ids=[
        "pod on the same node",
        "pod on another node",
        "outside host",
        "from outside",
        "other node",
        "from own node",
        "from other node",
    ],
)
def test_the_server_sees_the_clients_own_address(lab, connection, client, address, server, seen):
    """No address is translated in either direction."""
    running = lab(THREE, pod("x/a", node="a"), pod("x/near", node="a"), pod("x/b", node="b"))

    assert seen == connection(running, client, address, 80, server, 80)[0]


def test_packets_and_evaluator_agree_over_three_nodes(lab, disagreements):
    """With ingress, egress, ipBlocks (of outside hosts too) and named ports, for every pair, nodes included."""
    running = lab(
        THREE,
        workload("Deployment", "shop/web", 3, "app=web", ports=["http=80", "metrics=9090/UDP"]),
        workload("Deployment", "shop/db", 3, "app=db", ports=["sql=5432"]),
        policy("shop/db", "app=db", ingress=[rule(peer("app=web"), ports=["sql"])]),
        policy(
            "shop/web",
            "app=web",
            ingress=[rule(peer(cidr="192.0.2.0/24"), peer(cidr="100.64.0.2/32"), ports=["http"])],
            egress=[rule(peer("app=db")), rule(peer(cidr="10.244.2.0/23"), peer(cidr="192.0.2.0/24"), ports=["http"])],
        ),
    )

    assert [] == disagreements(running, nodes=True)


@pytest.mark.parametrize("forged", ["address", "MAC"])
def test_a_pod_sends_only_from_its_own_addresses(lab, inside, forged):
    """A packet with another source address or MAC never arrives; one with the pod's own does."""
    running = lab(THREE, pod("x/a", node="a"), pod("x/b", node="b"))
    with inside(running, "x/b"):
        capture = socket.socket(socket.AF_INET, socket.SOCK_RAW, 253)
    with inside(running, "x/a"):
        wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        wire.bind(("eth0", 0x0800))
        gateway = _gateway_mac()
    own_mac, own_address = bytes.fromhex("0a580af40002"), "10.244.0.2"
    with capture, wire:
        capture.settimeout(5)
        for mac, address, word in (
            (own_mac, "10.244.0.77", b"bad") if forged == "address" else (b"\x0aforge", own_address, b"bad"),
            (own_mac, own_address, b"own"),
        ):
            wire.send(gateway + mac + b"\x08\x00" + _packet(address, "10.244.1.2", word))
        first = capture.recv(100)

    assert b"own" == first[20:23]


def _gateway_mac() -> bytes:
    with open("/proc/thread-self/net/arp") as table:
        return bytes.fromhex(table.read().splitlines()[1].split()[3].replace(":", ""))


def _packet(source: str, destination: str, payload: bytes) -> bytes:
    """Return an IPv4 packet of protocol 253."""
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0, 64, 253, 0)
    head += socket.inet_aton(source) + socket.inet_aton(destination)
    total = sum(struct.unpack(">10H", head))
    total = (total & 0xFFFF) + (total >> 16)
    return head[:10] + struct.pack(">H", 0xFFFF - total) + head[12:] + payload
