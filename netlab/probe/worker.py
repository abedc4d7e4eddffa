"""One of the places where blocks of flows are probed, with sockets, ids, source ports and a processor of its own.

Workers share nothing by which packets could be confused, so several may probe at the same time.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from netlab.cluster.flows import Flow
from netlab.cluster.types import Cluster
from netlab.kernel import drops, interfaces, processor
from netlab.kernel.machine import Inside
from netlab.probe import announcements, ports
from netlab.probe.attempt import Attempt
from netlab.probe.filters import WINDOW
from netlab.probe.neighbours import Neighbours
from netlab.probe.probes import Backends, End, Probe, Unsent
from netlab.probe.shared import Shared
from netlab.probe.verdicts import Measurement, verdict

# More ids than a probe uses: in each attempt a probe, two controls, and two that prove its ends.
_IDS = 5 * ports.ATTEMPTS


@dataclass(frozen=True, slots=True)
class Block:
    """Flows that are measured together, what each asks, and each different probe once."""

    flows: Sequence[Flow]
    answers: Sequence[Probe | Unsent | Backends]
    probes: Sequence[Probe]

    def measurements(self) -> Iterator[Measurement]:
        """Yield the measurement of each flow, in order; every probe must have its verdict."""
        for flow, answer in zip(self.flows, self.answers, strict=True):
            backends = answer.measurements() if isinstance(answer, Backends) else ()
            yield Measurement(flow, answer.verdict, answer.reason, backends)


class Worker:
    """Where blocks are probed, one at a time: ``prepare`` a block, then ``measure`` it, here or in a child.

    ``number`` counts the workers of a run. ``first_ident`` is the run's: each worker has ids of its own after it.
    """

    def __init__(
        self, number: int, first_ident: int, cluster: Cluster, lab: str, neighbours: Neighbours, inside: Inside
    ) -> None:
        self._number = number
        self._shared = Shared(cluster, lab, first_ident + number * WINDOW, inside)
        self._neighbours = neighbours
        self._counters = drops.Counters()
        self._nodes = [self._shared.probes.namespace(node) for node in cluster.nodes]
        self._announced: dict[End, float] = {}
        self._unsent: dict[Unsent, Unsent] = {}

    def close(self) -> None:
        self._shared.sockets.close()
        self._counters.close()

    def prepare(self, flows: Sequence[Flow]) -> Block:
        """Return the flows as probes; sockets are open, neighbours added and ends announced."""
        asked: dict[object, Probe] = {}
        made = [self._shared.probes.probe_of(flow, asked) for flow in flows]
        answers = [one if isinstance(one, Probe) else self._confirmed(one) for one in made]
        probes = list(asked.values())
        if probes:
            self._place(probes)
        return Block(flows, answers, probes)

    def _confirmed(self, answer: Unsent | Backends) -> Unsent | Backends:
        """Return an answer as it is where the kernel confirms that the end has no address, else as inconclusive."""
        if isinstance(answer, Backends):
            ends = ((b, one if isinstance(one, Probe) else self._confirmed_end(one)) for b, one in answer.answers)
            return Backends(tuple(ends))
        return self._confirmed_end(answer)

    def _confirmed_end(self, answer: Unsent) -> Unsent:
        if not answer.namespace:
            return answer
        known = self._unsent.get(answer)
        if known is None:
            with self._shared.inside(answer.namespace):
                found = ", ".join(map(str, interfaces.addresses(answer.family)))
            known = answer
            if found:
                reason = f"{answer.reason}, but its network namespace has {found}"
                known = replace(answer, verdict="inconclusive", reason=reason)
            self._unsent[answer] = known
        return known

    def _place(self, probes: Sequence[Probe]) -> None:
        for node in self._nodes:
            with self._shared.inside(node):
                self._counters.watch(node)
        announced = announcements.due(self._shared, probes, self._announced, time.monotonic())
        self._shared.sockets.open({probe.protocol for probe in probes}, {probe.source.family for probe in probes})
        # An answer from behind a published port may come straight from the pod, so those two are a pair as well.
        ways = dict.fromkeys((probe.source, probe.destination) for probe in probes)
        hops = (hop for probe in probes if probe.front is not None for hop in probe.hops)
        self._neighbours.add(dict.fromkeys((*announced, *ways, *hops)))
        announcements.send(self._shared, announced)

    def measure(self, block: Block, advance: Callable[[int], None]) -> None:
        """Give every probe its verdict; ``advance`` is called with how many flows are about measured."""
        if block.probes:
            with processor.pinned():
                self._measure(block.probes, len(block.flows) - len(block.probes), advance)

    def measured(self, block: Block) -> bytes:
        """Measure a block in a child, on the worker's own processor, and return the argument of ``take``."""
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
        """Leave out the ids that a child uses for a block, so that no later packet has one of them."""
        self._shared.idents.skip(_IDS * len(block.probes))

    def _measure(self, probes: Sequence[Probe], done: int, advance: Callable[[int], None]) -> None:
        """Give every probe its verdict: one attempt each, and two more for what is inconclusive."""
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

    def _judge(self, probes: Iterable[Probe], trouble: str) -> None:
        overflowed = self._shared.sockets.overflowed()
        for probe in probes:
            seen = probe.evidence
            seen.trouble = seen.trouble or trouble or self._trouble(probe, overflowed)
            probe.verdict, probe.reason = verdict(seen)

    def _trouble(self, probe: Probe, overflowed: set[int]) -> str:
        """Say why a packet of a probe may have been lost, "" when none was."""
        seen = probe.evidence
        for sockets in (probe.destination.sockets, probe.source.sockets):
            if sockets.index in overflowed:
                return f"a receive buffer in {sockets.namespace} overflowed"
        start = probe.source.sockets.namespace
        refused = self._neighbours.failures.get(start)
        if refused and not (seen.arrived or seen.control or seen.no_path):
            return f"neighbours in {start} could not be added: {refused}"
        return ""
