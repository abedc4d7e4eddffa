"""Overlay mode on the real kernel: VXLAN on the wire, one receiving node for each frame, an MTU that fits."""

from __future__ import annotations

import socket
import struct

import pytest
from builders import peer, pod, policy, rule, topology, workload
from iproute2 import columns

THREE = topology(["a", "b", "c"], mode="overlay", hosts={"client": ["192.0.2.10"]})
# linux/in.h; IP_PMTUDISC_DO: every packet has "do not fragment".
IP_MTU_DISCOVER, DF = 10, 2


def test_between_nodes_the_underlay_sees_vxlan(lab, inside):
    """UDP 8472 from node to node with the network's VNI, and in it the frame with the pods' own addresses."""
    running = lab(THREE, pod("x/a", node="a"), pod("x/b", node="b"))
    with inside(running, "node:b"):
        capture = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
    with capture, inside(running, "x/a"), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        capture.bind(("underlay0", 0x0800))
        capture.settimeout(5)
        sender.sendto(b"through the tunnel", ("10.244.1.2", 53))
        frame = next(f for f in iter(lambda: capture.recv(2000), b"") if b"through the tunnel" in f)

    outer, udp, vxlan, inner = frame[14:34], frame[34:42], frame[42:50], frame[50:]
    assert ("100.64.0.1", "100.64.0.2") == (socket.inet_ntoa(outer[12:16]), socket.inet_ntoa(outer[16:20]))
    assert 8472 == struct.unpack(">HH", udp[:4])[1]
    assert (0x08, 1) == (vxlan[0], int.from_bytes(vxlan[4:7]))
    assert ("10.244.0.2", "10.244.1.2") == (socket.inet_ntoa(inner[26:30]), socket.inet_ntoa(inner[30:34]))


def test_every_remote_node_is_known_in_advance(lab, facts):
    """A permanent neighbour, a forwarding entry and an on-link route for each, as flannel has them; nothing learned."""
    running = lab(THREE, pod("x/a", node="a"))

    (link,) = facts(running, "node:a", "-d", "link", "show", "vxlan.1")
    forwarding = facts(running, "node:a", "fdb", "show", "dev", "vxlan.1", program="bridge")
    neighbours = facts(running, "node:a", "neigh", "show", "dev", "vxlan.1")
    routes = facts(running, "node:a", "route", "show", "dev", "vxlan.1")

    wanted = {"id": 1, "local": "100.64.0.1", "link": "underlay0", "port": 8472, "learning": False}
    assert wanted == {key: link["linkinfo"]["info_data"][key] for key in wanted}
    assert [
        ("0a:58:0a:f4:01:00", "100.64.0.2", ["self"], "permanent"),
        ("0a:58:0a:f4:02:00", "100.64.0.3", ["self"], "permanent"),
    ] == columns(forwarding, "mac", "dst", "flags", "state")
    assert [
        ("10.244.1.0", "0a:58:0a:f4:01:00", ["PERMANENT"]),
        ("10.244.2.0", "0a:58:0a:f4:02:00", ["PERMANENT"]),
    ] == columns(neighbours, "dst", "lladdr", "state")
    assert [
        ("10.244.1.0/24", "10.244.1.0", "static", ["onlink"]),
        ("10.244.2.0/24", "10.244.2.0", "static", ["onlink"]),
    ] == columns(routes, "dst", "gateway", "protocol", "flags")


def test_a_pod_gets_the_path_mtu(lab, inside, command, facts):
    """A full-size packet with DF from a pod that ignores its MTU brings back "fragmentation needed" with 1450."""
    running = lab(THREE, pod("x/a", node="a"), pod("x/b", node="b"))
    links = facts(running, "node:a", "link", "show", "type", "veth")
    (port,) = [link["ifname"] for link in links if link["ifname"].startswith("veth")]
    command(running, "node:a", "ip", "link", "set", port, "mtu", "1500")
    command(running, "x/a", "ip", "link", "set", "eth0", "mtu", "1500")
    with inside(running, "x/a"):
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        errors = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    with sender, errors:
        errors.settimeout(5)
        sender.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, DF)
        sender.sendto(bytes(1472), ("10.244.1.2", 53))
        answer = errors.recv(600)

    kind, code, mtu = struct.unpack(">BB4xH", answer[20:28])
    assert (3, 4, 1450) == (kind, code, mtu)


def test_a_large_transfer_arrives_whole(lab, inside):
    """Segments are cut to what fits through the tunnel."""
    running = lab(THREE, pod("x/a", node="a"), pod("x/b", node="b"))
    payload = bytes(range(256)) * 4096
    with inside(running, "x/b"):
        listener = socket.create_server(("", 80))
    with inside(running, "x/a"):
        caller = socket.socket()
    received = bytearray()
    with listener, caller:
        caller.settimeout(5)
        caller.connect(("10.244.1.2", 80))
        accepted, _ = listener.accept()
        with accepted:
            accepted.settimeout(5)
            for start in range(0, len(payload), 1 << 15):
                caller.sendall(payload[start : start + (1 << 15)])
                while len(received) < min(start + (1 << 15), len(payload)):
                    received += accepted.recv(1 << 16)

    assert payload == bytes(received)


