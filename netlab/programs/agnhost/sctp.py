"""SCTP in user space, for kernels without it: as much as a request and its answer need.

An association has one stream, one address of each side, and no congestion control; messages are small. What the pod
sends are packets like any other, so policies and Services hold for them.

Source: RFC 9260.
"""

from __future__ import annotations

import contextlib
import os
import queue
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

PROTOCOL = 132
_DATA, _INIT, _INIT_ACK, _SACK, _HEARTBEAT, _HEARTBEAT_ACK, _ABORT = 0, 1, 2, 3, 4, 5, 6
_SHUTDOWN, _SHUTDOWN_ACK, _COOKIE_ECHO, _COOKIE_ACK, _SHUTDOWN_COMPLETE = 7, 8, 10, 11, 14
_COOKIE, _WHOLE, _WINDOW = 7, 3, 65535
_PKTINFO = getattr(socket, "IP_PKTINFO", 8)
# Seconds until a packet without an answer is sent again.
_AGAIN = 0.5
_MOST, _MOST_MESSAGES = 1000, 100
_FIRST_PORT, _PORTS = 32768, 28232
_raw: dict[int, socket.socket] = {}
_stacks: dict[int, _Stack] = {}

Key = tuple[int, str, int, int]


def prepare(argv: Sequence[str]) -> None:
    """Open what user ``nobody`` may not open, for a command that may speak SCTP; nothing where the kernel has it."""
    if not any("sctp" in word or word in ("porter", "netexec") for word in argv):
        return
    with contextlib.suppress(OSError):
        socket.socket(socket.AF_INET, socket.SOCK_STREAM, PROTOCOL).close()
        return
    for family in (socket.AF_INET, socket.AF_INET6):
        with contextlib.suppress(OSError):
            _raw[family] = made = socket.socket(family, socket.SOCK_RAW, PROTOCOL)
            if family == socket.AF_INET6:
                made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)


def open_socket(family: int) -> Any:
    """Return a socket of SCTP: the kernel's, or one of this module; raises OSError where neither is possible."""
    return Socket(family) if family in _raw else socket.socket(family, socket.SOCK_STREAM, PROTOCOL)


class Socket:
    """A socket as ``socket.socket`` has it, as far as this package uses one."""

    def __init__(self, family: int, association: _Association | None = None) -> None:
        self._family, self._association = family, association
        self._timeout: float | None = None
        self._port = 0
        self._accepted: queue.Queue[_Association] = queue.Queue(_MOST)

    def setsockopt(self, *option: int) -> None:
        """Take an option; none changes anything here."""

    def settimeout(self, seconds: float | None) -> None:
        self._timeout = seconds

    def bind(self, where: tuple[str, int]) -> None:
        self._port = where[1]

    def listen(self, backlog: int = 0) -> None:
        """Listen on the port, in both IP families for a socket of IPv6; raises OSError for one that is taken."""
        families = [self._family] if self._family == socket.AF_INET else list(_raw)
        for family in families:
            _stack(family).listen(self._port, self._accepted)

    def accept(self) -> tuple[Socket, tuple[str, int]]:
        """Return the next association and its peer."""
        found = self._accepted.get()
        return Socket(found.key[0], found), (found.key[1], found.key[2])

    def connect(self, where: tuple[str, int]) -> None:
        """Open an association; raises TimeoutError, ConnectionRefusedError, OSError."""
        self._association = _stack(self._family).connect(where[0], where[1], self._timeout)

    def send(self, data: bytes) -> int:
        self._open().send(data, self._timeout)
        return len(data)

    sendall = send

    def recv(self, size: int) -> bytes:
        """Return the next message, b"" at the end; raises TimeoutError."""
        return self._open().receive(self._timeout)[:size]

    def close(self) -> None:
        if self._association is not None:
            self._association.close()

    def __enter__(self) -> Socket:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _open(self) -> _Association:
        if self._association is None:
            raise OSError("transport endpoint is not connected")
        return self._association


