"""rtnetlink requests packed by hand, only those that the floor needs; they share no code with netlab.

Numbers are those of linux/rtnetlink.h, if_link.h, if_addr.h and neighbour.h.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterable

_HEADER = struct.Struct("=IHHII")
_REQUEST, _ACK, _CREATE = 0x1, 0x4, 0x400
_NEWLINK, _NEWADDR, _NEWROUTE, _NEWNEIGH = 16, 20, 24, 28
_UP = 0x1
_BATCH = 32 * 1024


def attribute(kind: int, payload: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(payload), kind) + payload + bytes(-len(payload) % 4)


def number(value: int) -> bytes:
    return struct.pack("=I", value)


def _link(index: int, up: bool) -> bytes:
    return struct.pack("=BxHiII", 0, 0, index, _UP if up else 0, _UP)


def bridge(name: str, index: int, mac: bytes) -> tuple[int, bytes]:
    """Return the request for a bridge that is up, forwards at once and has no spanning tree."""
    options = attribute(1, number(0)) + attribute(5, number(0)) + attribute(23, b"\0")
    info = attribute(1, b"bridge\0") + attribute(2, options)
    return _NEWLINK, _link(index, True) + attribute(3, name.encode() + b"\0") + attribute(1, mac) + attribute(18, info)


def veth(
    name: str, index: int, mac: bytes, peer: str, peer_index: int, peer_mac: bytes, peer_fd: int, master: int = 0
) -> tuple[int, bytes]:
    """A veth pair: this end is up and, with a master, a port; the other is in the namespace behind ``peer_fd``."""
    one_queue = attribute(31, number(1)) + attribute(32, number(1))
    other = _link(peer_index, False) + attribute(3, peer.encode() + b"\0") + attribute(1, peer_mac) + one_queue
    info = attribute(1, b"veth\0") + attribute(2, attribute(1, other + attribute(28, number(peer_fd))))
    body = _link(index, True) + attribute(3, name.encode() + b"\0") + attribute(1, mac) + one_queue
    return _NEWLINK, body + (attribute(10, number(master)) if master else b"") + attribute(18, info)


def raised(index: int) -> tuple[int, bytes]:
    return _NEWLINK, _link(index, True)


def address(index: int, packed: bytes, length: int) -> tuple[int, bytes]:
    head = struct.pack("=BBBBI", socket.AF_INET, length, 0, 0, index)
    return _NEWADDR, head + attribute(2, packed) + attribute(1, packed)


def route(index: int, via: bytes, to: bytes = b"", length: int = 0, onlink: bool = False) -> tuple[int, bytes]:
    head = struct.pack("=8BI", socket.AF_INET, length, 0, 0, 254, 4, 0, 1, 4 if onlink else 0)
    target = attribute(1, to) if to else b""
    return _NEWROUTE, head + target + attribute(5, via) + attribute(4, number(index))


def neighbour(index: int, packed: bytes, mac: bytes) -> tuple[int, bytes]:
    head = struct.pack("=BxxxiHBB", socket.AF_INET, index, 0x80, 0, 0)
    return _NEWNEIGH, head + attribute(1, packed) + attribute(2, mac)


class Socket:
    """A netlink socket of the thread's current network namespace."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        self._socket.bind((0, 0))
        self._last = 0

    def send(self, requests: Iterable[tuple[int, bytes]]) -> None:
        """Send requests, many to a datagram; raises OSError for the first that the kernel refuses."""
        batch, size = [], 0
        for request in requests:
            batch.append(request)
            size += _HEADER.size + len(request[1])
            if size > _BATCH:
                self._exchange(batch)
                batch, size = [], 0
        if batch:
            self._exchange(batch)

    def _exchange(self, batch: list[tuple[int, bytes]]) -> None:
        data = bytearray()
        first = self._last + 1
        self._last += len(batch)
        for sequence, (kind, body) in enumerate(batch, first):
            flags = _REQUEST | _CREATE | (_ACK if sequence == self._last else 0)
            data += _HEADER.pack(_HEADER.size + len(body), kind, flags, sequence, 0) + body
        self._socket.send(data)
        while True:
            answer, offset = self._socket.recv(1 << 16), 0
            while offset < len(answer):
                size, _, _, sequence, _ = _HEADER.unpack_from(answer, offset)
                error = -struct.unpack_from("=i", answer, offset + _HEADER.size)[0]
                if error:
                    raise OSError(error, os.strerror(error), f"netlink request {sequence - first}")
                if sequence == self._last:
                    return
                offset += (size + 3) & ~3

    def close(self) -> None:
        self._socket.close()
