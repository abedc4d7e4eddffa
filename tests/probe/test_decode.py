"""Reading received packets, which Scapy builds: what each says about a probe."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address

import pytest

from netlab.probe import decode as module
from netlab.probe.decode import Observation, decode
from netlab.probe.templates import CONTROL, Template, WireAddress

A, B = (WireAddress.of(ip_address(a)) for a in ("10.0.0.1", "10.0.0.2"))


def probe(kind: str) -> bytes:
    return bytes(Template(kind, 4).pack(A, B, 5000, 80, 0xFFFFFFFF))


def reply(layer) -> bytes:
    """A packet from B to A."""
    from scapy.layers.inet import IP

    return bytes(IP(src=B.text, dst=A.text) / layer)


def tcp(flags: str) -> bytes:
    from scapy.layers.inet import TCP

    return reply(TCP(sport=80, dport=5000, flags=flags, ack=0))


def udp(payload: bytes) -> bytes:
    from scapy.layers.inet import UDP

    return reply(UDP(sport=80, dport=5000) / payload)


def error(kind: int, code: int, quoted: bytes) -> bytes:
    from scapy.layers.inet import ICMP

    return reply(ICMP(type=kind, code=code) / quoted)


IDENT = 0xFFFFFFFF
CASES = [
    ("TCP", "probe", lambda: probe("TCP"), Observation("arrival", IDENT)),
    ("TCP", "SYN-ACK", lambda: tcp("SA"), Observation("answer", IDENT, B.packed, words="TCP SYN-ACK")),
    ("TCP", "RST", lambda: tcp("RA"), Observation("answer", IDENT, B.packed, words="TCP RST")),
    ("TCP", "data", lambda: tcp("A"), None),
    ("TCP", "cut short", lambda: tcp("SA")[:30], None),
    ("UDP", "probe", lambda: probe("UDP"), Observation("arrival", IDENT, A.packed, 5000, 80)),
    ("UDP", "engine's reply", lambda: probe("UDP reply"), Observation("answer", IDENT, A.packed, words="UDP reply")),
    ("UDP", "program's reply", lambda: udp(b"hello"), Observation("port", 0, B.packed, 80, 5000, "UDP reply")),
    ("UDP", "empty reply", lambda: udp(b""), Observation("port", 0, B.packed, 80, 5000, "UDP reply")),
    ("ICMP", "probe", lambda: probe("ICMP"), Observation("arrival", IDENT)),
    (
        "ICMP",
        "echo reply",
        lambda: probe("ICMP")[:20] + b"\0" + probe("ICMP")[21:],
        Observation("answer", IDENT, words="ICMP echo reply"),
    ),
    ("ICMP", "somebody's ping", lambda: error(8, 0, b"abcdefgh"), None),
    ("SCTP", "probe", lambda: probe("SCTP"), Observation("arrival", IDENT, A.packed, 5000, 80)),
    ("SCTP", "ABORT", lambda: probe("SCTP reply"), Observation("answer", IDENT, A.packed, words="SCTP ABORT")),
    (CONTROL, "control", lambda: probe(CONTROL), Observation("arrival", IDENT)),
    (CONTROL, "somebody's experiment", lambda: probe(CONTROL)[:20] + b"somebody", None),
]


@pytest.mark.parametrize(
    ("protocol", "packet", "expected"),
    [(protocol, packet, expected) for protocol, _, packet, expected in CASES],
    ids=[f"{protocol}: {name}" for protocol, name, _, _ in CASES],
)
def test_a_packet_is_read(protocol, packet, expected):
    """Arrivals by their id, answers by the id that they acknowledge, or by their ports alone."""
    assert expected == decode(protocol, packet())


@pytest.mark.parametrize("quoted", ["TCP", "UDP", "ICMP", "SCTP", CONTROL])
@pytest.mark.parametrize(
    ("kind", "code", "words"),
    [
        (3, 3, "ICMP port unreachable"),
        (3, 13, "ICMP administratively prohibited"),
        (3, 99, "ICMP unreachable, code 99"),
        (11, 0, "ICMP time exceeded"),
    ],
)
def test_an_icmp_error_names_the_probe_that_it_quotes(quoted, kind, code, words):
    """For every protocol the id in the quoted packet is found."""
    assert Observation("error", IDENT, B.packed, words=words) == decode("ICMP", error(kind, code, probe(quoted)))


def test_eight_quoted_bytes_suffice_for_tcp():
    """Routers need not quote more (RFC 792); a TCP probe's id is within them."""
    assert Observation("error", IDENT, B.packed, words="ICMP host unreachable") == decode(
        "ICMP", error(3, 1, probe("TCP")[:28])
    )


def test_an_error_about_another_packet_is_ignored():
    """It may be about other traffic in the lab."""
    assert decode("ICMP", error(3, 3, udp(b"somebody's datagram"))) is None


Read = Callable[[bytes, int, bytes], Observation | None]


def _answer(found: Observation | None) -> Observation | None:
    return found and found._replace(kind="answer")


def _arrival(found: Observation | None) -> Observation | None:
    return found and found._replace(kind="arrival")


# What a reader of packets gets wrong, or could: its protocol, what stands in for it, and the case that finds it.
FAULTS: dict[str, tuple[str, Callable[[Read], Read], str]] = {
    "every segment is an answer": (
        "TCP",
        lambda right: lambda packet, start, peer: right(packet, start, peer) or Observation("answer", IDENT),
        "data",
    ),
    "a reset is no answer": (
        "TCP",
        lambda right: lambda packet, start, peer: None if packet[start + 13] & 4 else right(packet, start, peer),
        "RST",
    ),
    "an answer is an arrival": ("TCP", lambda right: lambda *packet: _arrival(right(*packet)), "SYN-ACK"),
    "an arrival is an answer": ("SCTP", lambda right: lambda *packet: _answer(right(*packet)), "probe"),
    "a reply without a payload is nothing": (
        "UDP",
        lambda right: lambda packet, start, peer: right(packet, start, peer) if packet[start + 8 :] else None,
        "empty reply",
    ),
    "a reply is a probe": ("UDP", lambda right: lambda *packet: _arrival(right(*packet)), "engine's reply"),
    "every ping is a probe": (
        "ICMP",
        lambda right: (
            lambda packet, start, peer: (
                Observation("arrival", IDENT) if packet[start] == 8 else right(packet, start, peer)
            )
        ),
        "somebody's ping",
    ),
    "an abort is nothing": (
        "SCTP",
        lambda right: lambda packet, start, peer: None if packet[start + 12] == 6 else right(packet, start, peer),
        "ABORT",
    ),
    "every packet of the control's protocol is a control": (
        CONTROL,
        lambda right: lambda packet, start, peer: Observation("arrival", IDENT),
        "somebody's experiment",
    ),
}


@pytest.mark.parametrize(("protocol", "fault", "finds"), FAULTS.values(), ids=FAULTS)
def test_a_wrong_reader_is_found(
    monkeypatch: pytest.MonkeyPatch, protocol: str, fault: Callable[[Read], Read], finds: str
) -> None:
    """The packet that is named is read as something else."""
    cases = {name: (packet(), expected) for of, name, packet, expected in CASES if of == protocol}
    monkeypatch.setitem(module.DECODERS, protocol, fault(module.DECODERS[protocol]))

    assert finds in {name for name, (packet, expected) in cases.items() if decode(protocol, packet) != expected}
