"""What network modes can need of a distribution's kernel, proven by packets in namespaces of the test's own.

Few development kernels have all of it, so these tests run in the virtual machine of ``make test-vm``.
"""

from __future__ import annotations

import base64
import json
import secrets
import socket
from collections.abc import Callable
from pathlib import Path

import iproute2
import pytest
from pyroute2 import WireGuard
from vm import wires
from vm.wires import WIRE, ip, join, listening, raise_link, send, tc, watching

from netlab.kernel import netns

Spaces = Callable[..., list[str]]

IPIP, UDP = 4, 17


@pytest.fixture
def two(spaces: Spaces) -> list[str]:
    """Two namespaces, joined by a veth pair with the addresses 10.0.0.1 and 10.0.0.2."""
    made = spaces("one", "two")
    join(*made)
    return made


def test_an_ipip_tunnel_carries_packets_inside_of_packets(two: list[str]) -> None:
    """Calico's and kube-router's way between nodes: the outer packet is of IP protocol 4."""
    for here, there, namespace in ((1, 2, two[0]), (2, 1, two[1])):
        ip(namespace, f"link add tunnel type ipip local 10.0.0.{here} remote 10.0.0.{there}")
        raise_link(namespace, "tunnel", f"192.0.2.{here}/24")

    with listening(two[1], "192.0.2.2") as receiver, watching(two[1]) as witness:
        send(two[0], "192.0.2.2", b"inside")

        assert b"inside" == receiver.recv(100)
        assert b"inside" in wires.sees(witness, IPIP)


@pytest.mark.parametrize("mode", ["l2", "l3"])
def test_ipvlan_links_of_one_parent_share_its_mac_and_reach_one_another(spaces: Spaces, mode: str) -> None:
    """A parent in the node, a link of it in each pod."""
    node, *pods = spaces("node", "a", "b")
    ip(node, "link add parent type dummy")
    ip(node, "link set parent up")
    for number, pod in enumerate(pods, start=1):
        ip(node, f"link add pod{number} link parent type ipvlan mode {mode}")
        ip(node, f"link set pod{number} netns {pod} name eth0")
        raise_link(pod, "eth0", f"10.1.0.{number}/24")

    with listening(pods[1]) as receiver:
        send(pods[0], "10.1.0.2", b"neighbour")

        assert b"neighbour" == receiver.recv(100)
    links = [*iproute2.ip("link", "show", "parent", namespace=node)]
    links += [fact for pod in pods for fact in iproute2.ip("link", "show", "eth0", namespace=pod)]
    assert [links[0]["address"]] * 3 == [link["address"] for link in links]


def test_wireguard_carries_packets_that_nothing_between_can_read(two: list[str]) -> None:
    """Encryption between nodes: the wire carries UDP to the port that listens, and not the text."""
    keys = []
    for number, namespace in enumerate(two, start=1):
        ip(namespace, "link add guard type wireguard")
        with netns.inside(namespace), WireGuard() as guard:
            guard.set("guard", private_key=base64.b64encode(secrets.token_bytes(32)), listen_port=51820)
            (device,) = guard.info("guard")
            keys.append(device.get("WGDEVICE_A_PUBLIC_KEY"))
        raise_link(namespace, "guard", f"192.0.2.{number}/24")
    for namespace, key, number in ((two[0], keys[1], 2), (two[1], keys[0], 1)):
        peer = {
            "public_key": key,
            "endpoint_addr": f"10.0.0.{number}",
            "endpoint_port": 51820,
            "allowed_ips": [f"192.0.2.{number}/32"],
        }
        with netns.inside(namespace), WireGuard() as guard:
            guard.set("guard", peer=peer)

    with listening(two[1], "192.0.2.2") as receiver, watching(two[1]) as witness:
        send(two[0], "192.0.2.2", b"a secret of one")

        assert b"a secret of one" == receiver.recv(100)
        outer = wires.sees(witness, UDP)
        assert 51820 == int.from_bytes(outer[22:24], "big")
        witness.setblocking(False)
        packets = [outer]
        while True:
            try:
                packets.append(witness.recv(2048))
            except BlockingIOError:
                break
        assert not any(b"a secret of one" in packet for packet in packets)


def greet(sender: str, receiver: socket.socket) -> None:
    """Send a first packet: what looks for the neighbour is not delayed or lost afterwards, as it is known."""
    send(sender, "10.0.0.2", b"first")
    assert b"first" == receiver.recv(100)


