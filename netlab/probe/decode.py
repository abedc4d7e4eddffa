"""Reads received packets: what each says about a probe.

Packets come from raw sockets, cut after ``filters.SNAPSHOT`` bytes, with an IPv4 header and without an IPv6 header.
In all functions ``start`` is the offset behind the IP header, and ``peer`` the packed address of the sender.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from typing import Literal

from netlab.frozen import NamedTuple
from netlab.probe.templates import CONTROL, MAGIC, NUMBERS, REPLY_MAGIC

# "arrival": a probe or control reached the socket that read it. "answer": the destination's answer to a probe.
# "port": an answer that has no id, only the ports. "error": an ICMP error that quotes a probe.
Kind = Literal["arrival", "answer", "port", "error"]


class Observation(NamedTuple):
    """One packet: the probe's id, the sender's address and port, the local port, and words for a report."""

    kind: Kind
    ident: int
    peer: bytes = b""
    peer_port: int = 0
    port: int = 0
    words: str = ""


# Makes the observations that nearly all packets of a matrix are, in less than half the time of ``Observation``.
_new = tuple.__new__
_PORTS = struct.Struct(">HH")
_U32 = struct.Struct(">I")
_TWO_U32 = struct.Struct(">II")
_MASK = 0xFFFFFFFF
_SYN, _RST, _SYN_ACK, _FLAGS = 0x02, 0x04, 0x12, 0x17

# ICMP types and codes: RFC 792, RFC 1122 3.2.2.1, RFC 1812 5.2.7.1.
_UNREACHABLE = {
    0: "network unreachable",
    1: "host unreachable",
    2: "protocol unreachable",
    3: "port unreachable",
    9: "network prohibited",
    10: "host prohibited",
    13: "administratively prohibited",
}
# RFC 4443 3.1.
_UNREACHABLE6 = {
    0: "no route to destination",
    1: "administratively prohibited",
    2: "beyond scope of source address",
    3: "address unreachable",
    4: "port unreachable",
    5: "source address failed policy",
    6: "reject route to destination",
}
PORT_UNREACHABLE = ("ICMP port unreachable", "ICMPv6 port unreachable")
# Where TCP and SCTP have the id; the others have it in the payload.
_IDENT_OFFSETS = {NUMBERS["TCP"]: 4, NUMBERS["SCTP"]: 16}
_OTHER_ERRORS = {11: "time exceeded", 12: "parameter problem"}
_OTHER_ERRORS6 = {3: "time exceeded", 4: "parameter problem"}


def tcp(packet: bytes, start: int, peer: bytes) -> Observation | None:
    """Read a segment: a SYN is a probe, a SYN-ACK or RST an answer."""
    flags = packet[start + 13] & _FLAGS
    sequence, acknowledgement = _TWO_U32.unpack_from(packet, start + 4)
    if flags == _SYN:
        return _new(Observation, ("arrival", sequence, b"", 0, 0, ""))
    ident = (acknowledgement - 1) & _MASK
    if flags == _SYN_ACK:
        return Observation("answer", ident, peer, words="TCP SYN-ACK")
    if flags & _RST:
        return Observation("answer", ident, peer, words="TCP RST")
    return None


def udp(packet: bytes, start: int, peer: bytes) -> Observation | None:
    """Read a datagram: by its payload a probe or netlab's own reply, otherwise an answer known by its ports."""
    peer_port, port = _PORTS.unpack_from(packet, start)
    if len(packet) >= start + 16:
        magic, ident = _TWO_U32.unpack_from(packet, start + 8)
        if magic == MAGIC:
            return Observation("arrival", ident, peer, peer_port, port)
        if magic == REPLY_MAGIC:
            return Observation("answer", ident, peer, words="UDP reply")
    return Observation("port", 0, peer, peer_port, port, "UDP reply")


