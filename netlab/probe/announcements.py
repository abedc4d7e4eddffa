"""One packet from each end that will be asked, so that bridges know its port before the first probe.

A bridge floods what is addressed to a MAC that it has not learned, and it learns from senders only; a pod to which all
is denied never answers. With 200 pods on a node each flooded probe was 200 copies, each of which ran through the rules:
a third of a matrix's time. A bridge forgets after 300 s, so the packets are repeated.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from netlab.probe import control, schedule
from netlab.probe.probes import End, Probe
from netlab.probe.shared import Shared

# Well before a bridge forgets (net/bridge, ageing_time), the length of a block included.
AGAIN = 100.0


def due(shared: Shared, probes: Iterable[Probe], announced: dict[End, float], now: float) -> list[tuple[End, End]]:
    """Return the pairs (end, its peer) that are to be announced: each end of a probe, and each node.

    ``announced`` is when each end was announced last, in seconds; those of a short while before ``now`` are left out.
    """
    ends = dict.fromkeys(end for probe in probes for end in (probe.source, probe.destination, probe.target))
    nodes = _nodes(shared, {end.family for end in ends})
    silent = [end for end in dict.fromkeys((*ends, *nodes)) if now - announced.get(end, -AGAIN) >= AGAIN]
    announced.update(dict.fromkeys(silent, now))
    pairs = ((end, control.peer_end(shared, end)) for end in silent)
    return [(end, other) for end, other in pairs if other is not None]


def send(shared: Shared, pairs: Sequence[tuple[End, End]]) -> None:
    """Send the announcements; none is waited for, and nothing follows from one that is lost."""
    for start in range(0, len(pairs), schedule.PER_RECEIVER):
        for source, destination in pairs[start : start + schedule.PER_RECEIVER]:
            control.send(shared, source, destination)
        for _ in shared.sockets.receive(0):
            pass


def _nodes(shared: Shared, families: Iterable[int]) -> Iterator[End]:
    found = (shared.probes.end(node, family) for family in families for node in shared.cluster.nodes)
    return (end for end in found if isinstance(end, End))
