"""The bytes of capture files: pcap, and pcapng with the name of each interface.

https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-02.html and draft-ietf-opsawg-pcap. Both are written with
nanoseconds, and in little-endian order.

Rejected: Scapy's PcapNgWriter. It writes neither descriptions, filters, directions nor counts of drops, and a capture
that prints nothing would load Scapy.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

from netlab.frozen import frozen

# https://www.tcpdump.org/linktypes.html
ETHERNET, RAW = 1, 101

_PCAP_HEAD = struct.Struct("<IHHiIII")
_PCAP_PACKET = struct.Struct("<IIII")
_PCAP_MAGIC = 0xA1B23C4D
_SECOND = 1_000_000_000

_SECTION, _INTERFACE, _STATISTICS, _PACKET = 0x0A0D0D0A, 1, 5, 6
_BYTE_ORDER = 0x1A2B3C4D
_COMMENT, _APPLICATION = 1, 4
_NAME, _DESCRIPTION, _RESOLUTION, _FILTER = 2, 3, 9, 11
_FLAGS, _INBOUND, _OUTBOUND = 2, 1, 2
_DROPPED = 7
_NANOSECONDS = bytes([9])
_LONGEST_TEXT = 1000


@frozen
class CapturedPacket:
    """One packet that a capture received.

    ``ref`` is the endpoint whose namespace had it, ``interface`` the interface there. ``link`` is ETHERNET or RAW (it
    begins with an IP header). ``time`` is in nanoseconds since 1970. ``data`` may be cut; ``length`` is the length of
    the whole packet in bytes. ``outgoing``: the namespace sent it.
    """

    ref: str
    interface: str
    link: int
    time: int
    data: bytes
    length: int
    outgoing: bool


class CaptureFile(Protocol):
    """Makes the bytes of a file, part by part."""

    def head(self) -> bytes:
        """Return what the file begins with."""

    def packet(self, packet: CapturedPacket) -> bytes:
        """Return what stands for a packet; b"" for one that the format cannot hold."""

    def tail(self, drops: Iterable[tuple[str, int]]) -> bytes:
        """Return what the file ends with, by the packets that were dropped for each endpoint."""


class Pcap:
    """A pcap file: packets of one kind of link, without interfaces."""

    def __init__(self, length: int, link: int = ETHERNET) -> None:
        self._length, self._link = length, link

    def head(self) -> bytes:
        return _PCAP_HEAD.pack(_PCAP_MAGIC, 2, 4, 0, 0, self._length, self._link)

    def packet(self, packet: CapturedPacket) -> bytes:
        if packet.link != self._link:
            return b""
        seconds, rest = divmod(packet.time, _SECOND)
        return _PCAP_PACKET.pack(seconds, rest, len(packet.data), packet.length) + packet.data

    def tail(self, drops: Iterable[tuple[str, int]]) -> bytes:
        return b""


class PcapNg:
    """A pcapng file: one section with an interface for each ``REF:INTERFACE``.

    Args:
      length: bytes that a packet is cut to.
      known: the endpoints and interfaces that are described at the start; others are when their first packet comes.
      expression: the filter.
      about: what the file is of, such as the name of the lab.
      pods: the pod that an interface of a node leads to, by endpoint and interface.
    """

    def __init__(
        self,
        length: int,
        known: Iterable[tuple[str, str]],
        expression: str = "",
        about: str = "",
        pods: Mapping[tuple[str, str], str] | None = None,
    ) -> None:
        self._length, self._expression, self._about = length, expression, about
        self._pods = pods or {}
        self._known = list(known)
        self._ids: dict[tuple[str, str, int], int] = {}

    def head(self) -> bytes:
        options = _option(_APPLICATION, b"netlab") + (_option(_COMMENT, _text(self._about)) if self._about else b"")
        section = struct.pack("<IHHq", _BYTE_ORDER, 1, 0, -1) + options + _option(0, b"")
        interfaces = (self._interface(ref, name, ETHERNET)[1] for ref, name in self._known)
        return _block(_SECTION, section) + b"".join(interfaces)

    def packet(self, packet: CapturedPacket) -> bytes:
        number, described = self._interface(packet.ref, packet.interface, packet.link)
        high, low = divmod(packet.time, 1 << 32)
        head = struct.pack("<IIIII", number, high, low, len(packet.data), packet.length)
        flags = _option(_FLAGS, struct.pack("<I", _OUTBOUND if packet.outgoing else _INBOUND))
        return described + _block(_PACKET, head + _padded(packet.data) + flags + _option(0, b""))

    def tail(self, drops: Iterable[tuple[str, int]]) -> bytes:
        return b"".join(self._statistics(drops))

    def _statistics(self, drops: Iterable[tuple[str, int]]) -> Iterator[bytes]:
        """Yield a block for the first interface of each endpoint that lost packets: the kernel counts by endpoint."""
        for ref, dropped in drops:
            number = next((number for (of, *_), number in self._ids.items() if of == ref), None)
            if dropped and number is not None:
                said = _option(_COMMENT, _text(f"dropped on all interfaces of {ref}"))
                count = _option(_DROPPED, struct.pack("<Q", dropped))
                yield _block(_STATISTICS, struct.pack("<III", number, 0, 0) + said + count + _option(0, b""))

    def _interface(self, ref: str, name: str, link: int) -> tuple[int, bytes]:
        """Return an interface's number, and the block that describes it if the file has none yet."""
        known = self._ids.get((ref, name, link))
        if known is not None:
            return known, b""
        number = self._ids[ref, name, link] = len(self._ids)
        options = _option(_NAME, _text(f"{ref}:{name}"))
        described = f"{name} of {ref}" + (f" in {self._about}" if self._about else "")
        if pod := self._pods.get((ref, name)):
            described += f", the link of {pod}"
        options += _option(_DESCRIPTION, _text(described))
        options += _option(_RESOLUTION, _NANOSECONDS)
        if self._expression:
            options += _option(_FILTER, b"\0" + _text(self._expression))
        return number, _block(_INTERFACE, struct.pack("<HHI", link, 0, self._length) + options + _option(0, b""))


def _text(text: str) -> bytes:
    return text.encode(errors="replace")[:_LONGEST_TEXT]


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + _padded(value)


def _block(kind: int, body: bytes) -> bytes:
    length = len(body) + 12
    return struct.pack("<II", kind, length) + body + struct.pack("<I", length)
