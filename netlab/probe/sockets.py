"""Raw sockets in every namespace that probes: one that sends, one per protocol that receives.

A raw socket gets a copy of each packet that its kernel delivers locally (net/ipv4/ip_input.c,
ip_protocol_deliver_rcu): after the input hook, with forwarded packets left out and the loopback device included. So
"received" means that the destination's kernel took the packet in. An AF_PACKET socket says less, and each one costs an
RCU grace period to close (12 ms on the kernel this was written on, 2.5 us for a raw socket). A raw IPv6 socket reads
what follows the IPv6 header, so the sender's address is asked for with it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import select
import socket
import struct
import time
from collections.abc import Iterable, Iterator, Mapping
from itertools import product

from netlab.errors import HostError
from netlab.kernel import netns
from netlab.probe import filters
from netlab.probe.decode import Sighting, decode, decode6
from netlab.probe.templates import CONTROL, number

# Asked for; without privilege over the host the kernel gives no more than net.core.rmem_max.
RECEIVE_BUFFER = 1 << 20
_SO_RCVBUFFORCE, _SO_MEMINFO, _IP_RECVERR, _IPV6_RECVERR = 33, 55, 11, 25
_DOMAINS = {4: socket.AF_INET, 6: socket.AF_INET6}
# Without this a packet that the device's queue refuses is lost in silence (net/ipv4/raw.c, net/ipv6/raw.c).
_TELL_LOSSES = {4: (socket.IPPROTO_IP, _IP_RECVERR, 1), 6: (socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)}
# A protocol and an IP family.
Kind = tuple[str, int]
_MEMINFO = struct.Struct("=9I")
_DROPS = 8
_SEND_TRIES = 50


class Tap:
    """One receiving socket: what it reads, and for which station."""

    __slots__ = ("_drops", "family", "protocol", "socket", "station")

    def __init__(self, station: Station, kind: Kind, sock: socket.socket) -> None:
        self.station = station
        self.protocol, self.family = kind
        self.socket = sock
        self._drops = 0

    def read(self) -> Sighting | None:
        """Read one packet; None when it is none of the probes'. Raises OSError when there is none."""
        if self.family == 4:
            return decode(self.protocol, self.socket.recv(filters.SNAPSHOT))
        packet, (peer, *_) = self.socket.recvfrom(filters.SNAPSHOT)
        return decode6(self.protocol, packet, peer)

    def overflowed(self) -> bool:
        """Say whether the kernel dropped packets for want of room in the buffer since it was last asked."""
        before = self._drops
        info = self.socket.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size)
        self._drops = _MEMINFO.unpack(info)[_DROPS]
        return self._drops != before


class Station:
    """The sockets of one namespace; ``index`` counts the stations of a run from zero."""

    def __init__(self, index: int, namespace: str) -> None:
        self.index = index
        self.namespace = namespace
        self.taps: dict[Kind, Tap] = {}
        self._senders: dict[int, socket.socket] = {}

    def open(self, programs: Mapping[Kind, bytes]) -> list[Tap]:
        """Open what is missing, in the thread's namespace: senders, and a tap for everything that has a filter."""
        opened = []
        for kind, program in programs.items():
            protocol, family = kind
            if family not in self._senders:
                self._senders[family] = _raw(family, socket.IPPROTO_RAW)
                self._senders[family].setsockopt(*_TELL_LOSSES[family])
            if kind not in self.taps:
                sock = _raw(family, number(protocol, family))
                filters.attach(sock, program)
                _enlarge(sock)
                self.taps[kind] = Tap(self, kind, sock)
                opened.append(self.taps[kind])
        return opened

    def send(self, packet: bytearray, destination: str, family: int) -> int:
        """Send a whole IP packet as this namespace's kernel routes it; return 0, or the errno of the refusal."""
        sender = self._senders[family]
        for _ in range(_SEND_TRIES):
            try:
                sender.sendto(packet, (destination, 0))
            except OSError as error:
                if error.errno not in (errno.EAGAIN, errno.ENOBUFS):
                    return error.errno or errno.EIO
            else:
                return 0
            time.sleep(0.001)
        return errno.ENOBUFS

    def close(self) -> None:
        for sender in self._senders.values():
            sender.close()
        for tap in self.taps.values():
            tap.socket.close()


class Stations:
    """The stations of a run, read together through one epoll."""

    def __init__(self, first_ident: int, ports: range) -> None:
        self._first_ident = first_ident
        self._ports = ports
        self._by_name: dict[str, Station] = {}
        self._taps: dict[int, Tap] = {}
        self._programs: dict[Kind, bytes] = {}
        self._protocols: dict[str, None] = {CONTROL: None, "ICMP": None}
        self._families: dict[int, None] = {}
        self._epoll = select.epoll()
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    def __len__(self) -> int:
        return len(self._by_name)

    def station(self, namespace: str) -> Station:
        """Return the namespace's station; it has sockets after the next ``open``."""
        known = self._by_name.get(namespace)
        if known is None:
            known = self._by_name[namespace] = Station(len(self._by_name), namespace)
        return known

    def open(self, protocols: Iterable[str] = (), families: Iterable[int] = ()) -> None:
        """Give every station the sockets for these protocols, ICMP, the control, and those asked for before.

        All of them in each of the families, those asked for before included.

        Raises:
          NotFound: when a namespace is not there.
          HostError: when the process may not open so many sockets, or no raw ones.
        """
        self._protocols |= dict.fromkeys(protocols)
        self._families |= dict.fromkeys(families)
        for kind in product(self._protocols, self._families):
            if kind not in self._programs:
                self._programs[kind] = filters.program(kind[0], self._first_ident, self._ports, kind[1])
        with netns.at_home():
            for station in self._by_name.values():
                if len(station.taps) == len(self._programs):
                    continue
                netns.enter(station.namespace)
                try:
                    opened = station.open(self._programs)
                except OSError as error:
                    raise _refused(error, station) from error
                for tap in opened:
                    self._taps[tap.socket.fileno()] = tap
                    self._epoll.register(tap.socket.fileno(), select.EPOLLIN)

    def receive(self, seconds: float) -> Iterator[tuple[Station, Sighting]]:
        """Wait up to ``seconds`` for a packet, then yield what is there until nothing is left."""
        # One packet of each ready socket at a time: asking an emptied socket again would cost more than epoll does.
        while ready := self._epoll.poll(seconds):
            seconds = 0
            for fd, _ in ready:
                tap = self._taps[fd]
                try:
                    sighting = tap.read()
                except OSError:
                    continue
                if sighting is not None:
                    yield tap.station, sighting

    def overflowed(self) -> set[int]:
        """Return the indexes of the stations whose sockets dropped packets since the last call."""
        return {tap.station.index for tap in self._taps.values() if tap.overflowed()}

    def close(self) -> None:
        self._epoll.close()
        for station in self._by_name.values():
            station.close()


def _raw(family: int, protocol: int) -> socket.socket:
    kind = socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
    return socket.socket(_DOMAINS[family], kind, protocol)


def _enlarge(sock: socket.socket) -> None:
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, RECEIVE_BUFFER)
    except OSError:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)


def _refused(error: OSError, station: Station) -> HostError:
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return HostError(
            "too many open files: a probe needs some five for each pod and IP family", "raise the limit: ulimit -n"
        )
    return HostError(f"cannot open a raw socket in {station.namespace}: {os.strerror(error.errno or 0)}")
