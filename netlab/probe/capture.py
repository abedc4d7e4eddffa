"""Receives the packets of several network namespaces at once, until each of them is gone."""

from __future__ import annotations

import contextlib
import errno
import time
from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter
from typing import Protocol

from netlab.errors import KernelError, UsageError
from netlab.frozen import NamedTuple
from netlab.kernel import netns, pcap_filter, signals
from netlab.kernel.machine import Inside
from netlab.kernel.packet_sockets import PacketReceiver, interfaces, is_interface_name
from netlab.kernel.raw_sockets import Waiter, raise_file_limit
from netlab.probe.capture_files import ETHERNET, RAW, CapturedPacket

BUFFER = 8 << 20
"""Bytes of the receive buffer of each namespace."""

MOST_LENGTH = 262_144
"""Bytes of a packet, as in tcpdump; no packet of Linux is longer."""

# Packets of one namespace in a batch, so that a flood of one does not hide the others.
_BATCH = 256
# Seconds: the namespaces are looked at as often. A socket keeps a namespace alive that `down` removed.
_LOOK = 0.1


class Place(NamedTuple):
    """An endpoint's reference and the name of its network namespace."""

    ref: str
    namespace: str


def compiled(interface: str, expression: str, length: int) -> bytes:
    """Return the BPF program of a filter.

    Args:
      interface: the name of an interface, "" for all.
      expression: a filter in the syntax of pcap-filter(7), "" for all packets.
      length: bytes that packets are cut to.

    Raises:
      UsageError: for a wrong name or filter.
      HostError: when libpcap is missing.
    """
    if interface and not is_interface_name(interface):
        raise UsageError(f"{interface!r} is not the name of an interface")
    return pcap_filter.compiled(expression, length)


class PacketSource(Protocol):
    """What ``batches`` reads: a ``Capture``, or one of endpoints on other machines."""

    known: list[tuple[str, str]]
    links: set[int]

    @property
    def refs(self) -> list[str]:
        """The endpoints that are captured now."""
        ...

    def packets(self, seconds: float) -> list[CapturedPacket]:
        """Wait for packets; return those that came, by time."""
        ...

    def gone(self) -> list[str]:
        """Return the endpoints that are gone since the last call."""
        ...

    def drops(self) -> dict[str, int]:
        """Return, by endpoint, how many packets were dropped; one on other machines ends with it."""
        ...

    def close(self) -> None:
        """End the capture."""
        ...


class _Opened(NamedTuple):
    place: Place
    inode: int | None
    receiver: PacketReceiver


