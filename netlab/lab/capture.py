"""Opens a capture of a running lab's endpoints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from netlab.dataplane.names import port_name
from netlab.errors import UsageError
from netlab.probe.capture import BUFFER, MOST_LENGTH, PacketSource, Place, compiled

if TYPE_CHECKING:
    from netlab.lab.lab import Lab

MOST_PLACES = 1000
"""Endpoints of one capture: each has a receive buffer of its own."""


def open_capture(
    lab: Lab,
    places: Sequence[Place],
    *,
    interface: str = "",
    expression: str = "",
    length: int = MOST_LENGTH,
    buffer: int = BUFFER,
) -> PacketSource:
    """Return a capture of endpoints; close it after use.

    Args:
      lab: the running lab.
      places: the endpoints.
      interface: the name of the interface in each namespace, "" for all.
      expression: a filter in the syntax of pcap-filter(7), "" for all packets.
      length: bytes that packets are cut to.
      buffer: bytes of the receive buffer of each namespace.

    Raises:
      UsageError: for an unknown interface, a wrong filter, too many endpoints, or an endpoint that is gone.
      HostError: when libpcap is missing, which compiles filters.
      KernelError: when the kernel refuses a socket.
    """
    if len(places) > MOST_PLACES:
        raise UsageError(f"a capture of {len(places):,} endpoints; the most are {MOST_PLACES:,}")
    return lab.receive(places, interface, compiled(interface, expression, length), length, buffer)


def pods_behind(lab: Lab, places: Sequence[Place]) -> Mapping[tuple[str, str], str]:
    """Return the pod that a link of a node leads to, by the node's reference and the name of the link."""
    nodes = [place.ref.removeprefix("node:") for place in places if place.ref.startswith("node:")]
    return {(f"node:{node}", port_name(pod)): pod.ref for node in nodes for pod in lab.cluster.pods_on(node)}
