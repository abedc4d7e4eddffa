"""A program in a pod forges frames by a raw socket: another pod receives only those with the pod's own addresses."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Mapping

import pytest
from builders import pod, topology

from netlab.kernel import netns

A4, B4, C4 = "10.244.0.2", "10.244.0.3", "10.244.0.4"
A6, B6, C6 = "fd00:10:244::2", "fd00:10:244::3", "fd00:10:244::4"
A, B, C = (f"0a:58:0a:f4:00:0{n}" for n in (2, 3, 4))
LINK_A, LINK_B, LINK_C = (f"fe80::858:aff:fef4:{n}" for n in (2, 3, 4))
_ETH_P_ALL, _PACKET_OUTGOING = 3, 4


def frames() -> Mapping[str, object]:
    """Frames that pod a sends to pod b, by what they are; those that may arrive begin with "own"."""
    from scapy.layers.inet import ICMP, IP, TCP, UDP
    from scapy.layers.inet6 import (
        ICMPv6EchoRequest,
        ICMPv6ND_NA,
        ICMPv6ND_NS,
        ICMPv6ND_RA,
        ICMPv6ND_Redirect,
        ICMPv6NDOptDstLLAddr,
        IPv6,
        IPv6ExtHdrHopByHop,
    )
    from scapy.layers.l2 import ARP, LLC, SNAP, Dot1AD, Dot1Q, Dot3, Ether

    ether, udp = Ether(src=A, dst=B), UDP(sport=9, dport=9)
    forged, group = Ether(src=C, dst=B), Ether(src=A, dst="33:33:00:00:00:01")
    everyone = Ether(src=A, dst="ff:ff:ff:ff:ff:ff")
    mine, link = IPv6(src=A6, dst=B6), IPv6(src=LINK_A, dst=LINK_B)
    neighbour = IPv6(src=A6, dst=B6, hlim=255)
    return {
        "own IPv4": ether / IP(src=A4, dst=B4) / udp,
        "own IPv6": ether / mine / udp,
        "own ARP": ether / ARP(op=2, hwsrc=A, psrc=A4, hwdst=B, pdst=B4),
        "own solicitation": ether / neighbour / ICMPv6ND_NS(tgt=B6),
        "own link-local solicitation": group / IPv6(src=LINK_A, dst="ff02::1", hlim=255) / ICMPv6ND_NS(tgt=B6),
        "own advertisement": ether / neighbour / ICMPv6ND_NA(tgt=A6),
        "own link-local advertisement": ether / IPv6(src=LINK_A, dst=B6, hlim=255) / ICMPv6ND_NA(tgt=LINK_A),
        "IPv4 of a neighbour": ether / IP(src=C4, dst=B4) / udp,
        "IPv4 of nobody": ether / IP(src="192.0.2.7", dst=B4) / ICMP(),
        "IPv4 of the gateway": ether / IP(src="10.244.0.1", dst=B4) / TCP(dport=80),
        "IPv6 of a neighbour": ether / IPv6(src=C6, dst=B6) / udp,
        "IPv6 of nobody": ether / IPv6(src="2001:db8::7", dst=B6) / ICMPv6EchoRequest(),
        "IPv6 of the gateway": ether / IPv6(src="fd00:10:244::1", dst=B6) / TCP(dport=80),
        "IPv6 from no address": ether / IPv6(src="::", dst=B6) / udp,
        "MAC of a neighbour, IPv4": forged / IP(src=A4, dst=B4) / udp,
        "MAC of a neighbour, IPv6": forged / mine / udp,
        "MAC and IPv6 of a neighbour": forged / IPv6(src=C6, dst=B6) / udp,
        "ARP about a neighbour": ether / ARP(op=2, hwsrc=A, psrc=C4, hwdst=B, pdst=B4),
        "ARP with another MAC inside": ether / ARP(op=2, hwsrc=C, psrc=A4, hwdst=B, pdst=B4),
        "ARP to everyone about the gateway": everyone / ARP(op=1, hwsrc=A, psrc="10.244.0.1", pdst="10.244.0.1"),
        "advertisement about a neighbour": (
            ether / neighbour / ICMPv6ND_NA(tgt=C6, O=1) / ICMPv6NDOptDstLLAddr(lladdr=A)
        ),
        "advertisement about a neighbour behind an extension header": (
            ether / IPv6(src=A6, dst=B6, hlim=255) / IPv6ExtHdrHopByHop() / ICMPv6ND_NA(tgt=C6)
        ),
        "advertisement about the gateway": (
            group / IPv6(src=LINK_A, dst="ff02::1", hlim=255) / ICMPv6ND_NA(tgt="fd00:10:244::1")
        ),
        "advertisement from a neighbour": ether / IPv6(src=C6, dst=B6, hlim=255) / ICMPv6ND_NA(tgt=C6),
        "advertisement from a neighbour's link-local": (
            ether / IPv6(src=LINK_C, dst=B6, hlim=255) / ICMPv6ND_NA(tgt=LINK_C)
        ),
        "router advertisement": group / IPv6(src=LINK_A, dst="ff02::1", hlim=255) / ICMPv6ND_RA(),
        "redirect": ether / neighbour / ICMPv6ND_Redirect(tgt=A6, dst=C6),
        "TCP between link-locals": ether / link / TCP(dport=80),
        "UDP between link-locals": ether / link / udp,
        "echo between link-locals": ether / link / ICMPv6EchoRequest(),
        "experimental protocol between link-locals": ether / IPv6(src=LINK_A, dst=LINK_B, nh=253) / b"12345678",
        "TCP to a link-local": ether / IPv6(src=A6, dst=LINK_B) / TCP(dport=80),
        "TCP from a link-local": ether / IPv6(src=LINK_A, dst=B6) / TCP(dport=80),
        "IPv6 to all nodes": group / IPv6(src=A6, dst="ff02::1") / udp,
        "IPv6 to all nodes, in a frame to one": ether / IPv6(src=A6, dst="ff02::1") / udp,
        "IPv4 to all nodes": everyone / IP(src=A4, dst="224.0.0.1") / udp,
        "IPv4 broadcast": everyone / IP(src=A4, dst="255.255.255.255") / udp,
        "IPv4 broadcast of the network, in a frame to one": ether / IP(src=A4, dst="10.244.255.255") / udp,
        "address of another pod, in a frame to one": ether / IPv6(src=A6, dst=C6) / udp,
        "IPv4 with a priority tag": ether / Dot1Q(vlan=0) / IP(src=A4, dst=B4) / UDP(sport=1),
        "IPv6 with a priority tag": ether / Dot1Q(vlan=0) / mine / UDP(sport=2),
        "IPv6 with a VLAN tag": ether / Dot1Q(vlan=5) / mine / UDP(sport=3),
        "IPv6 with two tags": ether / Dot1Q(vlan=0) / Dot1Q(vlan=0) / mine / UDP(sport=4),
        "IPv6 with a service tag": ether / Dot1AD(vlan=0) / mine / UDP(sport=5),
        "IPv4 in LLC and SNAP": Dot3(src=A, dst=B) / LLC() / SNAP(code=0x0800) / IP(src=A4, dst=B4) / udp,
        "EtherType of nobody": Ether(src=A, dst=B, type=0x88B5) / bytes(46),
    }


@pytest.fixture
def seen(lab: Callable[..., object]) -> set[str]:
    """The frames that the device of pod b receives."""
    cidrs = ("10.244.0.0/16", "fd00:10:244::/64")
    running = lab(topology(["node-1"], cidrs=cidrs), pod("x/a"), pod("x/b"), pod("x/c"))
    raw = socket.SOCK_RAW | socket.SOCK_NONBLOCK
    with netns.inside(running.namespace("x/a")):  # type: ignore[attr-defined]
        sender = socket.socket(socket.AF_PACKET, raw)
        sender.bind(("eth0", 0))
    with netns.inside(running.namespace("x/b")):  # type: ignore[attr-defined]
        receiver = socket.socket(socket.AF_PACKET, raw, socket.htons(_ETH_P_ALL))
        receiver.bind(("eth0", _ETH_P_ALL))
    with sender, receiver:
        made = {name: bytes(frame) for name, frame in frames().items()}  # type: ignore[call-overload]
        for frame in made.values():
            sender.send(frame)
        came = _all_of(receiver)
    return {name for name, frame in made.items() if any(_untagged(f) == _untagged(frame) for f in came)}


def _untagged(frame: bytes) -> bytes:
    """Return a frame without VLAN tags: a receiving socket has the first one beside the frame, not in it."""
    while frame[12:14] in (b"\x81\x00", b"\x88\xa8"):
        frame = frame[:12] + frame[16:]
    return frame


def _all_of(receiver: socket.socket) -> list[bytes]:
    """Return the received frames; a veth delivers them before or shortly after the sender's call returns."""
    time.sleep(0.1)
    frames = []  # type: ignore[var-annotated]
    while True:
        try:
            frame, address = receiver.recvfrom(2048)
        except BlockingIOError:
            return frames
        if address[2] != _PACKET_OUTGOING:
            frames.append(frame)


def test_only_frames_with_the_pods_own_addresses_arrive(seen: set[str]) -> None:
    """Frames with other addresses do not arrive: policies match addresses."""
    assert {name for name in frames() if name.startswith("own")} == seen


def test_no_connection_is_made_over_link_local_addresses(lab: Callable[..., object]) -> None:
    """Policies cover a pod's own addresses; link-local ones carry neighbour discovery only."""
    running = lab(topology(["node-1"], cidrs=("fd00:10:244::/64",)), pod("x/a"), pod("x/b"))
    link = next(
        word.partition("/")[0]
        for word in running.ip("x/b", "-6", "address", "show", "dev", "eth0").split()  # type: ignore[attr-defined]
        if word.startswith("fe80:")
    )
    with netns.inside(running.namespace("x/b")):  # type: ignore[attr-defined]
        server = socket.create_server(("::", 80), family=socket.AF_INET6)
    with netns.inside(running.namespace("x/a")):  # type: ignore[attr-defined]
        client = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
        scope = socket.if_nametoindex("eth0")
    with server, client:
        client.settimeout(0.3)
        with pytest.raises(TimeoutError):
            client.connect((link, 80, 0, scope))
