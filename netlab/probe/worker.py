"""A worker probes blocks of flows with sockets, ids, source ports and a processor of its own.

So no worker takes a packet of another worker for its own, and several may probe at the same time.
"""

from __future__ import annotations

import contextlib
import gc
import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING

from netlab.cluster.flows import Flow
from netlab.cluster.types import Cluster
from netlab.frozen import frozen
from netlab.kernel import drops, processor
from netlab.kernel.machine import Inside
from netlab.probe import announcements, forwarding, ports
from netlab.probe.attempt import Attempt
from netlab.probe.facts import Question
from netlab.probe.filters import WINDOW
from netlab.probe.neighbours import Neighbours
from netlab.probe.probes import Backends, End, Probe, Unsent
from netlab.probe.verdicts import Measurement, verdict
from netlab.probe.worker_state import Shared

if TYPE_CHECKING:
    from netlab.probe.slow_links import SlowLinks

# A probe uses fewer ids in an attempt: the packet, three controls, two that prove its ends, and one back.
_IDS = 7


@contextlib.contextmanager
def _without_collector() -> Iterator[None]:
    """Keep the garbage collector off during a block of flows.

    It would look at the same thousands of probes again and again, and find nothing: no probe refers to itself.
    """
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


@frozen
class Block:
    """Flows that are measured together, the probe of each flow, and all different probes."""

    flows: Sequence[Flow]
    by_flow: Sequence[Probe | Unsent | Backends]
    probes: Sequence[Probe]

    def measurements(self) -> Iterator[Measurement]:
        """Yield the measurement of each flow, in order; every probe must have its verdict."""
        for flow, probe in zip(self.flows, self.by_flow, strict=True):
            backends = probe.measurements() if isinstance(probe, Backends) else ()
            yield Measurement(flow, probe.verdict, probe.reason, backends)