class _Association:
    """One association: who is at the other end, and what has come from there."""

    def __init__(self, stack: _Stack, key: Key, tag: int, tsn: int) -> None:
        self.stack, self.key, self.tag = stack, key, tag
        # The next number of ours, and the last of the other side's.
        self.tsn, self.peer_tag, self.peer_tsn = tsn, 0, 0
        self.local: Any = None
        self.cookie = b""
        # The other side may end it before anyone has seen that it was open.
        self.state, self.opened = "opening", False
        self.changed = threading.Condition()
        self._acknowledged = (tsn - 1) & 0xFFFFFFFF
        self._messages: deque[bytes] = deque(maxlen=_MOST_MESSAGES)

    def send(self, data: bytes, timeout: float | None) -> None:
        number = self.tsn
        self.tsn = (number + 1) & 0xFFFFFFFF
        body = struct.pack("!IHHI", number, 0, 0, 0) + data
        self._until(lambda: self._acknowledged == number, lambda: self.put(_DATA, body, _WHOLE), timeout)

    def receive(self, timeout: float | None) -> bytes:
        self._until(lambda: bool(self._messages), lambda: None, timeout)
        return self._messages.popleft() if self._messages else b""

    def open(self, timeout: float | None) -> None:
        first = struct.pack("!IIHHI", self.tag, _WINDOW, 1, 1, self.tsn)

        def ask() -> None:
            if self.cookie:
                self.put(_COOKIE_ECHO, self.cookie)
            else:
                self.stack.send(self.key, self.local, 0, _chunk(_INIT, first))

        self._until(lambda: self.opened, ask, timeout)
        if not self.opened:
            raise ConnectionRefusedError(111, "Connection refused")

    def close(self) -> None:
        with self.changed:
            if self.state == "open":
                self.state = "closed"
                self.put(_SHUTDOWN, self.peer_tsn.to_bytes(4, "big"))

    def put(self, kind: int, body: bytes = b"", flags: int = 0) -> None:
        self.stack.send(self.key, self.local, self.peer_tag, _chunk(kind, body, flags))

    def _until(self, holds: Any, ask: Any, timeout: float | None) -> None:
        """Wait until something holds or the association ends, and ask again meanwhile."""
        until = time.monotonic() + timeout if timeout is not None else None
        with self.changed:
            while not holds() and self.state in ("opening", "open"):
                left = until - time.monotonic() if until is not None else _AGAIN
                if left <= 0:
                    raise TimeoutError("timed out")
                ask()
                self.changed.wait(min(left, _AGAIN))

    def take(self, kind: int, flags: int, body: bytes) -> None:
        """Take a chunk of the other side."""
        with self.changed:
            match kind:
                case _ if kind == _INIT_ACK and self.state == "opening" and len(body) >= 16:
                    self.peer_tag, self.peer_tsn = int.from_bytes(body[:4], "big"), _before(body[12:16])
                    self.cookie = next((value for type_, value in _parameters(body[16:]) if type_ == _COOKIE), b"")
                    self.put(_COOKIE_ECHO, self.cookie)
                case _ if kind == _COOKIE_ACK and self.state == "opening":
                    self.state, self.opened = "open", True
                case _ if kind == _DATA and len(body) >= 12:
                    number = int.from_bytes(body[:4], "big")
                    if number == (self.peer_tsn + 1) & 0xFFFFFFFF:
                        self.peer_tsn = number
                        self._messages.append(body[12:])
                    self.put(_SACK, struct.pack("!IIHH", self.peer_tsn, _WINDOW, 0, 0))
                case _ if kind == _SACK and len(body) >= 4:
                    self._acknowledged = int.from_bytes(body[:4], "big")
                case _ if kind == _HEARTBEAT:
                    self.put(_HEARTBEAT_ACK, body)
                case _ if kind == _SHUTDOWN:
                    self.state = "ended"
                    self.put(_SHUTDOWN_ACK)
                case _ if kind == _SHUTDOWN_ACK:
                    self.put(_SHUTDOWN_COMPLETE)
                    self.stack.forget(self)
                case _ if kind in (_ABORT, _SHUTDOWN_COMPLETE):
                    self.state = "ended"
                    self.stack.forget(self)
            self.changed.notify_all()