@pytest.mark.parametrize(
    ("client", "address", "server", "seen"),
    [
        ("x/a", "10.244.1.2", "x/b", "10.244.0.2"),
        ("x/a", "192.0.2.10", "host:client", "100.64.0.1"),
        ("x/a", "100.64.0.2", "node:b", "100.64.0.1"),
        ("x/a", "100.64.0.1", "node:a", "10.244.0.2"),
    ],
    ids=["pod on another node", "outside host", "other node", "own node"],
)
def test_the_address_that_the_other_side_sees(lab, connection, client, address, server, seen):
    """Pods see one another's addresses; packets that leave the pod network have their node's."""
    running = lab(THREE, pod("x/a", node="a"), pod("x/b", node="b"))

    assert seen == connection(running, client, address, 80, server, 80)[0]


def test_packets_and_evaluator_agree_over_three_nodes(lab, disagreements):
    """With ingress, egress, ipBlocks and named ports, for every pair, nodes included."""
    running = lab(
        THREE,
        workload("Deployment", "shop/web", 3, "app=web", ports=["http=80", "metrics=9090/UDP"]),
        workload("Deployment", "shop/db", 3, "app=db", ports=["sql=5432"]),
        policy("shop/db", "app=db", ingress=[rule(peer("app=web"), ports=["sql"])]),
        policy(
            "shop/web",
            "app=web",
            ingress=[rule(peer(cidr="10.244.0.0/16", but=["10.244.1.0/24"]), ports=["http"])],
            egress=[rule(peer("app=db")), rule(peer(cidr="10.244.2.0/23"), peer(cidr="192.0.2.0/24"), ports=["http"])],
        ),
    )

    assert [] == disagreements(running, nodes=True)


def test_a_pod_sends_only_from_its_own_address(lab, inside):
    """A datagram with a neighbour's source address never arrives; one with the pod's own does."""
    running = lab(THREE, pod("x/a", node="a"), pod("x/b", node="b"))
    with inside(running, "x/b"):
        capture = socket.socket(socket.AF_INET, socket.SOCK_RAW, 253)
    with inside(running, "x/a"):
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    with capture, raw:
        capture.settimeout(5)
        for source in ("10.244.0.77", "10.244.2.2", "10.244.0.2"):
            header = struct.pack(">BBHHHBBH", 0x45, 0, 24, 0, 0, 64, 253, 0)
            packet = header + socket.inet_aton(source) + socket.inet_aton("10.244.1.2") + b"test"
            raw.sendto(packet, ("10.244.1.2", 0))
        first = capture.recv(100)

    assert "10.244.0.2" == socket.inet_ntoa(first[12:16])


@pytest.mark.parametrize("outer", ["100.64.0.1", "100.64.0.2"], ids=["own node", "other node"])
def test_a_pod_cannot_forge_packets_by_a_tunnel_of_its_own(lab, inside, outer):
    """A node does not accept VXLAN packets from a pod, with any outer source address."""
    running = lab(THREE, pod("x/a", node="a"), pod("x/near", node="a"), pod("x/b", node="b"))
    device = {"100.64.0.1": "0a580af40000", "100.64.0.2": "0a580af40100"}[outer]
    target = {"100.64.0.1": "x/near", "100.64.0.2": "x/b"}[outer]
    address = str(running.cluster.by_ref[target].addresses[0])
    with inside(running, target):
        capture = socket.socket(socket.AF_INET, socket.SOCK_RAW, 253)
    with inside(running, "x/a"):
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        own = socket.socket(socket.AF_INET, socket.SOCK_RAW, 253)
    with capture, sender, own:
        capture.settimeout(5)
        frame = bytes.fromhex(device) + bytes.fromhex("0a580af40200") + b"\x08\x00" + _packet("10.244.2.2", address)
        sender.sendto(b"\x08\0\0\0\0\0\x01\0" + frame, (outer, 8472))
        own.sendto(b"mine", (address, 0))
        first = capture.recv(100)

    assert b"mine" == first[20:]


def _packet(source: str, destination: str) -> bytes:
    """Return an IPv4 packet of protocol 253."""
    head = struct.pack(">BBHHHBBH", 0x45, 0, 26, 0, 0, 64, 253, 0)
    head += socket.inet_aton(source) + socket.inet_aton(destination)
    total = sum(struct.unpack(">10H", head))
    total = (total & 0xFFFF) + (total >> 16)
    return head[:10] + struct.pack(">H", 0xFFFF - total) + head[12:] + b"forged"
