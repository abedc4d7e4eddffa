"""Sends packets that were made with Scapy.

Scapy may ask for a MAC by ARP while it builds a packet, so it builds inside the network namespace of the sender. Fields
that it would take from the host's routes are filled before.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from netlab.errors import KernelError, UsageError
from netlab.frozen import NamedTuple, frozen
from netlab.kernel.packet_sockets import FrameSender, interfaces, is_interface_name
from netlab.kernel.raw_sockets import Sender, source_of

if TYPE_CHECKING:
    from scapy.packet import Packet

MOST_BYTES = 65_535
MOST_PACKETS = 1_000
MOST_SENT = 100_000
MOST_INTERVAL = 60.0
# Layers of a packet: each may hold the next one.
_MOST_LAYERS = 64

_Send = Callable[[], int]


class Frame(NamedTuple):
    """A packet that is sent: a frame on an interface, or an IP packet to an address (``interface`` is "" then)."""

    interface: str
    to: str
    data: bytes

    @property
    def what(self) -> str:
        return f"a frame on {self.interface}" if self.interface else f"a packet to {self.to}"


@frozen
class Facts:
    """What fills the fields that a packet lacks.

    Args:
      links: the MAC of each interface of the sender's namespace.
      addresses: its first address of each family, "" for none.
      sources: the source that the kernel chooses, by destination.
    """

    links: Mapping[str, str]
    addresses: Mapping[int, str]
    sources: Mapping[str, str]

    @property
    def device(self) -> str:
        return next((name for name in ("eth0", "underlay0") if name in self.links), "lo")

    def source(self, destination: str, family: int) -> str:
        """Return the source that the kernel would choose; without a route, the first address of the family."""
        return self.sources.get(destination) or self.addresses[family]

    def mac(self, device: str) -> str:
        return self.links.get(device, "")


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
    packets = checked(packet, count, interval, interface)
    with contextlib.ExitStack() as stack:
        with inside:
            found = frames(packets, ref, interface, facts(destinations(packets)))
            sends = [*_opened(found, stack)]
        return _send_all(sends, ref, count, interval)


def send_frames(
    inside: AbstractContextManager[None], ref: str, found: Sequence[Frame], count: int, interval: float
) -> int:
    """Send what ``frames`` returned; arguments and errors are those of ``send``."""
    with contextlib.ExitStack() as stack:
        with inside:
            sends = [*_opened(found, stack)]
        return _send_all(sends, ref, count, interval)


def checked(packet: Packet | Iterable[Packet], count: int, interval: float, interface: str) -> list[Packet]:
    """Return copies of the packets, one for each value of fields with ranges; raises UsageError as ``send`` does."""
    if not 0 < count <= MOST_SENT:
        raise UsageError(f"count is {count}; it is from 1 to {MOST_SENT:,}")
    if not 0 <= interval <= MOST_INTERVAL:
        raise UsageError(f"interval is {interval} seconds; it is from 0 to {MOST_INTERVAL:g}")
    if interface and not is_interface_name(interface):
        raise UsageError(f"{interface!r} is not the name of an interface")
    packets = _expanded(packet)
    if len(packets) * count > MOST_SENT:
        raise UsageError(f"{len(packets):,} packets {count:,} times are more than {MOST_SENT:,}")
    return packets


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


def destinations(packets: Iterable[Packet]) -> list[str]:
    """Return the addresses whose source the kernel chooses: where packets are to, also those inside of tunnels."""
    from scapy.layers.l2 import ARP

    found = []
    for layer in (layer for packet in packets for layer in _layers(packet)):
        if _is_ip(layer):
            found.append(str(layer.fields.get("dst")))
        elif isinstance(layer, ARP):
            found.append(str(layer.pdst))
    return list(dict.fromkeys(one for one in found if _family(one)))


def facts(to: Iterable[str]) -> Facts:
    """Return what fills packets to some addresses in the namespace that the thread is in."""
    from netlab.kernel.interfaces import addresses

    links = {name: mac for name, (_, mac) in interfaces().items()}
    first = {family: next((str(one) for one in addresses(family)), "") for family in (4, 6)}
    return Facts(links, first, {one: source_of(one, _family(one)) for one in to})


def frames(packets: Iterable[Packet], ref: str, interface: str, own: Facts) -> list[Frame]:
    """Return packets as they are sent, with the fields that they lack; raises UsageError as ``send`` does."""
    return [_frame(packet, ref, interface, own) for packet in packets]


def _frame(packet: Packet, ref: str, interface: str, own: Facts) -> Frame:
    from scapy.layers.l2 import Dot3, Ether

    if isinstance(packet, (Ether, Dot3)):
        device = interface or own.device
        if device not in own.links:
            raise UsageError(f"{ref} has no interface {device!r}; it has {', '.join(own.links)}")
        _fill(packet, own, device)
        return Frame(device, "", _built(packet))
    if not _is_ip(packet):
        raise UsageError(f"a packet begins with Ether, IP or IPv6, not with {packet.name}")
    if interface:
        raise UsageError("an IP packet leaves by the interface of its route; give it an Ether to choose one")
    _fill(packet, own, own.device)
    return Frame("", str(packet.dst), _built(packet))


def _opened(found: Iterable[Frame], stack: contextlib.ExitStack) -> Iterator[tuple[_Send, str]]:
    """Yield, for each frame, the function that sends it and what to call it; the thread is in the namespace."""
    by_device: dict[str, FrameSender] = {}
    raw: dict[int, Sender] = {}
    for one in found:
        if one.interface:
            if one.interface not in by_device:
                by_device[one.interface] = FrameSender(one.interface)
                stack.callback(by_device[one.interface].close)
            yield partial(by_device[one.interface].send, one.data), one.what
        else:
            family = _family(one.to)
            if family not in raw:
                raw[family] = Sender(family)
                stack.callback(raw[family].close)
            yield partial(raw[family].send, bytearray(one.data), one.to), one.what


def _layers(packet: Packet) -> Iterator[Packet]:
    """Yield the layers of a packet; raises UsageError where there are too many."""
    from scapy.packet import NoPayload

    layer = packet
    for _ in range(_MOST_LAYERS):
        if isinstance(layer, NoPayload) or layer is None:
            return
        yield layer
        layer = layer.payload
    raise UsageError(f"a packet with more than {_MOST_LAYERS} layers")


def _is_ip(layer: Packet) -> bool:
    from scapy.layers.inet import IP
    from scapy.layers.inet6 import IPv6

    return isinstance(layer, (IP, IPv6))


def _family(text: str) -> int:
    """Return the family of an address, 0 for another text."""
    try:
        return ip_address(text).version
    except ValueError:
        return 0


def _fill(packet: Packet, own: Facts, device: str) -> None:
    """Fill the sources of all layers, which Scapy would take from the host; a missing destination is a UsageError."""
    from scapy.layers.inet6 import IPv6
    from scapy.layers.l2 import ARP, Dot3, Ether

    for layer in _layers(packet):
        if isinstance(layer, (Ether, Dot3)):
            _need(layer, "dst", "the MAC")
            _default(layer, "src", own.mac(device))
        elif _is_ip(layer):
            family = 6 if isinstance(layer, IPv6) else 4
            _need(layer, "dst", "the address")
            _address(layer, family)
            _default(layer, "src", own.source(str(layer.fields["dst"]), family))
        elif isinstance(layer, ARP):
            _default(layer, "hwsrc", own.mac(device))
            _default(layer, "psrc", own.source(str(layer.pdst), 4))


def _need(layer: Packet, field: str, what: str) -> None:
    if layer.fields.get(field) is None:
        raise UsageError(f"{layer.name}: {field} is missing: {what} that the packet is to")


def _address(layer: Packet, family: int) -> None:
    """Raise UsageError for a destination that is no address: Scapy would ask the host's DNS."""
    text = str(layer.fields["dst"])
    if _family(text) != family:
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
