"""What probes expect of a lab whose links delay or lose packets: how long to wait, and how often to ask again.

Where a link loses packets, a control can arrive although its probe was lost. So a packet that did not arrive is denied
only after so many attempts that chance explains them less than once in a million probes.
"""

from __future__ import annotations

from math import ceil, log

from netlab.cluster.types import Cluster, ImpairedLink, Pod
from netlab.frozen import frozen
from netlab.objects.links import WHOLE
from netlab.probe.verdicts import Evidence
from netlab.verdicts import Measured

_CHANCE = 1e-6
# More repeats than these take minutes; with such a loss nothing can be denied.
_MOST_MISSES = 40
# An attempt counts only where its control arrived, so more are made than are counted.
_ATTEMPTS_PER_MISS = 3
# A link with a rate queues a thousand packets; a probe has some five, with its controls and answer.
_BATCH, _BATCH_OF_RATE = 1_000, 100
# Bits of a probe with all of its packets, and their headers.
_PROBE_BITS = 5 * 100 * 8
_MOST_SECONDS = 120.0


@frozen
class SlowLinks:
    """What probes expect of links.

    Args:
      seconds: how much longer than on a fast path an answer takes, at most.
      settle: by how many seconds a packet can overtake another one, at most.
      misses: in how many attempts a packet must be missing until it counts as denied; 0: in none of any number.
      attempts: how many attempts are made.
      batch: the most probes that are sent before the answers of all are awaited.
    """

    seconds: float
    settle: float
    misses: int
    attempts: int
    batch: int

    def judge(self, seen: Evidence, found: tuple[Measured, str], misses: int, *, arrived: bool) -> tuple[Measured, str]:
        """Return a verdict and its reason, inconclusive where a denial may have been a loss.

        Args:
          seen: the evidence of the last attempt.
          found: the verdict and reason of that attempt alone.
          misses: in how many attempts the packet was missing, with the last one.
          arrived: whether the packet arrived in any attempt.
        """
        if self.misses == 1 or not may_be_loss(seen, found[0]):
            return found
        if arrived:
            return "inconclusive", "arrived in one attempt, and not in another: a link of the lab loses packets"
        if self.misses and misses >= self.misses:
            return "deny", f"{found[1]}; missing in {misses} attempts, as links of the lab lose packets"
        return "inconclusive", f"{found[1]}; but links of the lab lose packets, and {misses} attempts are too few"


def may_be_loss(seen: Evidence, verdict: Measured) -> bool:
    """Return whether a denial rests on a packet that did not arrive, and that may have been lost."""
    return verdict == "deny" and seen.control and not seen.rejected and not seen.wrong_sender and not seen.refused


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
    kept = 1.0
    for links, times in passes:
        kept *= min((1 - _lost(link) for link in links), default=1.0) ** times
    rate = min((link.netem.rate for link in cluster.links if link.netem.rate), default=0)
    batch = _BATCH_OF_RATE if rate else _BATCH
    queued = hops * batch * _PROBE_BITS / rate if rate else 0.0
    misses = 1
    if kept < 1:
        misses = ceil(log(_CHANCE) / log(1 - kept)) if kept > 0 else 0
        misses = 0 if misses > _MOST_MISSES else max(2, misses)
    seconds = min(_MOST_SECONDS, 2 * one_way + queued)
    return SlowLinks(seconds, min(settle, _MOST_SECONDS), misses, max(3, _ATTEMPTS_PER_MISS * misses), batch)


def _slowest(link: ImpairedLink) -> float:
    return (link.netem.delay + link.netem.jitter) / 1e6


def _overtaken(link: ImpairedLink) -> float:
    netem = link.netem
    return _slowest(link) if netem.reorder else 2 * netem.jitter / 1e6


def _lost(link: ImpairedLink) -> float:
    """Return the share of packets that do not arrive whole."""
    return 1 - (1 - link.netem.loss / WHOLE) * (1 - link.netem.corrupt / WHOLE)
