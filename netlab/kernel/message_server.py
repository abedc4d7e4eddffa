"""A server that answers messages over UDP and TCP, such as DNS: one thread, bounded in connections, memory and time.

Over TCP two bytes before each message have its length (RFC 1035, section 4.2.2). A connection may have several
messages, which are answered in order (RFC 7766).
"""

from __future__ import annotations

import contextlib
import errno
import selectors
import socket
import time
from collections.abc import Callable, Iterable

# From a message, and whether it came over TCP, to its answer; empty for no answer.
Responder = Callable[[bytes, bool], bytes]

_CONNECTIONS = 256
# Seconds without a byte after which a connection is closed.
_IDLE = 10.0
_LARGEST = 65535
_BACKLOG = 128
# How many UDP messages are answered before TCP gets its turn.
_TURN = 64
# Bytes of answers that wait for a slow client. Its further requests are read when it has read some answers.
_WAITING = 1 << 17
# Space for the control message with the address that a message was sent to.
_CONTROL = socket.CMSG_SPACE(32)
# Python has no name for this option of IPv4 (include/uapi/linux/in.h).
_IP_PKTINFO = 8


class _Connection:
    """One TCP connection: the received bytes that are not answered, and the bytes to send."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.received = bytearray()
        self.waiting = bytearray()
        self.used = time.monotonic()


class MessageServer:
    """Answers messages on ports, over both protocols and every IP family that this kernel has.

    Raises:
      OSError: when another program listens on a port.
    """

    def __init__(self, ports: Iterable[int], answer: Responder, failed: Callable[[BaseException], None]) -> None:
        self._answer = answer
        self._failed = failed
        self._selector = selectors.DefaultSelector()
        self._connections: dict[int, _Connection] = {}
        for port in ports:
            self._open(socket.AF_INET, port)
            try:
                self._open(socket.AF_INET6, port)
            except OSError as error:
                if error.errno not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
                    raise

    def _open(self, family: socket.AddressFamily, port: int) -> None:
        datagrams = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        stream = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        if family == socket.AF_INET6:
            for one in (datagrams, stream):
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            datagrams.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        else:
            datagrams.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        datagrams.bind(("", port))
        stream.bind(("", port))
        stream.listen(_BACKLOG)
        self._selector.register(datagrams, selectors.EVENT_READ, self._datagrams)
        self._selector.register(stream, selectors.EVENT_READ, self._accept)

    def serve(self) -> None:
        """Answer messages until the process is killed."""
        while True:
            self.turn(_IDLE / 2)

    def turn(self, seconds: float) -> None:
        """Wait for messages and answer them."""
        for key, mask in self._selector.select(seconds):
            # No client may end the server.
            try:
                if isinstance(key.data, _Connection):
                    self._exchange(key.data, mask)
                else:
                    key.data(key.fileobj)
            except Exception as error:
                self._failed(error)
                if isinstance(key.data, _Connection):
                    self._close(key.data)
        limit = time.monotonic() - _IDLE
        for connection in [one for one in self._connections.values() if one.used < limit]:
            self._close(connection)

    def close(self) -> None:
        """Close all sockets."""
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]
        self._selector.close()

    def _datagrams(self, sock: socket.socket) -> None:
        for _ in range(_TURN):
            try:
                message, control, _, client = sock.recvmsg(_LARGEST, _CONTROL)
            except OSError:
                # No message is left, or an earlier answer could not be delivered.
                return
            if found := self._answer(message, False):
                # With this control message, the answer leaves from the address that the message was sent to.
                with contextlib.suppress(OSError):
                    sock.sendmsg([found], [_from(*one) for one in control], 0, client)

    def _accept(self, sock: socket.socket) -> None:
        try:
            accepted, _ = sock.accept()
        except OSError:
            return
        if len(self._connections) >= _CONNECTIONS:
            self._close(min(self._connections.values(), key=lambda one: one.used))
        accepted.setblocking(False)
        connection = _Connection(accepted)
        self._connections[accepted.fileno()] = connection
        self._selector.register(accepted, selectors.EVENT_READ, connection)

    def _exchange(self, connection: _Connection, mask: int) -> None:
        try:
            if mask & selectors.EVENT_READ:
                read = connection.sock.recv(_LARGEST)
                if not read:
                    self._close(connection)
                    return
                connection.received += read
                connection.used = time.monotonic()
            self._answer_received(connection)
            if connection.waiting:
                sent = connection.sock.send(connection.waiting)
                del connection.waiting[:sent]
                connection.used = time.monotonic()
                self._answer_received(connection)
        except BlockingIOError:
            pass
        except OSError:
            self._close(connection)
            return
        wanted = selectors.EVENT_WRITE if connection.waiting else 0
        wanted |= selectors.EVENT_READ if len(connection.waiting) < _WAITING else 0
        self._selector.modify(connection.sock, wanted, connection)

    def _answer_received(self, connection: _Connection) -> None:
        received = connection.received
        while len(received) >= 2 and len(connection.waiting) < _WAITING:
            length = int.from_bytes(received[:2])
            if len(received) < 2 + length:
                return
            message = bytes(received[2 : 2 + length])
            del received[: 2 + length]
            if found := self._answer(message, True):
                connection.waiting += len(found).to_bytes(2) + found

    def _close(self, connection: _Connection) -> None:
        if self._connections.pop(connection.sock.fileno(), None) is not None:
            self._selector.unregister(connection.sock)
        connection.sock.close()


def _from(level: int, kind: int, data: bytes) -> tuple[int, int, bytes]:
    """Return the control message with which an answer leaves from the address that a message was sent to.

    struct in_pktinfo has the interface, the local address and the header's destination address; ip(7) says that a
    sender's first two count. The interface is left to the route.
    """
    if level == socket.IPPROTO_IP:
        return level, kind, bytes(4) + data[4:8] + bytes(4)
    return level, kind, data[:16] + bytes(4)
