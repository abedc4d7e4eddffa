"""Sends packets that were made with Scapy.

Scapy may ask for a MAC by ARP while it builds a packet, so it builds inside the network namespace of the sender. Fields
that it would take from the host's routes are filled before.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from netlab.errors import KernelError, UsageError
from netlab.kernel.packet_sockets import FrameSender, interfaces, is_interface_name
from netlab.kernel.raw_sockets import Sender, source_of

if TYPE_CHECKING:
    from scapy.packet import Packet

MOST_BYTES = 65_535
MOST_PACKETS = 1_000
MOST_SENT = 100_000
_MOST_INTERVAL = 60.0
# Layers of a packet: each may hold the next one.
_MOST_LAYERS = 64

_Send = Callable[[], int]


def send(
    inside: AbstractContextManager[None],
    ref: str,
    packet: Packet | Iterable[Packet],
    count: int,
    interval: float,
    interface: str,
) -> int:
    """Send packets, each ``count`` times with ``interval`` seconds between two; return how many were sent.

    Args:
      inside: enters the network namespace where the packets leave.
      ref: what messages call the sender.
      packet: a packet, or several.
      count: how often each is sent.
      interval: seconds between two packets.
      interface: where a packet that begins with Ether is sent, "" for the namespace's first.

    Raises:
      UsageError: for a packet without destination, or one that is too large or cannot be built.
      KernelError: when the kernel refuses a packet.
    """
    if not 0 < count <= MOST_SENT:
        raise UsageError(f"count is {count}; it is from 1 to {MOST_SENT:,}")
    if not 0 <= interval <= _MOST_INTERVAL:
        raise UsageError(f"interval is {interval} seconds; it is from 0 to {_MOST_INTERVAL:g}")
    if interface and not is_interface_name(interface):
        raise UsageError(f"{interface!r} is not the name of an interface")
    packets = _expanded(packet)
    if len(packets) * count > MOST_SENT:
        raise UsageError(f"{len(packets):,} packets {count:,} times are more than {MOST_SENT:,}")
    with contextlib.ExitStack() as stack:
        with inside:
            sends = [*_prepared(packets, ref, interface, stack)]
        return _send_all(sends, ref, count, interval)


def _send_all(sends: list[tuple[_Send, str]], ref: str, count: int, interval: float) -> int:
    sent = 0
    for one, what in itertools.chain.from_iterable(itertools.repeat(sends, count)):
        if sent and interval:
            time.sleep(interval)
        number = one()
        # A rule of the namespace itself drops what it sends: to the sender, the packet was sent and lost.
        if number not in (0, errno.EPERM):
            raise KernelError.of(f"{ref}: sending {what}", number)
        sent += 1
    return sent


def _expanded(packet: Packet | Iterable[Packet]) -> list[Packet]:
    """Return copies of the packets; one with ranges in its fields, such as ``IP(dst="10.0.0.0/30")``, is several."""
    from scapy.packet import Packet

    given: list[Any] = [packet] if isinstance(packet, Packet) else [*itertools.islice(packet, MOST_PACKETS + 1)]
    for one in given:
        if not isinstance(one, Packet):
            raise UsageError(f"{type(one).__name__} is no packet of Scapy")
    found = [*itertools.islice((one.copy() for each in given for one in each), MOST_PACKETS + 1)]
    if len(found) > MOST_PACKETS:
        raise UsageError(f"more than {MOST_PACKETS:,} packets; send fewer at once")
    return found


def _prepared(
    packets: list[Packet], ref: str, interface: str, stack: contextlib.ExitStack
) -> Iterator[tuple[_Send, str]]:
    """Yield, for each packet, the function that sends it and what to call it; the thread is in the namespace."""
    from scapy.layers.inet import IP
    from scapy.layers.inet6 import IPv6
    from scapy.layers.l2 import Dot3, Ether

    own = _Own()
    frames: dict[str, FrameSender] = {}
    raw: dict[int, Sender] = {}
    for packet in packets:
        if isinstance(packet, (Ether, Dot3)):
            device = interface or own.device
            if device not in own.links:
                raise UsageError(f"{ref} has no interface {device!r}; it has {', '.join(own.links)}")
            _fill(packet, own, device)
            data = _built(packet)
            if device not in frames:
                frames[device] = FrameSender(device)
                stack.callback(frames[device].close)
            yield partial(frames[device].send, data), f"a frame on {device}"
        elif isinstance(packet, (IP, IPv6)):
            if interface:
                raise UsageError("an IP packet leaves by the interface of its route; give it an Ether to choose one")
            family = 6 if isinstance(packet, IPv6) else 4
            _fill(packet, own, own.device)
            data = _built(packet)
            if family not in raw:
                raw[family] = Sender(family)
                stack.callback(raw[family].close)
            to = str(packet.dst)
            yield partial(raw[family].send, bytearray(data), to), f"a packet to {to}"
        else:
            raise UsageError(f"a packet begins with Ether, IP or IPv6, not with {packet.name}")


class _Own:
    """The interfaces and addresses of the namespace that the thread is in."""

    def __init__(self) -> None:
        from netlab.kernel.interfaces import addresses

        self.links = interfaces()
        self.device = next((name for name in ("eth0", "underlay0") if name in self.links), "lo")
        self.addresses = {family: next((str(one) for one in addresses(family)), "") for family in (4, 6)}

    def source(self, destination: str, family: int) -> str:
        """Return the source that the kernel would choose; without a route, the first address of the family."""
        return source_of(destination, family) or self.addresses[family]

    def mac(self, device: str) -> str:
        return self.links[device][1] if device in self.links else ""


def _fill(packet: Packet, own: _Own, device: str) -> None:
    """Fill the sources of all layers, which Scapy would take from the host; a missing destination is a UsageError."""
    from scapy.layers.inet import IP
    from scapy.layers.inet6 import IPv6
    from scapy.layers.l2 import ARP, Dot3, Ether
    from scapy.packet import NoPayload

    layer = packet
    for _ in range(_MOST_LAYERS):
        if isinstance(layer, NoPayload) or layer is None:
            return
        if isinstance(layer, (Ether, Dot3)):
            _need(layer, "dst", "the MAC")
            _default(layer, "src", own.mac(device))
        elif isinstance(layer, (IP, IPv6)):
            family = 6 if isinstance(layer, IPv6) else 4
            _need(layer, "dst", "the address")
            _address(layer, family)
            _default(layer, "src", own.source(str(layer.fields["dst"]), family))
        elif isinstance(layer, ARP):
            _default(layer, "hwsrc", own.mac(device))
            _default(layer, "psrc", own.source(str(layer.pdst), 4))
        layer = layer.payload
    raise UsageError(f"a packet with more than {_MOST_LAYERS} layers")


def _need(layer: Packet, field: str, what: str) -> None:
    if layer.fields.get(field) is None:
        raise UsageError(f"{layer.name}: {field} is missing: {what} that the packet is to")


def _address(layer: Packet, family: int) -> None:
    """Raise UsageError for a destination that is no address: Scapy would ask the host's DNS."""
    text = str(layer.fields["dst"])
    try:
        fits = ip_address(text).version == family
    except ValueError:
        fits = False
    if not fits:
        raise UsageError(f"{layer.name}: dst {text!r} is no IPv{family} address; netlab looks up no name")


def _default(layer: Packet, field: str, value: str) -> None:
    if layer.fields.get(field) is None:
        if not value:
            raise UsageError(f"{layer.name}: {field} is missing, and the endpoint has none")
        layer.setfieldval(field, value)


def _built(packet: Packet) -> bytes:
    try:
        data = bytes(packet)
    except Exception as error:
        why = " ".join(str(error).split())
        raise UsageError(f"Scapy cannot build the packet: {type(error).__name__}: {why}") from error
    if len(data) > MOST_BYTES:
        raise UsageError(f"a packet of {len(data):,} bytes; the most are {MOST_BYTES:,}")
    return data
