"""One packet from each end of a probe, so that bridges learn its port before the first probe.

A bridge floods a frame to a MAC that it has not learned, and it learns from senders only. A pod that every policy
denies never answers. With 200 pods on a node each flooded probe made 200 copies, and each copy ran through the rules:
a third of a matrix's time. A bridge forgets a MAC after 300 s, so the packets are repeated.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from netlab.probe import control, schedule
from netlab.probe.probes import End, Probe
from netlab.probe.worker_state import Shared

# Seconds. A bridge forgets after 300 (net/bridge, ageing_time); a block takes less than the rest.
REPEAT_SECONDS = 100.0


def due(shared: Shared, probes: Collection[Probe], announced: dict[End, float], now: float) -> list[tuple[End, End]]:
    """Return the pairs (end, its partner) to announce: each end of a probe and each node, if it is due again.

    ``announced`` has the time, in seconds, at which each end was announced last; it is brought up to ``now``.
    """
    ends = [probe.source for probe in probes]
    ends += [probe.destination for probe in probes]
    ends += [probe.translator for probe in probes if probe.translator is not None]
    return due_of(shared, ends, announced, now)


def due_of(shared: Shared, found: Iterable[End], announced: dict[End, float], now: float) -> list[tuple[End, End]]:
    """Do as ``due`` for ends that are given."""
    ends = dict.fromkeys(found)
    nodes = _nodes(shared, {end.family for end in ends})
    silent = [
        end for end in dict.fromkeys((*ends, *nodes)) if now - announced.get(end, -REPEAT_SECONDS) >= REPEAT_SECONDS
    ]
    announced.update(dict.fromkeys(silent, now))
    pairs = ((end, control.partner_end(shared, end)) for end in silent)
    return [(end, other) for end, other in pairs if other is not None]


def send(shared: Shared, pairs: Sequence[tuple[End, End]]) -> None:
    """Send the announcements; a lost one costs time only."""
    for start in range(0, len(pairs), schedule.PER_RECEIVER):
        for source, destination in pairs[start : start + schedule.PER_RECEIVER]:
            control.send(shared, source, destination)
        for _ in shared.sockets.receive(0):
            pass


def _nodes(shared: Shared, families: Iterable[int]) -> Iterator[End]:
    found = (shared.probes.end(node, family) for family in families for node in shared.cluster.nodes)
    return (end for end in found if isinstance(end, End))
