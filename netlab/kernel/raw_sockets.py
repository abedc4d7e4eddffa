"""Raw IP sockets: a sender of whole packets, receivers of locally delivered packets, and a wait for many receivers.

A raw socket gets a copy of each packet that its kernel delivers locally (net/ipv4/ip_input.c, ip_protocol_deliver_rcu).
That is after the input hook, without forwarded packets and with the loopback device. So "received" means that the
destination's kernel delivered the packet. An AF_PACKET socket also gets packets that the kernel drops later, and
closing it waits for an RCU grace period (12 ms on Linux 6.18; a raw socket takes 2.5 us).

Every socket belongs to the network namespace in which the calling thread opens it.
"""

from __future__ import annotations

import contextlib
import errno
import resource
import select
import socket
import struct
import time
from collections.abc import Callable
from functools import partial
from typing import Protocol

from netlab.kernel import bpf

# Of linux/socket.h, linux/in.h and linux/in6.h; the socket module has no names for them.
_SO_RCVBUFFORCE, _SO_MEMINFO, _IP_RECVERR, _IPV6_RECVERR = 33, 55, 11, 25
_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
# Without this the kernel does not report a packet that the device's queue refuses (net/ipv4/raw.c, net/ipv6/raw.c).
_REPORT_LOSSES = {4: (socket.IPPROTO_IP, _IP_RECVERR, 1), 6: (socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)}
_MEMINFO = struct.Struct("=9I")
# The dropped packets are the last of the numbers.
_DROPS = slice(32, 36)
_SEND_TRIES = 50
_FULL = (errno.EAGAIN, errno.ENOBUFS)
# Seconds.
_BETWEEN_TRIES = 0.001


def sent(send: Callable[..., object], *arguments: object) -> int:
    """Call a function that sends; return 0, or the errno with which the kernel refused. A full queue is tried again."""
    for _ in range(_SEND_TRIES):
        try:
            send(*arguments)
        except OSError as error:
            if error.errno not in _FULL:
                return error.errno or errno.EIO
        else:
            return 0
        time.sleep(_BETWEEN_TRIES)
    return errno.ENOBUFS


class Sender:
    """Sends whole IP packets of one family; the kernel of its namespace routes them."""

    __slots__ = ("_socket", "sendto")

    sendto: Callable[[bytearray, tuple[str, int]], object]
    """Send a packet to (address, 0); raises OSError where the kernel refuses it, also where a queue is full."""

    def __init__(self, family: int) -> None:
        self._socket = _opened(family, socket.IPPROTO_RAW)
        self._socket.setsockopt(*_REPORT_LOSSES[family])
        self.sendto = self._socket.sendto

    def send(self, packet: bytearray, destination: str) -> int:
        """Send a packet to an address; return 0, or the errno with which the kernel refused it."""
        try:
            self.sendto(packet, (destination, 0))
        except OSError as error:
            return self.retried(error, packet, destination)
        return 0

    def retried(self, error: OSError, packet: bytearray, destination: str) -> int:
        """Do as ``send`` after ``sendto`` raised an error: only a full queue is tried again."""
        if error.errno not in _FULL:
            return error.errno or errno.EIO
        time.sleep(_BETWEEN_TRIES)
        return sent(self.sendto, packet, (destination, 0))

    def close(self) -> None:
        self._socket.close()


class Receiver:
    """Receives the packets of one IP protocol and family that a BPF program keeps, cut after ``length`` bytes.

    ``buffer`` is the size of its receive buffer in bytes. Without privilege over the host the kernel gives no more than
    net.core.rmem_max.
    """

    __slots__ = ("_drops", "_length", "_socket", "read")

    read: Callable[[], bytes]
    """Return a packet; raises OSError where there is none. ``read_with_peer`` also returns the sender's address."""

    def __init__(self, family: int, protocol: int, program: bytes, length: int, buffer: int) -> None:
        self._socket = _opened(family, protocol)
        self._length = length
        self._drops = bytes(4)
        # A call of recv itself, without a function around it: a matrix of 100 pods reads 20,000 packets.
        self.read = partial(self._socket.recv, length)
        try:
            bpf.attach(self._socket, program)
            enlarge(self._socket, buffer)
        except BaseException:
            self._socket.close()
            raise

    def fileno(self) -> int:
        return self._socket.fileno()

    def read_with_peer(self) -> tuple[bytes, bytes]:
        """Return an IPv6 packet, without its IPv6 header, and the packed address that it came from."""
        packet, (peer, *_) = self._socket.recvfrom(self._length)
        return packet, packed_ipv6(peer)

    def overflowed(self) -> bool:
        """Return whether the kernel dropped packets since the last call because the buffer was full."""
        before = self._drops
        self._drops = self._socket.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size)[_DROPS]
        return self._drops != before

    def close(self) -> None:
        self._socket.close()


class HasFile(Protocol):
    """What has an open file."""

    def fileno(self) -> int: ...


class Waiter:
    """Waits until one of many receivers has a packet."""

    def __init__(self) -> None:
        self._epoll = select.epoll()

    def add(self, receiver: HasFile) -> None:
        self._epoll.register(receiver.fileno(), select.EPOLLIN)

    def ready(self, seconds: float) -> list[tuple[int, int]]:
        """Return (file number, events) of the receivers with a packet, after at most ``seconds``."""
        return self._epoll.poll(seconds)

    def close(self) -> None:
        self._epoll.close()


def source_of(destination: str, family: int) -> str:
    """Return the source address that the calling thread's namespace chooses for packets to an address, "" for none.

    Connecting a UDP socket looks up the route and sends nothing.
    """
    with socket.socket(_FAMILIES[family], socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        try:
            sock.connect((destination, 9))
        except OSError:
            return ""
        return str(sock.getsockname()[0]).partition("%")[0]


def packed_ipv6(text: str) -> bytes:
    """Return an IPv6 address in 16 bytes, without the zone that the kernel adds to a link-local one."""
    return socket.inet_pton(socket.AF_INET6, text.partition("%")[0])


def raise_file_limit() -> None:
    """Raise the limit of open files to the hard limit, where that is allowed."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def may_open(files: int) -> bool:
    """Return whether the hard limit allows ``files`` open files."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    return most == resource.RLIM_INFINITY or files < most


def _opened(family: int, protocol: int) -> socket.socket:
    return socket.socket(_FAMILIES[family], socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, protocol)


def enlarge(sock: socket.socket, buffer: int) -> None:
    """Give a socket a receive buffer of this size in bytes, or the largest that this process may have."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, buffer)
    except OSError:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
