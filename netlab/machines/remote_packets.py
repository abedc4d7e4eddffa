"""Packets of endpoints on other machines: captured, sent and traced by calls to the machines of the endpoints."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from netlab.errors import HostError, UsageError
from netlab.kernel import signals
from netlab.kernel.machine import Event, Match
from netlab.lab import notices
from netlab.machines import calls
from netlab.machines.calls import Call, ask
from netlab.machines.packet_targets import DROPS, GONE, MESSAGE, PACKET, PACKETS, STARTED
from netlab.probe.capture import Place
from netlab.probe.capture_files import CapturedPacket

if TYPE_CHECKING:
    from scapy.packet import Packet

    from netlab.lab.at_endpoints import Place as LabPlace
    from netlab.machines.shared_lab import SharedLab

# Seconds: a machine hands on packets ten times in a second, and etcd takes some time.
_LAST = 0.25
_LOOK = 0.02
# Seconds until the machines have ended a capture.
_MOST_END = 5.0
# Bytes of packets, as text.
_MOST_SENT = 8 << 20


class RemoteCapture:
    """A capture of endpoints on several machines: a ``probe.capture.PacketSource``.

    The arguments are those of ``Lab.receive``.

    Raises:
      UsageError: for an unknown interface, or an endpoint that is gone.
      HostError: if a machine is away.
    """

    def __init__(
        self, lab: SharedLab, places: Sequence[Place], interface: str, program: bytes, length: int, buffer: int
    ) -> None:
        self.known: list[tuple[str, str]] = []
        self.links: set[int] = set()
        self._stack = contextlib.ExitStack()
        self._gone: list[str] = []
        self._drops: dict[str, int] = {}
        first: dict[str, Place] = {}
        for place in places:
            first.setdefault(place.namespace, place)
        self.refs = [one.ref for one in first.values()]
        by_machine: dict[str, list[str]] = {}
        machines = lab.namespaces
        for one in first.values():
            if one.namespace not in machines:
                raise UsageError(f"{one.ref} is gone")
            by_machine.setdefault(machines[one.namespace], []).append(one.ref)
        more = {"interface": interface, "program": program.hex(), "length": length, "buffer": buffer}
        try:
            self._parts = [
                _Part(self._stack.enter_context(_call(lab, machine, "capture", {"refs": refs, **more})), refs)
                for machine, refs in by_machine.items()
            ]
            for part in self._parts:
                for kind, data in part.until(STARTED):
                    self._note(part, kind, data)
        except BaseException:
            self.close()
            raise

    def packets(self, seconds: float) -> list[CapturedPacket]:
        """Wait at most ``seconds``, and about 0.25 s, for packets; return those that came, by time."""
        until = time.monotonic() + max(seconds, _LAST)
        came: list[CapturedPacket] = []
        while not came and self.refs and (left := until - time.monotonic()) > 0:
            # An interrupt arrives while nothing is read.
            with signals.allowed():
                pass
            running = [part for part in self._parts if not part.ended]
            for part in running:
                came += self._read(part, left if len(running) == 1 else min(left, _LOOK))
        return sorted(came, key=attrgetter("time"))

    def gone(self) -> list[str]:
        """Return the endpoints whose namespace, or whose machine, is gone since the last call."""
        found, self._gone = self._gone, []
        return found

    def drops(self) -> dict[str, int]:
        """End the capture; return, by endpoint, how many packets were dropped as they were not read in time."""
        until = time.monotonic() + _MOST_END
        with contextlib.suppress(HostError):
            for part in self._parts:
                if not part.ended:
                    part.call.end_input()
        for part in self._parts:
            while not part.ended and time.monotonic() < until:
                self._read(part, _LOOK)
        return self._drops

    def close(self) -> None:
        """End the capture."""
        self._stack.close()

    def _read(self, part: _Part, seconds: float) -> list[CapturedPacket]:
        try:
            found = [one for kind, data in part.read(seconds) for one in self._note(part, kind, data)]
        except HostError as error:
            # The other machines go on.
            notices.notice(f"warning: {error}")
            part.ended = True
            self._end(part.refs)
            return []
        part.ended = part.ended or part.call.ended
        return found

    def _note(self, part: _Part, kind: bytes, data: bytes) -> Iterable[CapturedPacket]:
        if kind == PACKETS:
            return _packets(data, part.refs)
        found = json.loads(data)
        if kind == STARTED:
            self.known += [(str(ref), str(name)) for ref, name in found["known"]]
            self.links |= {int(one) for one in found["links"]}
        elif kind == GONE:
            self._end(str(one) for one in found)
        elif kind == DROPS:
            self._drops |= {str(ref): int(count) for ref, count in found.items()}
            part.ended = True
        return ()

    def _end(self, refs: Iterable[str]) -> None:
        for ref in refs:
            if ref in self.refs:
                self.refs.remove(ref)
                self._gone.append(ref)


class _Part:
    """The part of a capture on one machine, as messages."""

    def __init__(self, call: Call, refs: Sequence[str]) -> None:
        self.call, self.refs = call, list(refs)
        self.ended = False
        self._data = bytearray()

    def until(self, wanted: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield messages up to one of a kind."""
        while not self.call.ended:
            for kind, data in self.read(1.0):
                yield kind, data
                if kind == wanted:
                    return

    def read(self, seconds: float) -> list[tuple[bytes, bytes]]:
        """Return the messages that come within some seconds."""
        for kind, data in self.call.read(seconds):
            if kind == calls.OUT:
                self._data += data
            else:
                notices.notice(data.decode(errors="replace").rstrip())
        found = []
        while len(self._data) >= MESSAGE.size:
            kind, size = MESSAGE.unpack_from(self._data)
            end = MESSAGE.size + size
            if len(self._data) < end:
                break
            found.append((kind, bytes(self._data[MESSAGE.size : end])))
            del self._data[:end]
        return found