def test_netem_delays_packets(two: list[str]) -> None:
    """A packet that is delayed arrives after one that was sent later, without a delay."""
    with listening(two[1]) as receiver:
        greet(two[0], receiver)
        tc(two[0], f"qdisc add dev {WIRE} root netem delay 10s")
        send(two[0], "10.0.0.2", b"delayed")
        tc(two[0], f"qdisc change dev {WIRE} root netem delay 0s")
        send(two[0], "10.0.0.2", b"not delayed")

        assert [b"not delayed", b"delayed"] == [receiver.recv(100), receiver.recv(100)]


def test_netem_loses_its_share_of_packets(two: list[str]) -> None:
    """Of 400 packets with a loss of 50 percent some arrive, some do not, and the kernel's count says how many."""
    with listening(two[1]) as receiver:
        greet(two[0], receiver)
        tc(two[0], f"qdisc add dev {WIRE} root netem loss 50%")
        for _ in range(400):
            send(two[0], "10.0.0.2", b"perhaps")
        (queue,) = json.loads(tc(two[0], f"-s -j qdisc show dev {WIRE} root"))
        tc(two[0], f"qdisc change dev {WIRE} root netem loss 0%")
        send(two[0], "10.0.0.2", b"last")
        arrived = list(iter(lambda: receiver.recv(100), b"last"))

    assert 0 < len(arrived) < 400
    # What asks for the neighbour again can be lost too.
    assert queue["drops"] >= 400 - len(arrived)


def test_sctp_carries_a_message(two: list[str]) -> None:
    """NetworkPolicy has ports of TCP, UDP and SCTP; the module comes with the first socket."""
    stream = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_SCTP)
    with wires.opened(two[1], *stream) as server, wires.opened(two[0], *stream) as client:
        server.bind(("10.0.0.2", wires.PORT))
        server.listen()
        client.connect(("10.0.0.2", wires.PORT))
        client.sendall(b"by SCTP")
        accepted, peer = server.accept()
        with accepted:
            accepted.settimeout(wires.SECONDS)

            assert (b"by SCTP", "10.0.0.1") == (accepted.recv(100), peer[0])


@pytest.mark.parametrize("switch", ["1", "0"])
def test_br_netfilter_shows_bridged_packets_to_the_inet_tables(spaces: Spaces, switch: str) -> None:
    """With the setting on, a packet between two ports of a bridge passes the forward hook; with it off, it does not."""
    node, *pods = spaces("node", "a", "b")
    ip(node, "link add bridge type bridge")
    ip(node, "link set bridge up")
    for number, pod in enumerate(pods, start=1):
        ip(node, f"link add pod{number} type veth peer name eth0 netns {pod}")
        ip(node, f"link set pod{number} master bridge up")
        raise_link(pod, "eth0", f"10.1.0.{number}/24")
    rules = "add table inet t; add counter inet t seen; add chain inet t c { type filter hook forward priority 0; };"
    with netns.inside(node):
        Path("/proc/sys/net/bridge/bridge-nf-call-iptables").write_text(switch)
        wires.run("nft", f"{rules} add rule inet t c udp dport {wires.PORT} counter name seen")

    with listening(pods[1]) as receiver:
        send(pods[0], "10.1.0.2", b"bridged")

        assert b"bridged" == receiver.recv(100)
    with netns.inside(node):
        listed = json.loads(wires.run("nft", "-j", "list", "counter", "inet", "t", "seen"))
    assert int(switch) == listed["nftables"][1]["counter"]["packets"]


@pytest.mark.parametrize(
    "words",
    [
        "geneve id 7 remote 10.0.0.2",
        "gre local 10.0.0.1 remote 10.0.0.2",
        "ip6tnl mode ip6ip6 local fd00::1 remote fd00::2",
        "netkit",
        "sit local 10.0.0.1 remote 10.0.0.2",
        "vrf table 7",
    ],
    ids=lambda words: words.split()[0],
)
def test_a_link_of_a_kind_can_be_made(spaces: Spaces, words: str) -> None:
    """What a later mode can ask for; the kernel reads it back as that kind."""
    (namespace,) = spaces("kinds")
    ip(namespace, f"link add made type {words}")
    (link,) = iproute2.ip("-d", "link", "show", "made", namespace=namespace)

    assert words.split()[0] == link["linkinfo"]["info_kind"]