class _Stack:
    """All associations of this process in an IP family."""

    def __init__(self, family: int) -> None:
        self._family, self._raw = family, _raw[family]
        self._associations: dict[Key, _Association] = {}
        self._listening: dict[int, queue.Queue[_Association]] = {}
        threading.Thread(target=self._read, daemon=True).start()

    def listen(self, port: int, accepted: queue.Queue[_Association]) -> None:
        if port in self._listening:
            raise OSError(98, "Address already in use")
        self._listening[port] = accepted

    def connect(self, host: str, port: int, timeout: float | None) -> _Association:
        own = _FIRST_PORT + int.from_bytes(os.urandom(4), "big") % _PORTS
        made = _Association(self, (self._family, host, port, own), _number(), _number())
        self._add(made)
        try:
            made.open(timeout)
        except OSError:
            self.forget(made)
            raise
        return made

    def _add(self, one: _Association) -> None:
        while len(self._associations) >= _MOST:
            self._associations.pop(next(iter(self._associations)))
        self._associations[one.key] = one

    def forget(self, one: _Association) -> None:
        self._associations.pop(one.key, None)

    def send(self, key: Key, local: Any, tag: int, chunks: bytes) -> None:
        """Send a packet, from the address that the other side has written to; one that cannot be sent is lost."""
        _, host, port, own = key
        head = struct.pack("!HHI", own, port, tag)
        data = head + _checksum(head + bytes(4) + chunks).to_bytes(4, "little") + chunks
        with contextlib.suppress(OSError):
            self._raw.sendmsg([data], [local] if local else [], 0, (host, 0))

    def _read(self) -> None:
        while True:
            try:
                data, more, _, where = self._raw.recvmsg(65535, 256)
            except OSError:
                return
            local: Any = None
            if self._family == socket.AF_INET:
                # An IPv4 packet comes with its header: the address that it was sent to answers.
                local = (socket.IPPROTO_IP, _PKTINFO, struct.pack("=I4s4s", 0, data[16:20], bytes(4)))
                data = data[(data[0] & 15) * 4 :]
            else:
                local = next((one for one in more if one[:2] == (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO)), None)
            if len(data) >= 16 and _checksum(data[:8] + bytes(4) + data[12:]) == int.from_bytes(data[8:12], "little"):
                self._take(where[0].partition("%")[0], local, data)

    def _take(self, host: str, local: Any, data: bytes) -> None:
        port, own, tag = struct.unpack("!HHI", data[:8])
        key = self._family, host, port, own
        for kind, flags, body in _chunks(data[12:]):
            if kind == _INIT and own in self._listening and len(body) >= 16:
                self._begin(key, local, body)
            elif kind == _COOKIE_ECHO and own in self._listening and len(body) == 16:
                self._accept(key, local, tag, body)
            elif (found := self._associations.get(key)) and found.tag == tag:
                found.local = local
                found.take(kind, flags, body)

    def _begin(self, key: Key, local: Any, body: bytes) -> None:
        """Answer the first packet of an association; all that is known of it is in the cookie."""
        tag, tsn = _number(), _number()
        cookie = struct.pack("!II", tag, tsn) + body[:4] + body[12:16]
        said = struct.pack("!IIHHI", tag, _WINDOW, 1, 1, tsn) + struct.pack("!HH", _COOKIE, 4 + len(cookie)) + cookie
        self.send(key, local, int.from_bytes(body[:4], "big"), _chunk(_INIT_ACK, said))

    def _accept(self, key: Key, local: Any, tag: int, cookie: bytes) -> None:
        own_tag, tsn, peer_tag = struct.unpack("!III", cookie[:12])
        if tag != own_tag:
            return
        known = self._associations.get(key)
        if known is None or known.tag != own_tag:
            known = _Association(self, key, own_tag, tsn)
            known.peer_tag, known.peer_tsn, known.state = peer_tag, _before(cookie[12:16]), "open"
            known.local = local
            try:
                self._listening[key[3]].put_nowait(known)
            except queue.Full:
                return
            self._add(known)
        known.put(_COOKIE_ACK)


def _stack(family: int) -> _Stack:
    if family not in _raw:
        raise OSError(93, "Protocol not supported")
    if family not in _stacks:
        _stacks[family] = _Stack(family)
    return _stacks[family]


def _number() -> int:
    return int.from_bytes(os.urandom(4), "big") or 1


def _before(number: bytes) -> int:
    return (int.from_bytes(number, "big") - 1) & 0xFFFFFFFF


def _chunk(kind: int, body: bytes = b"", flags: int = 0) -> bytes:
    return struct.pack("!BBH", kind, flags, 4 + len(body)) + body + bytes(-len(body) % 4)


def _chunks(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    while len(data) >= 4:
        kind, flags, size = struct.unpack("!BBH", data[:4])
        if size < 4 or size > len(data):
            return
        yield kind, flags, data[4:size]
        data = data[size + -size % 4 :]


def _parameters(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= 4:
        kind, size = struct.unpack("!HH", data[:4])
        if size < 4 or size > len(data):
            return
        yield kind, data[4:size]
        data = data[size + -size % 4 :]


def _checksums() -> list[int]:
    """Return the CRC32c of each byte."""
    found = []
    for number in range(256):
        value = number
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        found.append(value)
    return found


# Made once, before programs are forked and before they have threads.
_TABLE = _checksums()


def _checksum(data: bytes) -> int:
    """Return the CRC32c of bytes."""
    found = 0xFFFFFFFF
    for byte in data:
        found = found >> 8 ^ _TABLE[(found ^ byte) & 0xFF]
    return found ^ 0xFFFFFFFF
