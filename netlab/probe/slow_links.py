"""What probes expect of a lab whose links delay or lose packets: how long to wait, and how often to ask again.

Where a link loses packets, a control can arrive although its probe was lost. So a packet that did not arrive is denied
only after so many attempts that chance explains them less than once in a million probes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import ceil, log
from typing import TYPE_CHECKING

from netlab.cluster.types import Cluster, Endpoint, ImpairedLink, Pod
from netlab.frozen import frozen
from netlab.objects.links import WHOLE
from netlab.probe.verdicts import Evidence
from netlab.verdicts import Measured

if TYPE_CHECKING:
    from netlab.probe.probes import Probe

_CHANCE = 1e-6
# More repeats than these take minutes; with such a loss nothing can be denied.
_MOST_MISSES = 40
# An attempt counts only where its control arrived, so more are made than are counted.
_ATTEMPTS_PER_MISS = 3
_LEAST_ATTEMPTS = 3
MOST_ATTEMPTS = _ATTEMPTS_PER_MISS * _MOST_MISSES
# A link with a rate queues a thousand packets; a probe has some five, with its controls and answer.
_BATCH, _BATCH_OF_RATE = 1_000, 100
# Bits of a probe with all of its packets, and their headers.
_PROBE_BITS = 5 * 100 * 8
_MOST_SECONDS = 120.0


@frozen
class SlowLinks:
    """What probes expect of the links of a lab.

    Args:
      seconds: how much longer than on a fast path an answer takes, at most.
      settle: by how many seconds a packet can overtake another one, at most.
      batch: the most probes that are sent before the answers of all are awaited.
      kept: the share of packets that each link keeps whole, by its ends.
    """

    seconds: float
    settle: float
    batch: int
    kept: Mapping[tuple[str, ...], float]

    def misses(self, way: Sequence[Endpoint]) -> int:
        """Return in how many attempts a packet must be missing until it counts as denied; 0: no number is enough.

        ``way`` has its source, the node that translates it if there is one, and its destination.
        """
        kept = 1.0
        for end in (way[0], way[-1]):
            kept *= self.kept.get((end.ref,), 1.0) if isinstance(end, Pod) else 1.0
        for one, other in pairwise(map(_machine, way)):
            if one != other:
                pair = (one, other) if one < other else (other, one)
                kept *= self.kept.get(pair, 1.0) * self.kept.get((one,), 1.0) * self.kept.get((other,), 1.0)
        if kept == 1:
            return 1
        needed = ceil(log(_CHANCE) / log(1 - kept) - 1e-9) if kept > 0 else _MOST_MISSES + 1
        return 0 if needed > _MOST_MISSES else max(2, needed)


def attempts(misses: int) -> int:
    """Return how many attempts are made where so many must miss a packet."""
    return max(_LEAST_ATTEMPTS, _ATTEMPTS_PER_MISS * misses if misses > 1 else 0)


def judge(
    seen: Evidence, found: tuple[Measured, str], *, misses: int, needed: int, arrived: bool
) -> tuple[Measured, str]:
    """Return a verdict and its reason, inconclusive where a denial may have been a loss.

    Args:
      seen: the evidence of the last attempt.
      found: the verdict and reason of that attempt alone.
      misses: in how many attempts the packet was missing, with the last one.
      needed: in how many attempts it must be missing; 0: no number is enough.
      arrived: whether the packet arrived in any attempt.
    """
    if needed == 1 or not may_be_loss(seen, found[0]):
        return found
    if arrived:
        return "inconclusive", "arrived in one attempt, and not in another: a link of the lab loses packets"
    if needed and misses >= needed:
        return "deny", f"{found[1]}; missing in {misses} attempts, as links of the lab lose packets"
    return "inconclusive", f"{found[1]}; but links of the lab lose packets, and {misses} attempts are too few"


def may_be_loss(seen: Evidence, verdict: Measured) -> bool:
    """Return whether a denial rests on a packet that did not arrive, and that may have been lost."""
    return verdict == "deny" and seen.control and not seen.rejected and not seen.wrong_sender and not seen.refused


class Repeats:
    """The attempts at some probes, until chance does not explain what is missing; ``number`` were made."""

    def __init__(self, slow: SlowLinks, probes: Sequence[Probe]) -> None:
        self.number = 0
        self._needed = {id(probe): slow.misses(_way(probe)) for probe in probes}
        self._misses = dict.fromkeys(self._needed, 0)
        self._arrived: set[int] = set()

    def judge(self, probes: Sequence[Probe]) -> list[Probe]:
        """Judge probes after one more attempt at them; return those that need another one."""
        self.number += 1
        for probe in probes:
            seen, key = probe.evidence, id(probe)
            self._misses[key] += may_be_loss(seen, probe.verdict)
            if seen.arrived and not seen.past_node:
                self._arrived.add(key)
            probe.verdict, probe.reason = judge(
                seen,
                (probe.verdict, probe.reason),
                misses=self._misses[key],
                needed=self._needed[key],
                arrived=key in self._arrived,
            )
        waiting = (probe for probe in probes if probe.verdict == "inconclusive")
        return [probe for probe in waiting if self.number < attempts(self._needed[id(probe)])]


def _way(probe: Probe) -> list[Endpoint]:
    """Return the source of a probe, the node that translates it if there is one, and its destination."""
    between = [] if probe.translator is None else [probe.target.endpoint]
    return [probe.source.endpoint, *between, probe.destination.endpoint]


def expected(cluster: Cluster) -> SlowLinks | None:
    """Return what probes of a cluster expect of its links, None where all are fast and lose nothing."""
    if not cluster.links:
        return None
    pairs = [link for link in cluster.links if len(link.ends) > 1]
    pods = [link for link in cluster.links if isinstance(cluster.by_ref[link.ends[0]], Pod)]
    machines = [link for link in cluster.links if len(link.ends) == 1 and link not in pods]
    # A packet to a Service goes from machine to machine twice, else once, and through the links of both ends.
    hops = 2 if cluster.services else 1
    passes = ((pairs, hops), (machines, 2 * hops), (pods, 2))
    one_way = sum(times * max((_slowest(link) for link in links), default=0.0) for links, times in passes)
    settle = sum(times * max((_overtaken(link) for link in links), default=0.0) for links, times in passes)
    rate = min((link.netem.rate for link in cluster.links if link.netem.rate), default=0)
    batch = _BATCH_OF_RATE if rate else _BATCH
    queued = 2 * hops * batch * _PROBE_BITS / rate if rate else 0.0
    return SlowLinks(
        seconds=min(_MOST_SECONDS, 2 * one_way + queued),
        settle=min(_MOST_SECONDS, settle),
        batch=batch,
        kept={link.ends: _kept(link) for link in cluster.links},
    )


def _machine(end: Endpoint) -> str:
    """Return the reference of the machine that an end is on."""
    return f"node:{end.node}" if isinstance(end, Pod) else end.ref


def _slowest(link: ImpairedLink) -> float:
    return (link.netem.delay + link.netem.jitter) / 1e6


def _overtaken(link: ImpairedLink) -> float:
    netem = link.netem
    return _slowest(link) if netem.reorder else 2 * netem.jitter / 1e6


def _kept(link: ImpairedLink) -> float:
    """Return the share of packets that arrive whole."""
    return (WHOLE - link.netem.loss) / WHOLE * ((WHOLE - link.netem.corrupt) / WHOLE)