def icmp(packet: bytes, start: int, peer: bytes) -> Observation | None:
    """Read an echo request (a probe), an echo reply (an answer), or an error by the packet that it quotes."""
    kind, code = packet[start], packet[start + 1]
    if kind in (0, 8):
        magic, ident = _TWO_U32.unpack_from(packet, start + 8)
        if magic != MAGIC:
            return None
        return Observation("arrival", ident) if kind == 8 else Observation("answer", ident, words="ICMP echo reply")
    header = start + 8
    quoted = _quoted_ident(packet, packet[header + 9], header + (packet[header] & 15) * 4)
    if quoted is None:
        return None
    what = _UNREACHABLE.get(code, f"unreachable, code {code}") if kind == 3 else _OTHER_ERRORS.get(kind, str(kind))
    return Observation("error", quoted, peer, words=f"ICMP {what}")


def icmp6(packet: bytes, start: int, peer: bytes) -> Observation | None:
    """Read the same of ICMPv6 (RFC 4443)."""
    kind, code = packet[start], packet[start + 1]
    if kind in (128, 129):
        magic, ident = _TWO_U32.unpack_from(packet, start + 8)
        if magic != MAGIC:
            return None
        return Observation("arrival", ident) if kind == 128 else Observation("answer", ident, words="ICMPv6 echo reply")
    header = start + 8
    quoted = _quoted_ident(packet, packet[header + 6], header + 40)
    if quoted is None:
        return None
    what = _UNREACHABLE6.get(code, f"unreachable, code {code}") if kind == 1 else _OTHER_ERRORS6.get(kind, str(kind))
    return Observation("error", quoted, peer, words=f"ICMPv6 {what}")


def sctp(packet: bytes, start: int, peer: bytes) -> Observation | None:
    """Read a packet by its first chunk: an INIT is a probe, an INIT-ACK or ABORT an answer."""
    chunk = packet[start + 12]
    if chunk == 1:
        peer_port, port = _PORTS.unpack_from(packet, start)
        return Observation("arrival", _U32.unpack_from(packet, start + 16)[0], peer, peer_port, port)
    if chunk in (2, 6):
        words = "SCTP INIT-ACK" if chunk == 2 else "SCTP ABORT"
        return Observation("answer", _U32.unpack_from(packet, start + 4)[0], peer, words=words)
    return None


def control(packet: bytes, start: int, peer: bytes) -> Observation | None:
    """Read a control packet."""
    magic, ident = _TWO_U32.unpack_from(packet, start)
    return _new(Observation, ("arrival", ident, b"", 0, 0, "")) if magic == MAGIC else None


Decoder = Callable[[bytes, int, bytes], Observation | None]

DECODERS: Mapping[str, Decoder] = {"TCP": tcp, "UDP": udp, "ICMP": icmp, "SCTP": sctp, CONTROL: control}
_DECODERS6: Mapping[str, Decoder] = {**DECODERS, "ICMP": icmp6}


def decode(protocol: str, packet: bytes) -> Observation | None:
    """Return what a packet of the protocol's raw IPv4 socket says; None where it is about no probe, or cut short."""
    try:
        return DECODERS[protocol](packet, (packet[0] & 15) * 4, packet[12:16])
    except (IndexError, struct.error):
        return None


def decode6(protocol: str, packet: bytes, peer: bytes) -> Observation | None:
    """Return what a packet of the protocol's raw IPv6 socket says; None where it is about no probe, or cut short."""
    try:
        return _DECODERS6[protocol](packet, 0, peer)
    except (IndexError, struct.error):
        return None


def _quoted_ident(packet: bytes, protocol: int, body: int) -> int | None:
    """Return the id of the probe that an ICMP error quotes; ``body`` is where the quoted IP header ends.

    Linux quotes up to 576 bytes (IPv6: 1,232); RFC 792 requires eight bytes only.
    """
    if protocol in _IDENT_OFFSETS:
        return int(_U32.unpack_from(packet, body + _IDENT_OFFSETS[protocol])[0])
    payload = body if protocol == NUMBERS[CONTROL] else body + 8
    magic, ident = _TWO_U32.unpack_from(packet, payload)
    return ident if magic == MAGIC else None


def written(packed: bytes) -> str:
    """Return an address as text."""
    return str(ip_address(packed))