class Capture:
    """Receives packets of endpoints. Hold the lab's lock while it is made; it needs none afterwards.

    Args:
      inside: enters a namespace.
      places: the endpoints. Endpoints with one namespace count once.
      interface: the name of the interface in each namespace, "" for all.
      program: the filter, a BPF program.
      length: bytes that packets are cut to.

    Attributes:
      known: the endpoints and interfaces that were there at the start, for Ethernet frames.

    Raises:
      UsageError: when a namespace has no such interface.
      NotFound: when a namespace is gone.
    """

    def __init__(
        self, inside: Inside, places: Sequence[Place], interface: str, program: bytes, length: int, buffer: int = BUFFER
    ) -> None:
        self.known: list[tuple[str, str]] = []
        self.links: set[int] = set()
        self._opened: dict[int, _Opened] = {}
        self._lost: dict[str, int] = {}
        self._looked = time.monotonic()
        self._waiter = Waiter()
        raise_file_limit()
        try:
            first: dict[str, Place] = {}
            for place in places:
                first.setdefault(place.namespace, place)
            for place in first.values():
                with inside(place.namespace):
                    self._open(place, interface, program, length, buffer)
        except BaseException:
            self.close()
            raise

    def _open(self, place: Place, interface: str, program: bytes, length: int, buffer: int) -> None:
        there = interfaces()
        if interface and interface not in there:
            raise UsageError(f"{place.ref} has no interface {interface!r}; it has {', '.join(there)}")
        wanted = {name: one for name, one in there.items() if interface in ("", name)}
        self.known += [(place.ref, name) for name, (ethernet, _) in wanted.items() if ethernet]
        self.links |= {ETHERNET if ethernet else RAW for ethernet, _ in wanted.values()}
        try:
            receiver = PacketReceiver(interface, program, length, buffer)
        except OSError as error:
            raise KernelError.of(f"a packet socket of {place.ref}", error.errno or errno.EIO) from error
        self._opened[receiver.fileno()] = _Opened(place, netns.inode(place.namespace), receiver)
        self._waiter.add(receiver)

    @property
    def refs(self) -> list[str]:
        """The endpoints whose namespaces are captured now."""
        return [one.place.ref for one in self._opened.values()]

    def packets(self, seconds: float) -> list[CapturedPacket]:
        """Wait at most ``seconds``, and about 0.1 s, for packets; return those that came, by time."""
        # An interrupt arrives while nothing is read.
        with signals.allowed():
            ready = self._waiter.ready(max(0.0, min(seconds, _LOOK)))
        came = [packet for number, _ in ready for packet in _read(self._opened[number])]
        came.sort(key=attrgetter("time"))
        return came

    def gone(self) -> list[str]:
        """Return the endpoints whose namespace was removed since the last call, and end their part of the capture."""
        now = time.monotonic()
        if now - self._looked < _LOOK:
            return []
        self._looked = now
        ended = [one for one in self._opened.values() if netns.inode(one.place.namespace) != one.inode]
        for one in ended:
            self._end(one)
        return [one.place.ref for one in ended]

    def drops(self) -> dict[str, int]:
        """Return, by endpoint, how many packets the kernel dropped as they were not read in time."""
        return {**self._lost, **{one.place.ref: one.receiver.drops() for one in self._opened.values()}}

    def _end(self, one: _Opened) -> None:
        number = one.receiver.fileno()
        with contextlib.suppress(OSError):
            self._lost[one.place.ref] = one.receiver.drops()
        one.receiver.close()
        self._opened.pop(number, None)

    def close(self) -> None:
        """End the capture; ``drops`` keeps its numbers."""
        for one in list(self._opened.values()):
            self._end(one)
        self._waiter.close()


def _read(one: _Opened) -> Iterator[CapturedPacket]:
    for packet in one.receiver.read(_BATCH):
        link = ETHERNET if packet.ethernet else RAW
        yield CapturedPacket(
            *(one.place.ref, packet.interface, link, packet.time), *(packet.data, packet.length, packet.outgoing)
        )


class Limits(NamedTuple):
    """What ends a capture: a number of packets, of bytes of packets, of seconds; None for no limit."""

    packets: int | None = None
    size: int | None = None
    seconds: float | None = None


def batches(
    capture: PacketSource, limits: Limits, ended: Callable[[str], object] = lambda ref: None
) -> Iterator[list[CapturedPacket]]:
    """Yield the packets of a capture as they come, until a limit is reached or all namespaces are gone.

    An interrupt loses no packet where the caller reads all in ``signals.deferred``: it arrives while this waits.
    ``ended`` is called with each endpoint whose namespace is gone.
    """
    until = None if limits.seconds is None else time.monotonic() + limits.seconds
    count, size = limits.packets, limits.size
    while capture.refs:
        left = _LOOK if until is None else until - time.monotonic()
        came = capture.packets(left)
        kept: list[CapturedPacket] = []
        for packet in came:
            if (count is not None and count <= 0) or (size is not None and size < len(packet.data)):
                break
            kept.append(packet)
            count = None if count is None else count - 1
            size = None if size is None else size - len(packet.data)
        if kept:
            yield kept
        if len(kept) < len(came) or count == 0 or size == 0 or (left <= 0 and not came):
            return
        for ref in capture.gone():
            ended(ref)
