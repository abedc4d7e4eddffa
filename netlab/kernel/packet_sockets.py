"""Packet sockets (AF_PACKET, packet(7)): they receive and send the frames of a network namespace's interfaces.

A packet socket sees each packet as the link does: what arrives before the ingress hook, and what leaves after the
output hook. So it also sees packets that the kernel drops afterwards. ``raw_sockets`` receives what is delivered.

Every socket belongs to the network namespace in which the calling thread opens it.
"""

from __future__ import annotations

import errno
import fcntl
import socket
import struct
import time
from collections.abc import Iterator

from netlab.frozen import NamedTuple
from netlab.kernel import bpf, libc
from netlab.kernel.raw_sockets import enlarge, sent

# Of linux/if_packet.h, linux/if_ether.h and asm-generic/socket.h; the socket module has no names for these.
_SOL_PACKET, _PACKET_STATISTICS, _PACKET_AUXDATA = 263, 6, 8
_ETH_P_ALL = 3
_SO_TIMESTAMPNS = 35
_AUXDATA = struct.Struct("=IIIHHHH")
_STATISTICS = struct.Struct("=II")
_TIMESPEC = struct.Struct("@ll")
# struct sockaddr_ll
_ADDRESS = struct.Struct("=HHi12x")
_HAS_TAG, _HAS_TAG_KIND, _VLAN = 0x10, 0x40, 0x8100
_ANCILLARY = socket.CMSG_SPACE(_AUXDATA.size) + socket.CMSG_SPACE(_TIMESPEC.size)
_MACS = 12

ETHERNET, LOOPBACK = 1, 772
"""ARPHRD_ETHER and ARPHRD_LOOPBACK of linux/if_arp.h: the links whose frames begin with an Ethernet header."""
_SIOCGIFHWADDR = 0x8927
_IFREQ = struct.Struct("=16sH6s16x")
_INTERFACE_NAME_MAX = 15


class Received(NamedTuple):
    """One packet as an interface had it.

    ``data`` is the packet from its first header on, cut to the socket's length; ``length`` is its length before that.
    ``time`` is in nanoseconds since 1970. ``ethernet`` says whether the first header is that of Ethernet; if not, it is
    an IP header. ``outgoing``: the namespace sent it.
    """

    data: bytes
    length: int
    time: int
    interface: str
    ethernet: bool
    outgoing: bool


class PacketReceiver:
    """Receives the packets of one interface, or of all that the namespace has or gets ("").

    Args:
      interface: its name.
      program: a BPF program as ``bpf.assemble`` returns it; it also cuts packets.
      length: bytes of a packet that are received.
      buffer: size of the receive buffer in bytes. Without privilege over the host the kernel gives no more than
        net.core.rmem_max.

    Raises:
      OSError, KernelError: also when there is no such interface.
    """

    def __init__(self, interface: str, program: bytes, length: int, buffer: int) -> None:
        self._length = length
        self._drops = 0
        # With protocol 0 it receives nothing until it has its filter.
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, 0)
        try:
            bpf.attach(self._socket, program)
            enlarge(self._socket, buffer)
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
            self._socket.setsockopt(_SOL_PACKET, _PACKET_AUXDATA, 1)
            # Python binds a packet socket to one interface only; index 0 stands for all.
            index = socket.if_nametoindex(interface) if interface else 0
            libc.bind(self._socket.fileno(), _ADDRESS.pack(socket.AF_PACKET, socket.htons(_ETH_P_ALL), index))
        except BaseException:
            self._socket.close()
            raise

    def fileno(self) -> int:
        return self._socket.fileno()

    def read(self, most: int) -> Iterator[Received]:
        """Yield the packets that wait, at most ``most``."""
        for _ in range(most):
            try:
                data, ancillary, _, (interface, _, direction, kind, *_) = self._socket.recvmsg(self._length, _ANCILLARY)
            except BlockingIOError:
                return
            except OSError as error:
                # Its interface went down or away: packet_notifier, net/packet/af_packet.c.
                if error.errno in (errno.ENETDOWN, errno.ENXIO):
                    return
                raise
            outgoing = direction == socket.PACKET_OUTGOING
            # The loopback device has every packet twice; libpcap leaves out the outgoing one too.
            if not (kind == LOOPBACK and outgoing):
                yield _received(data, ancillary, interface, kind in (ETHERNET, LOOPBACK), outgoing)

    def drops(self) -> int:
        """Return how many packets the kernel dropped so far because the buffer was full."""
        statistics = self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, _STATISTICS.size)
        # The kernel counts from zero after each call.
        self._drops += _STATISTICS.unpack(statistics)[1]
        return self._drops

    def close(self) -> None:
        self._socket.close()


def _received(
    data: bytes, ancillary: list[tuple[int, int, bytes]], interface: str, ethernet: bool, outgoing: bool
) -> Received:
    length, stamp = len(data), 0
    for level, kind, value in ancillary:
        if (level, kind) == (_SOL_PACKET, _PACKET_AUXDATA):
            status, length, _, _, _, tag, tag_kind = _AUXDATA.unpack_from(value)
            if status & _HAS_TAG and ethernet:
                # The kernel takes the tag out of the packet.
                tagged = struct.pack("!HH", tag_kind if status & _HAS_TAG_KIND else _VLAN, tag)
                data, length = data[:_MACS] + tagged + data[_MACS:], length + len(tagged)
        elif (level, kind) == (socket.SOL_SOCKET, _SO_TIMESTAMPNS):
            seconds, nanoseconds = _TIMESPEC.unpack_from(value)
            stamp = seconds * 1_000_000_000 + nanoseconds
    return Received(data, length, stamp or time.time_ns(), interface, ethernet, outgoing)


class FrameSender:
    """Sends whole frames on one interface; raises OSError (ENODEV) when there is no such interface."""

    def __init__(self, interface: str) -> None:
        # Protocol 0: it receives nothing.
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, 0)
        try:
            self._socket.bind((interface, 0))
        except BaseException:
            self._socket.close()
            raise

    def send(self, frame: bytes) -> int:
        """Send a frame; return 0, or the errno with which the kernel refused it."""
        return sent(self._socket.send, frame)

    def close(self) -> None:
        self._socket.close()


def is_interface_name(text: str) -> bool:
    """Return whether a text can be the name of an interface (dev_valid_name, net/core/dev.c)."""
    fits = 0 < len(text.encode()) <= _INTERFACE_NAME_MAX and text.isprintable()
    return fits and text not in (".", "..") and not any(c in "/:" or c.isspace() for c in text)


def interfaces() -> dict[str, tuple[bool, str]]:
    """Return the interfaces of the calling thread's namespace: whether each is an Ethernet, and its MAC."""
    found: dict[str, tuple[bool, str]] = {}
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC, 0) as sock:
        for _, name in socket.if_nameindex():
            try:
                answer = fcntl.ioctl(sock, _SIOCGIFHWADDR, _IFREQ.pack(name.encode(), 0, b""))
            except OSError:
                # It went away meanwhile.
                continue
            _, kind, mac = _IFREQ.unpack(answer)
            found[name] = (kind in (ETHERNET, LOOPBACK), mac.hex(":"))
    return found