def _packets(data: bytes, refs: Sequence[str]) -> Iterator[CapturedPacket]:
    at = 0
    while at < len(data):
        number, name, link, outgoing, moment, size, length = PACKET.unpack_from(data, at)
        start = at + PACKET.size
        at = start + name + size
        interface = data[start : start + name].decode(errors="replace")
        yield CapturedPacket(refs[number], interface, link, moment, data[start + name : at], length, bool(outgoing))


def send(
    lab: SharedLab, place: LabPlace, packet: Packet | Iterable[Packet], count: int, interval: float, interface: str
) -> int:
    """Send packets from an endpoint on another machine, as ``Lab.send`` does; they are built here."""
    from netlab.probe import sending

    packets = sending.checked(packet, count, interval, interface)
    machine = lab.machine_at(place)
    to = sending.destinations(packets)
    (answer,) = ask(lab.etcd.client, [machine], lab.name, "facts", {"ref": place.ref, "to": to})
    found = json.loads(answer)
    addresses = {int(family): address for family, address in found["addresses"].items()}
    frames = sending.frames(packets, place.ref, interface, sending.Facts(found["links"], addresses, found["sources"]))
    data = "\n".join(f"{one.interface} {one.to} {one.data.hex()}" for one in frames).encode()
    if len(data) > _MOST_SENT:
        raise UsageError(f"packets of {len(data) // 2:,} bytes are too many for another machine; send fewer at once")
    with _call(lab, machine, "send", {"ref": place.ref, "count": count, "interval": interval}) as call:
        call.write(data)
        call.end_input()
        return int(json.loads(call.answer()))


@contextlib.contextmanager
def tracing(
    lab: SharedLab, match: Match, nodes: Mapping[str, Sequence[str]]
) -> Iterator[Callable[[], Mapping[str, Sequence[Event]]]]:
    """Trace the matching packets on nodes during a block; yield a function that ends it, and returns what they met.

    ``nodes`` has the nft families of each node.
    """
    by_machine: dict[str, list[Any]] = {}
    for node, families in nodes.items():
        by_machine.setdefault(lab.known.spec.placed[f"node:{node}"], []).append([node, list(families)])
    fields = {
        "protocol": match.protocol,
        "sources": [*map(str, match.sources)],
        "destinations": [*map(str, match.destinations)],
        "ports": list(match.ports),
    }
    with contextlib.ExitStack() as stack:
        running = [
            stack.enter_context(_call(lab, machine, "monitor", {"nodes": found, "match": fields}))
            for machine, found in by_machine.items()
        ]
        heads = [call.until_ready() for call in running]

        def events() -> Mapping[str, Sequence[Event]]:
            found: dict[str, Sequence[Event]] = {}
            for call in running:
                call.end_input()
            for call, head in zip(running, heads, strict=True):
                data = json.loads(head + call.answer())
                found |= {str(node): [Event(**one) for one in every] for node, every in data.items()}
            return found

        yield events


def _call(lab: SharedLab, machine: str, what: str, arguments: Mapping[str, Any]) -> Call:
    return Call(lab.etcd.client, machine, lab.name, what, arguments)
