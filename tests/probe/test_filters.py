"""The socket filters keep probes and their answers, and no other packets."""

from __future__ import annotations

import socket
import struct
from ipaddress import ip_address

import pytest

from netlab.kernel import bpf
from netlab.probe import filters
from netlab.probe.templates import CONTROL, Template, WireAddress

FIRST = 0xFFFFFF00  # so that the ids of the run wrap around
PORTS = range(5000, 5004)
A, B = (WireAddress.of(ip_address(a)) for a in ("10.0.0.1", "10.0.0.2"))


def kept(program: bytes, packet: bytes) -> int:
    """Run a classic BPF program as Documentation/networking/filter.rst describes it; return how much it keeps."""
    steps = list(struct.iter_unpack("=HBBI", program))
    accumulator = index = place = 0
    for _ in range(len(steps)):
        code, yes, no, k = steps[place]
        place += 1
        if code == 0x06:
            return k  # type: ignore[no-any-return]
        if code == 0xB1:
            index = (packet[k] & 15) * 4
        elif code in (0x40, 0x48, 0x50):
            size = {0x40: 4, 0x48: 2, 0x50: 1}[code]
            if index + k + size > len(packet):
                return 0
            accumulator = int.from_bytes(packet[index + k : index + k + size])
        elif code == 0x14:
            accumulator = (accumulator - k) % (1 << 32)
        elif code == 0x54:
            accumulator &= k
        else:
            taken = {0x15: accumulator == k, 0x35: accumulator >= k, 0x45: bool(accumulator & k)}[code]
            place += yes if taken else no
    raise AssertionError("the program does not end")


def probe(kind: str, ident: int, source_port: int = 50_000) -> bytes:
    return bytes(Template(kind, 4).pack(A, B, source_port, 80, ident % (1 << 32)))


def tcp(flags: str, ack: int = 0, seq: int = 0) -> bytes:
    from scapy.layers.inet import IP, TCP

    return bytes(IP(src=A.text, dst=B.text) / TCP(flags=flags, ack=ack % (1 << 32), seq=seq % (1 << 32)))


def udp(port: int, payload: bytes) -> bytes:
    from scapy.layers.inet import IP, UDP

    return bytes(IP(src=A.text, dst=B.text) / UDP(sport=53, dport=port) / payload)


def icmp(kind: int, quoted: str = "TCP", source_port: int = 5000) -> bytes:
    from scapy.layers.inet import ICMP, IP

    return bytes(IP(src=A.text, dst=B.text) / ICMP(type=kind) / probe(quoted, 1, source_port))


CASES = [
    ("TCP", "a probe", lambda: probe("TCP", FIRST), True),
    ("TCP", "a probe after the wrap", lambda: probe("TCP", FIRST + 0x200), True),
    ("TCP", "the last probe", lambda: probe("TCP", FIRST + filters.WINDOW - 1), True),
    ("TCP", "a probe of another run", lambda: probe("TCP", FIRST + filters.WINDOW), False),
    ("TCP", "a probe before the first", lambda: probe("TCP", FIRST - 1), False),
    ("TCP", "SYN-ACK to a probe", lambda: tcp("SA", ack=FIRST + 1), True),
    ("TCP", "RST to a probe", lambda: tcp("RA", ack=FIRST + 0x100), True),
    ("TCP", "RST to the probe before the first", lambda: tcp("RA", ack=FIRST), False),
    ("TCP", "SYN-ACK to somebody else", lambda: tcp("SA", ack=77 + filters.WINDOW), False),
    ("TCP", "data with a probe's numbers", lambda: tcp("A", ack=FIRST + 1, seq=FIRST), False),
    ("TCP", "FIN", lambda: tcp("FA", ack=FIRST + 1), False),
    ("UDP", "a probe", lambda: probe("UDP", FIRST + 1), True),
    ("UDP", "the engine's reply", lambda: probe("UDP reply", FIRST + 1), True),
    ("UDP", "a probe of another run", lambda: probe("UDP", FIRST + filters.WINDOW), False),
    ("UDP", "a short reply to a source port", lambda: udp(5003, b""), True),
    ("UDP", "a datagram to the next port", lambda: udp(5004, b"not a probe at all"), False),
    ("UDP", "a datagram to the port before", lambda: udp(4999, b"not a probe at all"), False),
    ("UDP", "a short datagram", lambda: udp(53, b"?"), False),
    ("ICMP", "a probe", lambda: probe("ICMP", FIRST), True),
    ("ICMP", "somebody's ping", lambda: icmp(8), False),
    ("ICMP", "unreachable", lambda: icmp(3), True),
    ("ICMP", "time exceeded", lambda: icmp(11), True),
    ("ICMP", "unreachable UDP of the last port", lambda: icmp(3, "UDP", 5003), True),
    ("ICMP", "unreachable UDP of another run", lambda: icmp(3, "UDP", 5004), False),
    ("ICMP", "unreachable TCP of another run", lambda: icmp(3, "TCP", 4999), False),
    ("ICMP", "unreachable SCTP of another run", lambda: icmp(3, "SCTP", 5004), False),
    ("ICMP", "unreachable ping", lambda: icmp(3, "ICMP"), True),
    ("ICMP", "unreachable control", lambda: icmp(3, CONTROL), True),
    ("ICMP", "redirect", lambda: icmp(5), False),
    ("SCTP", "a probe", lambda: probe("SCTP", FIRST), True),
    ("SCTP", "ABORT to a probe", lambda: probe("SCTP reply", FIRST), True),
    ("SCTP", "ABORT to somebody else", lambda: probe("SCTP reply", FIRST - 1), False),
    (CONTROL, "a control", lambda: probe(CONTROL, FIRST), True),
    (CONTROL, "a control of another run", lambda: probe(CONTROL, FIRST - 1), False),
]


@pytest.mark.parametrize(
    ("protocol", "packet", "expected"),
    [(protocol, packet, expected) for protocol, _, packet, expected in CASES],
    ids=[f"{protocol}: {name}" for protocol, name, _, _ in CASES],
)
def test_a_filter_keeps_only_its_own_run(protocol, packet, expected):
    """Ids wrap around at 2**32; other packets of an endpoint are not kept."""
    program = filters.program(protocol, FIRST, PORTS)

    assert (filters.SNAPSHOT if expected else 0) == kept(program, packet())


def test_ip_options_move_everything_behind_them():
    """The filter finds the segment behind a longer header."""
    packet = probe("TCP", FIRST)
    longer = bytes([0x46]) + packet[1:20] + bytes(4) + packet[20:]

    assert filters.SNAPSHOT == kept(filters.program("TCP", FIRST, PORTS), longer)


@pytest.mark.parametrize("protocol", ["TCP", "UDP", "ICMP", "SCTP", CONTROL])
def test_the_kernel_takes_every_program(protocol):
    """Its checker accepts them: no jump leaves the program, and each ends."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        bpf.attach(sock, filters.program(protocol, FIRST, PORTS))
        # SO_GET_FILTER counts in instructions, so as many bytes come back as there are instructions.
        steps = len(sock.getsockopt(socket.SOL_SOCKET, 26, 1024))

    assert len(filters.program(protocol, FIRST, PORTS)) == 8 * steps
