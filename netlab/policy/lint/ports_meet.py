"""Whether two lists of ports have a port in common on a destination."""

from __future__ import annotations

from collections.abc import Sequence

from netlab.cluster.types import Pod
from netlab.objects.policies import PolicyPort
from netlab.policy.matching import container_port

_LAST = 65535


def ports_meet(one: Sequence[PolicyPort], other: Sequence[PolicyPort], destination: Pod) -> bool:
    """Say whether a packet to a pod matches the ``ports`` of two rules; no items match every packet."""
    first, second = _ranges(one, destination), _ranges(other, destination)
    if first is None or second is None:
        return first != [] and second != []
    return any(
        protocol == theirs and low <= last and begin <= high
        for protocol, low, high in first
        for theirs, begin, last in second
    )


def _ranges(items: Sequence[PolicyPort], destination: Pod) -> list[tuple[str, int, int]] | None:
    """Return the ports of some items on a pod: protocol, first and last. None stands for everything."""
    if not items:
        return None
    found: list[tuple[str, int, int]] = []
    for item in items:
        port = item.port
        if isinstance(port, str):
            port = container_port(destination, port, item.protocol)
            if port is None:
                continue
        if port is None:
            found.append((item.protocol, 1, _LAST))
        elif port:
            found.append((item.protocol, port, item.end_port or port))
    return found