class Worker:
    """Probes one block at a time: ``prepare`` it here, then ``measure`` it here, or ``measured`` it in a child.

    Args:
      number: the worker's number in its run, from zero.
      first_ident: the first id of the run. Each worker has ``WINDOW`` ids after it.
    """

    def __init__(
        self, number: int, first_ident: int, cluster: Cluster, lab: str, neighbours: Neighbours, inside: Inside
    ) -> None:
        self._number = number
        self._shared = Shared(cluster, lab, first_ident + number * WINDOW, inside)
        self._neighbours = neighbours
        self._counters = drops.Counters()
        self._unwatched = [self._shared.probes.namespace(node) for node in cluster.nodes]
        self._announced: dict[End, float] = {}
        self._unsent: dict[Unsent, Unsent] = {}

    def close(self) -> None:
        self._shared.sockets.close()
        self._counters.close()

    def prepare(self, flows: Sequence[Flow]) -> Block:
        """Return the flows with their probes; open sockets, add neighbours and announce the ends."""
        with _without_collector():
            return self._prepare(flows)

    def _prepare(self, flows: Sequence[Flow]) -> Block:
        known: dict[object, Probe] = {}
        made = [self._shared.probes.probe_of(flow, known) for flow in flows]
        by_flow = [one if isinstance(one, Probe) else self._confirmed(one) for one in made]
        probes = list(known.values())
        if probes:
            self._prepare_ends(probes)
        return Block(flows, by_flow, probes)

    def _confirmed(self, unsent: Unsent | Backends) -> Unsent | Backends:
        """Return the value where the kernel confirms that the end has no address, else an inconclusive one."""
        if isinstance(unsent, Backends):
            probes = ((b, one if isinstance(one, Probe) else self._confirmed_end(one)) for b, one in unsent.probes)
            return Backends(tuple(probes))
        return self._confirmed_end(unsent)

    def _confirmed_end(self, unsent: Unsent) -> Unsent:
        if not unsent.namespace:
            return unsent
        known = self._unsent.get(unsent)
        if known is None:
            found = self._shared.fact(Question("addresses", unsent.namespace, str(unsent.family)))
            known = self._unsent[unsent] = unsent.confirmed(found)
        return known

    def _prepare_ends(self, probes: Sequence[Probe]) -> None:
        while self._unwatched:
            with self._shared.inside(self._unwatched[-1]):
                self._counters.watch(self._unwatched.pop())
        announced = announcements.due(self._shared, probes, self._announced, time.monotonic())
        self._shared.sockets.open({probe.protocol for probe in probes}, {probe.source.family for probe in probes})
        # The pod behind a published port may answer the source directly, so these two are a pair as well.
        ways = ((probe.source, probe.destination) for probe in probes)
        translated = [probe for probe in probes if probe.translator is not None]
        hops = (hop for probe in translated for hop in probe.hops)
        relayed = [probe for probe in translated if forwarding.must_forward(probe)]
        relays = [(way, probe.destination) for probe in relayed if (way := forwarding.relay(self._shared, probe))]
        # The node of a pod sends its third control, and may be no end of a probe.
        self._shared.sockets.open()
        self._neighbours.add(chain(announced, ways, hops, ((way.sender, way.node) for way, _ in relays)))
        self._neighbours.add_relays((w.sender, w.node, to) for w, to in dict.fromkeys(relays) if w.neighbour)
        announcements.send(self._shared, announced)

    def measure(self, block: Block, advance: Callable[[int], None]) -> None:
        """Give every probe its verdict; call ``advance`` with the approximate number of measured flows."""
        if block.probes:
            with processor.pinned(), _without_collector():
                self._measure(block.probes, len(block.flows) - len(block.probes), advance)

    def measured(self, block: Block) -> bytes:
        """Measure a block on the worker's own processor; return the verdicts for ``take``. It runs in a child."""
        with processor.pinned(self._number):
            self._measure(block.probes, 0, lambda done: None)
        known: dict[tuple[str, str], int] = {}
        codes = [known.setdefault((probe.verdict, probe.reason), len(known)) for probe in block.probes]
        return json.dumps([list(known), codes]).encode()

    def take(self, block: Block, measured: bytes) -> None:
        """Give the block's probes the verdicts that a child found."""
        known, codes = json.loads(measured)
        for probe, code in zip(block.probes, codes, strict=True):
            probe.verdict, probe.reason = known[code]

    def skip(self, block: Block) -> None:
        """Skip the ids that a child uses for a block, so that no later packet has one of them."""
        attempts = ports.ATTEMPTS
        if self._shared.slow is not None:
            from netlab.probe.slow_links import MOST_ATTEMPTS

            attempts = MOST_ATTEMPTS
        self._shared.idents.skip(_IDS * attempts * len(block.probes))

    def _measure(self, probes: Sequence[Probe], done: int, advance: Callable[[int], None]) -> None:
        """Give every probe its verdict: by one attempt, and by two more where the verdict is inconclusive."""
        if self._shared.slow is not None:
            self._measure_slowly(self._shared.slow, probes, done, advance)
            return
        waiting = list(probes)
        for number in range(ports.ATTEMPTS):
            self._shared.sockets.overflowed()
            before = self._counters.read()

            def sent(count: int, first: bool = number == 0) -> None:
                nonlocal done
                done += count if first else 0
                advance(done)

            Attempt(self._shared, number).run(waiting, sent)
            self._judge(waiting, ", ".join(drops.grown(before, self._counters.read())))
            waiting = [probe for probe in waiting if probe.verdict == "inconclusive"]
            if not waiting:
                return

    def _measure_slowly(
        self, slow: SlowLinks, probes: Sequence[Probe], done: int, advance: Callable[[int], None]
    ) -> None:
        """Give every probe its verdict where links delay or lose packets, some probes at a time."""
        from netlab.probe.slow_links import Repeats

        for start in range(0, len(probes), slow.batch):
            waiting = list(probes[start : start + slow.batch])
            repeats = Repeats(slow, waiting)
            while waiting:
                self._shared.sockets.overflowed()
                before = self._counters.read()
                Attempt(self._shared, repeats.number).run(waiting, lambda count: None)
                self._judge(waiting, ", ".join(drops.grown(before, self._counters.read())))
                waiting = repeats.judge(waiting)
            advance(done + min(len(probes), start + slow.batch))

    def _judge(self, probes: Iterable[Probe], trouble: str) -> None:
        overflowed = self._shared.sockets.overflowed()
        lost = bool(overflowed or self._neighbours.failures)
        for probe in probes:
            seen = probe.evidence
            if trouble or lost:
                seen.trouble = seen.trouble or trouble or self._trouble(probe, overflowed)
            probe.verdict, probe.reason = verdict(seen)

    def _trouble(self, probe: Probe, overflowed: set[int]) -> str:
        """Return why a packet of a probe may have been lost, "" where nothing was lost."""
        seen = probe.evidence
        for sockets in (probe.destination.sockets, probe.source.sockets):
            if sockets.index in overflowed:
                return f"a receive buffer in {sockets.namespace} overflowed"
        start = probe.source.sockets.namespace
        refused = self._neighbours.failures.get(start)
        if refused and not (seen.arrived or seen.control or seen.no_path):
            return f"neighbours in {start} could not be added: {refused}"
        return ""
