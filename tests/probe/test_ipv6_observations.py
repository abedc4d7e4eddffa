"""Packets of raw IPv6 sockets are filtered and read as those of IPv4 sockets."""

from __future__ import annotations

import fcntl
import socket
import struct
from collections.abc import Callable
from ipaddress import ip_address

import pytest

from netlab.kernel import bpf, netns
from netlab.kernel.raw_sockets import packed_ipv6
from netlab.probe import filters
from netlab.probe.decode import Observation, decode6
from netlab.probe.templates import CONTROL, Template, WireAddress, number

FIRST, IDENT = 0xFFFFFF00, 5  # the ids of the run wrap around
PORTS = range(5000, 5004)
HERE, PEER = (WireAddress.of(ip_address(a)) for a in ("::1", "fd00::2"))


def probe(kind: str, ident: int = IDENT) -> bytes:
    return bytes(Template(kind, 6).pack(HERE, HERE, 5000, 80, ident))


def reply(layer) -> bytes:
    from scapy.layers.inet6 import IPv6

    return bytes(IPv6(src=HERE.text, dst=HERE.text) / layer)


def tcp(flags: str, ack: int) -> bytes:
    from scapy.layers.inet import TCP

    return reply(TCP(sport=80, dport=5000, flags=flags, ack=ack))


def udp(port: int) -> bytes:
    from scapy.layers.inet import UDP

    return reply(UDP(sport=80, dport=port) / b"pong")


def icmp(kind: int, code: int, body: bytes) -> bytes:
    from scapy.layers.inet6 import ICMPv6Unknown

    # The second word of an error is its parameter (RFC 4443 2.1); of an echo it is the identifier and the sequence.
    return reply(ICMPv6Unknown(type=kind, code=code, msgbody=bytes(4) + body))


MINE, OTHERS = IDENT, 0x10000000
WORDS = "ICMPv6 port unreachable"
CASES = [
    ("TCP", probe("TCP"), Observation("arrival", MINE)),
    ("TCP", probe("TCP", OTHERS), None),
    ("TCP", tcp("SA", MINE + 1), Observation("answer", MINE, HERE.packed, words="TCP SYN-ACK")),
    ("TCP", tcp("RA", MINE + 1), Observation("answer", MINE, HERE.packed, words="TCP RST")),
    ("UDP", probe("UDP"), Observation("arrival", MINE, HERE.packed, 5000, 80)),
    ("UDP", udp(5000), Observation("port", 0, HERE.packed, 80, 5000, "UDP reply")),
    ("UDP", udp(4999), None),
    ("UDP", probe("UDP reply"), Observation("answer", MINE, HERE.packed, words="UDP reply")),
    ("ICMP", probe("ICMP"), Observation("arrival", MINE)),
    ("ICMP", probe("ICMP", OTHERS), None),
    ("ICMP", icmp(1, 4, probe("UDP")), Observation("error", MINE, HERE.packed, words=WORDS)),
    (
        "ICMP",
        icmp(1, 1, probe("TCP")),
        Observation("error", MINE, HERE.packed, words="ICMPv6 administratively prohibited"),
    ),
    ("ICMP", icmp(3, 0, probe("ICMP")), Observation("error", MINE, HERE.packed, words="ICMPv6 time exceeded")),
    ("ICMP", icmp(136, 0, probe("UDP")), None),
    ("SCTP", probe("SCTP"), Observation("arrival", MINE, HERE.packed, 5000, 80)),
    ("SCTP", probe("SCTP reply"), Observation("answer", MINE, HERE.packed, words="SCTP ABORT")),
    (CONTROL, probe(CONTROL), Observation("arrival", MINE)),
    (CONTROL, probe(CONTROL, OTHERS), None),
]


def test_a_filtered_socket_delivers_what_a_probe_is_about(spaces: Callable[..., list[str]]) -> None:
    """On the loopback: packets that the filter keeps are read, and no others."""
    (name,) = spaces("observed")
    with netns.inside(name):
        found = _delivered()

    assert [seen for _, _, seen in CASES] == found


def _delivered() -> list[Observation | None]:
    found = []
    for protocol, packet, _ in CASES:
        receiver = socket.socket(socket.AF_INET6, socket.SOCK_RAW | socket.SOCK_NONBLOCK, number(protocol, 6))
        sender = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW)
        with receiver, sender:
            _raise_loopback(sender)
            bpf.attach(receiver, filters.program(protocol, FIRST, PORTS, 6))
            sender.sendto(packet, ("::1", 0))
            found.append(_read(protocol, receiver))
    return found


def _read(protocol: str, receiver: socket.socket) -> Observation | None:
    try:
        packet, (peer, *_) = receiver.recvfrom(filters.SNAPSHOT)
    except BlockingIOError:
        return None
    return decode6(protocol, packet, packed_ipv6(peer))


def _raise_loopback(sender: socket.socket) -> None:
    up, set_flags = 0x1, 0x8914  # IFF_UP, SIOCSIFFLAGS
    fcntl.ioctl(sender, set_flags, struct.pack("16sH14x", b"lo", up))


def test_the_peer_is_the_address_without_its_scope() -> None:
    """The kernel names the interface of a link-local address; an address in a report does not."""
    packet = probe("UDP")[40:]
    seen = decode6("UDP", packet, packed_ipv6("fe80::1%eth0"))

    assert seen is not None
    assert ip_address("fe80::1").packed == seen.peer


@pytest.mark.parametrize("length", [0, 3, 9, 40])
def test_a_packet_cut_short_says_nothing(length: int) -> None:
    """No other number is taken for an id."""
    assert decode6("ICMP", icmp(1, 4, probe("UDP"))[40 : 40 + length], PEER.packed) is None
