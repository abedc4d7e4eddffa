"""``Sniffer``: the packets of an endpoint while a program does something else, as Scapy's packets.

The kernel keeps the packets in a socket's buffer until they are read. Rejected: a thread that reads them. netlab forks
the processes that probe, and without root it enters namespaces, and neither may happen beside a thread.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Self

from netlab.errors import UsageError
from netlab.probe.capture import Limits, PacketSource, Place, batches

if TYPE_CHECKING:
    from scapy.packet import Packet

    from netlab.lab.lab import Lab

MOST_PACKETS = 10_000
_MOST_BYTES = 64 << 20
_MOST_SECONDS = 3600.0
_BUFFER = 32 << 20


class Sniffer:
    """Receives packets of endpoints from the start of a ``with`` block on; ``Lab.sniff`` returns it.

    After the block, ``packets`` has those that came, by time. Inside the block, iterating yields packets as they come,
    until ``count`` came in all, or ``seconds`` are over.

    A packet is Scapy's, with its ``time``. ``sniffed_on`` is ``ENDPOINT:INTERFACE``. ``direction`` is 1 if it came to
    the endpoint, 2 if it left it. Scapy's ``wrpcapng`` writes these too. ``drops`` is the number of packets that were
    lost, as they were not read in time; it is known after the block.

    Example::

        with lab.sniff("shop/db") as sniffer:
            lab.send("shop/web", IP(dst=address) / TCP(dport=5432))
        for packet in sniffer.packets:
            print(packet.time, packet.sniffed_on, packet.summary())
    """

    def __init__(
        self, lab: Lab, places: Sequence[Place], expression: str, count: int | None, seconds: float, interface: str
    ) -> None:
        if count is not None and not 0 < count <= MOST_PACKETS:
            raise UsageError(f"count is {count}; it is from 1 to {MOST_PACKETS:,}")
        if not 0 <= seconds <= _MOST_SECONDS:
            raise UsageError(f"seconds is {seconds}; it is from 0 to {_MOST_SECONDS:g}")
        self._lab, self._places, self._expression, self._interface = lab, places, expression, interface
        self._left = count or MOST_PACKETS
        self._seconds = seconds
        self._capture: PacketSource | None = None
        self.packets: list[Packet] = []
        self.drops = 0

    def __enter__(self) -> Self:
        from netlab.lab.capture import open_capture

        self._capture = open_capture(
            self._lab, self._places, interface=self._interface, expression=self._expression, buffer=_BUFFER
        )
        return self

    def __exit__(self, kind: object, *error: object) -> None:
        if self._capture is None:
            return
        with contextlib.closing(self._capture):
            if kind is None:
                for _ in self:
                    pass
            self.drops = sum(self._capture.drops().values())
        self._capture = None

    def __iter__(self) -> Iterator[Packet]:
        """Yield packets as they come, until ``count`` came in all, or ``seconds`` are over since this call.

        Raises:
          UsageError: outside of the ``with`` block.
        """
        from netlab.probe.packet_text import scapy_packet

        if self._capture is None:
            raise UsageError("a sniffer receives packets inside its `with` block only")
        if not self._left:
            return
        for came in batches(self._capture, Limits(self._left, _MOST_BYTES, self._seconds)):
            found = [scapy_packet(one) for one in came]
            # A batch counts also where its reader stops within it.
            self._left -= len(found)
            self.packets += found
            yield from found
