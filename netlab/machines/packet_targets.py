"""What an agent does with packets for calls: it captures, sends and traces them in endpoints of its machine."""

from __future__ import annotations

import contextlib
import json
import os
import select
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from netlab.errors import UsageError
from netlab.machines.call_request import Request, read_input, write, write_json
from netlab.machines.calls import READY

if TYPE_CHECKING:
    from netlab.probe.capture import PacketSource
    from netlab.probe.capture_files import CapturedPacket

MESSAGE = struct.Struct("<cI")
"""What stands before a message of a capture: its kind, and the bytes that follow."""

STARTED, PACKETS, GONE, DROPS = b"s", b"p", b"g", b"d"
PACKET = struct.Struct("<HBBBqII")
"""What stands before a packet: the number of its endpoint, the length of the interface's name, the kind of link,
whether it was sent, its time, and the bytes that follow and those of the whole packet."""

_SECONDS = 0.1
_MOST_BUFFER, _MOST_PROGRAM, _MOST_PLACES = 64 << 20, 1 << 16, 1000
_MOST_SENT = 16 << 20


def capture(request: Request) -> None:
    """Capture packets until the input ends, and write them as messages.

    The arguments are ``refs``, ``interface``, ``program``, ``length`` and ``buffer``.
    """
    from netlab.kernel.packet_sockets import is_interface_name
    from netlab.probe.capture import MOST_LENGTH, Place

    refs, interface = request.texts("refs"), request.text("interface")
    program = _bytes(request.text("program"), _MOST_PROGRAM)
    length, buffer = (int(request.number(*one)) for one in (("length", MOST_LENGTH), ("buffer", _MOST_BUFFER)))
    if len(refs) > _MOST_PLACES or (interface and not is_interface_name(interface)):
        raise UsageError("a capture with too many endpoints, or of no interface")
    with request.opened() as lab:
        places = [Place(ref, request.place(lab, ref).namespace) for ref in refs]
        with contextlib.closing(lab.receive(places, interface, program, length, buffer)) as running:
            _send(STARTED, json.dumps({"known": running.known, "links": sorted(running.links)}).encode())
            _capture(running, {ref: number for number, ref in enumerate(refs)})


def _capture(running: PacketSource, numbers: dict[str, int]) -> None:
    while running.refs and not _input_ended():
        _send_packets(running.packets(_SECONDS), numbers)
        if gone := running.gone():
            _send(GONE, json.dumps(gone).encode())
    # What came before the end still waits; a flood does not end.
    _send_packets(running.packets(0), numbers)
    _send(DROPS, json.dumps(running.drops()).encode())


def _send_packets(packets: Sequence[CapturedPacket], numbers: dict[str, int]) -> None:
    if packets:
        _send(PACKETS, b"".join(_packet(one, numbers[one.ref]) for one in packets))


def _packet(packet: CapturedPacket, number: int) -> bytes:
    name, data = packet.interface.encode(), packet.data
    sizes = packet.time, len(data), packet.length
    return PACKET.pack(number, len(name), packet.link, packet.outgoing, *sizes) + name + data


def _send(kind: bytes, data: bytes) -> None:
    write(MESSAGE.pack(kind, len(data)) + data)


def _input_ended() -> bool:
    return bool(select.select([0], [], [], 0)[0]) and not os.read(0, 64)


def facts(request: Request) -> None:
    """Write what fills packets that are sent from ``ref`` to the addresses ``to``: ``probe.sending.Facts``."""
    from netlab.probe import sending

    to = [str(_address(one)) for one in request.texts("to")]
    with request.opened() as lab:
        place = request.place(lab, request.text("ref"))
        with lab.held(shared=True), lab.machine.inside(place.namespace):
            found = sending.facts(to)
    write_json(asdict(found))


def send(request: Request) -> None:
    """Send packets from ``ref``, and write how many were sent.

    The input has a line for each packet: its interface, the address that it is to, and its bytes.
    """
    from netlab.lab.sending import inside
    from netlab.probe import sending

    count, interval = int(request.number("count", sending.MOST_SENT)), request.number("interval", sending.MOST_INTERVAL)
    frames = [*_frames(read_input(_MOST_SENT))]
    if not 0 < len(frames) <= sending.MOST_PACKETS or not 0 < count * len(frames) <= sending.MOST_SENT:
        raise UsageError("too many packets, or none")
    with request.opened() as lab:
        place = request.place(lab, request.text("ref"))
        write_json(sending.send_frames(inside(lab, place), place.ref, frames, count, interval))


def _frames(data: bytes) -> Iterator[Any]:
    from netlab.kernel.packet_sockets import is_interface_name
    from netlab.probe.sending import MOST_BYTES, Frame

    for line in data.decode(errors="replace").split("\n"):
        interface, to, text = [*line.split(" "), "", ""][:3]
        if interface and not is_interface_name(interface):
            raise UsageError("a packet for no interface")
        yield Frame(interface, "" if interface else str(_address(to)), _bytes(text, MOST_BYTES))


def monitor(request: Request) -> None:
    """Trace packets on ``nodes`` until the input ends, and then write what they met there.

    ``nodes`` is a list of names with nft families, ``match`` has the fields of ``Match``.
    """
    from netlab.cluster.types import Node
    from netlab.kernel.machine import Match

    found = request.arguments.get("match")
    if not isinstance(found, dict) or found.get("protocol") not in ("TCP", "UDP", "SCTP", "ICMP"):
        raise UsageError("a trace of no packets")
    sources, to = ([_address(one) for one in found.get(name) or ()] for name in ("sources", "destinations"))
    match = Match(found["protocol"], sources, to, [_port(one) for one in found.get("ports") or ()])
    # A change would be traced in part. The caller holds the lab's lock in etcd; this is for the machine's own commands.
    with request.opened() as lab, lab.held(shared=True), contextlib.ExitStack() as stack:
        monitors: dict[str, Callable[[], Sequence[Any]]] = {}
        for name, families in request.items("nodes"):
            place = request.place(lab, f"node:{name}")
            if not isinstance(lab.cluster.by_ref.get(place.ref), Node) or not {*families} <= {"inet", "bridge"}:
                raise UsageError("a trace of no node")
            monitors[name] = stack.enter_context(lab.machine.monitor(place.namespace, match, families)).events
        write(READY)
        read_input(0)
        write_json({name: [asdict(event) for event in events()] for name, events in monitors.items()})


def _address(text: object) -> Any:
    try:
        address = ip_address(str(text))
    except ValueError as error:
        raise UsageError("a text that is no address") from error
    if address.version == 6 and address.scope_id:
        raise UsageError("an address with a zone")
    return address


def _port(value: object) -> int:
    if type(value) is not int or not 0 <= value <= 65535:
        raise UsageError("a number that is no port")
    return value


def _bytes(text: str, most: int) -> bytes:
    try:
        data = bytes.fromhex(text)
    except ValueError as error:
        raise UsageError("a text that is no bytes") from error
    if not data or len(data) > most:
        raise UsageError(f"no bytes, or more than {most:,}")
    return data
