"""A netlink socket that sends many requests at once and reads every answer.

The messages that netlab needs are packed here and in ``rtnl``. pyroute2 takes 0.31 ms to encode a veth request and 0.2
s to import, and its batches lose errors (Python 3.11, pyroute2 0.9.7). A lab of 1,000 pods takes some 8,000 requests,
and a small lab is up before pyroute2 is imported. See docs/design.md, "Netlink".
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from collections.abc import Iterator, Sequence

from netlab.errors import KernelError
from netlab.frozen import NamedTuple
from netlab.kernel import rtnl_numbers as n

# Of linux/netlink.h; pyroute2 has no name for it.
_NETLINK_CAP_ACK = 10

_HEADER = struct.Struct(n.NLMSGHDR)
_ATTRIBUTE = struct.Struct(n.NLATTR)
_ERRNO = struct.Struct(n.NLMSGERR)
# Bytes. A datagram must fit the send buffer (212,992 bytes by default), and the errors of all its requests the receive
# buffer. Only the last request of a datagram asks for an acknowledgement; errors always come. Each error is charged
# with 832 bytes (Linux 6.18: 256 errors fill the default buffer, and the next one is dropped).
_DATAGRAM = 32 * 1024
_ERROR = 2048


class Message(NamedTuple):
    """One request: its type, its flags (NLM_F_REQUEST is added), its body, and the words for it in an error."""

    type: int
    flags: int
    body: bytes
    label: object


def request(kind: int, flags: int, body: bytes, sequence: int) -> bytes:
    """Pack one request, with NLM_F_REQUEST among its flags, padded to four bytes."""
    header = _HEADER.pack(_HEADER.size + len(body), kind, flags | n.NLM_F_REQUEST, sequence, 0)
    return header + body + bytes(-len(body) % 4)


def attribute(kind: int, payload: bytes) -> bytes:
    """Pack one attribute, padded to four bytes."""
    size = 4 + len(payload)
    return _ATTRIBUTE.pack(size, kind) + payload + bytes(-size % 4)


def attributes(data: bytes, start: int = 0) -> Iterator[tuple[int, bytes]]:
    """Yield (type, payload) of the attributes in ``data`` from ``start``; flag bits of the type are cleared."""
    end = len(data)
    while start + 4 <= end:
        size, kind = _ATTRIBUTE.unpack_from(data, start)
        if size < 4:
            return
        yield kind & 0x3FFF, data[start + 4 : start + size]
        start += (size + 3) & ~3


def first_attribute(kind: int, data: bytes) -> bytes | None:
    """Return the payload of the first attribute of a type, None if there is none."""
    return next((payload for found, payload in attributes(data) if found == kind), None)


class Netlink:
    """A netlink socket of the network namespace in which the calling thread opens it."""

    def __init__(self, protocol: int = socket.NETLINK_ROUTE) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
        for option in (_NETLINK_CAP_ACK, n.NETLINK_EXT_ACK, n.NETLINK_GET_STRICT_CHK):
            with contextlib.suppress(OSError):
                self._socket.setsockopt(n.SOL_NETLINK, option, 1)
        self._socket.bind((0, 0))
        self._sequence = 0
        self._most = max(1, self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // _ERROR)

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def transact(self, messages: Sequence[Message], *, ignore: Sequence[int] = ()) -> list[tuple[Message, KernelError]]:
        """Send all requests in order, in few datagrams; return those that the kernel refused.

        Every request is tried, even after one failed. Errors with an errno in ``ignore`` are left out.

        Raises:
          KernelError: when the socket fails. Then any of the requests may have been carried out.
        """
        failed: list[tuple[Message, KernelError]] = []
        chunk: list[tuple[int, Message, bytes]] = []
        size = 0
        for message in messages:
            self._sequence += 1
            packed_size = (_HEADER.size + len(message.body) + 3) & ~3
            if chunk and (size + packed_size > _DATAGRAM or len(chunk) == self._most):
                failed += self._exchange(chunk)
                chunk, size = [], 0
            chunk.append((self._sequence, message, message.body))
            size += packed_size
        if chunk:
            failed += self._exchange(chunk)
        return [(m, e) for m, e in failed if e.errno not in ignore]

    def _exchange(self, chunk: list[tuple[int, Message, bytes]]) -> list[tuple[Message, KernelError]]:
        datagram = bytearray()
        last = chunk[-1][0]
        for sequence, message, body in chunk:
            flags = message.flags | (n.NLM_F_ACK if sequence == last else 0)
            datagram += request(message.type, flags, body, sequence)
        self._send(datagram)
        first = chunk[0][0]
        failed: list[tuple[Message, KernelError]] = []
        for sequence, errno, words in self._errors(range(first, last + 1)):
            message = chunk[sequence - first][1]
            failed.append((message, KernelError.of(str(message.label), errno, words)))
        return failed

    def _errors(self, sequences: range) -> Iterator[tuple[int, int, str]]:
        """Read the answers to requests until that to the last one; yield (sequence, errno, words) of each error."""
        last = sequences[-1]
        while True:
            for kind, flags, sequence, body in self._receive():
                if kind != n.NLMSG_ERROR or sequence not in sequences:
                    continue
                errno = -_ERRNO.unpack_from(body)[0]
                if errno:
                    yield sequence, errno, _detail(body, flags, errno)
                if sequence == last:
                    return

    def transact_alike(self, kind: int, flags: int, bodies: Sequence[bytes], label: object) -> list[KernelError]:
        """Send a request with each body, in order and in few datagrams; return the kernel's refusals.

        The length of each body is a multiple of four. Every request is tried, even after one failed. This takes a
        quarter of the processor time of ``transact``: nothing is made for a request but its bytes.

        Raises:
          KernelError: as ``transact`` does.
        """
        failed: list[KernelError] = []
        flags |= n.NLM_F_REQUEST
        head = _HEADER.size
        count = max(1, min(self._most, _DATAGRAM // (head + max(map(len, bodies), default=0))))
        for start in range(0, len(bodies), count):
            *others, final = bodies[start : start + count]
            parts: list[bytes] = []
            for sequence, body in enumerate(others, self._sequence + 1):
                parts += _HEADER.pack(head + len(body), kind, flags, sequence, 0), body
            first = self._sequence + 1
            last = self._sequence = first + len(others)
            parts += _HEADER.pack(head + len(final), kind, flags | n.NLM_F_ACK, last, 0), final
            self._send(b"".join(parts))
            errors = self._errors(range(first, last + 1))
            failed += (KernelError.of(str(label), errno, words) for _, errno, words in errors)
        return failed

    def dump(self, kind: int, body: bytes) -> list[tuple[int, bytes]]:
        """Return (type, body) of every object of a dump; an inconsistent dump is read again.

        Raises:
          KernelError: when the kernel refuses the dump.
        """
        for _ in range(10):
            found, consistent = self._dump(kind, body)
            if consistent:
                break
        return found

    def _dump(self, kind: int, body: bytes) -> tuple[list[tuple[int, bytes]], bool]:
        self._sequence += 1
        self._send(request(kind, n.NLM_F_DUMP, body, self._sequence))
        found: list[tuple[int, bytes]] = []
        consistent = True
        while True:
            for answer, answer_flags, sequence, payload in self._receive():
                if sequence != self._sequence:
                    continue
                consistent = consistent and not answer_flags & n.NLM_F_DUMP_INTR
                if answer == n.NLMSG_DONE:
                    return found, consistent
                if answer == n.NLMSG_ERROR:
                    errno = -_ERRNO.unpack_from(payload)[0]
                    raise KernelError.of("netlink dump", errno, _detail(payload, answer_flags, errno))
                found.append((answer, payload))

    def _send(self, datagram: bytes | bytearray) -> None:
        try:
            self._socket.send(datagram)
        except OSError as error:
            raise KernelError.of("netlink send", error.errno or 0) from error

    def _receive(self) -> Iterator[tuple[int, int, int, bytes]]:
        try:
            data = self._socket.recv(1 << 18)
        except OSError as error:
            # The kernel dropped answers, and drops more until the others are read (netlink_rcv_wake).
            with contextlib.suppress(OSError):
                while self._socket.recv(1 << 18, socket.MSG_DONTWAIT):
                    pass
            raise KernelError.of("netlink receive", error.errno or 0) from error
        offset = 0
        while offset + _HEADER.size <= len(data):
            size, kind, flags, sequence, _ = _HEADER.unpack_from(data, offset)
            yield kind, flags, sequence, data[offset + _HEADER.size : offset + size]
            offset += (size + 3) & ~3


def _detail(body: bytes, flags: int, errno: int) -> str:
    """Return an error's text: the errno's, and the kernel's own message (extended acknowledgement)."""
    words = os.strerror(errno)
    if flags & n.NLM_F_ACK_TLVS:
        # The request's header follows the errno, with its body unless the acknowledgement is capped.
        request_size = _HEADER.unpack_from(body, _ERRNO.size)[0]
        start = _ERRNO.size + (_HEADER.size if flags & n.NLM_F_CAPPED else (request_size + 3) & ~3)
        for kind, payload in attributes(body, start):
            if kind == n.NLMSGERR_ATTR_MSG:
                return f"{words} ({payload.rstrip(bytes(1)).decode(errors='replace')})"
    return words
