"""Sends packets that were made with Scapy, from an endpoint of a running lab.

A packet leaves by a socket of the endpoint's namespace, and no namespace of a lab has a link to the host.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from netlab.errors import NotFound, UsageError

if TYPE_CHECKING:
    from scapy.packet import Packet

    from netlab.lab.at_endpoints import Place
    from netlab.lab.lab import Lab


def send(lab: Lab, place: Place, packet: Packet | Iterable[Packet], count: int, interval: float, interface: str) -> int:
    """Do as ``Lab.send``; ``place`` is where the packets leave."""
    from netlab.probe.sending import send as send_inside

    return send_inside(inside(lab, place), place.ref, packet, count, interval, interface)


@contextlib.contextmanager
def inside(lab: Lab, place: Place) -> Iterator[None]:
    """Run a block in the namespace of an endpoint; raises UsageError if it is gone."""
    # The sockets stay in the namespace. Without the lock, a concurrent ``down`` would end this process inside.
    with lab.held(shared=True):
        try:
            with lab.machine.inside(place.namespace):
                yield
        except NotFound as error:
            raise UsageError(f"{place.ref} is gone: {error}") from error
