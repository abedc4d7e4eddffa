"""One of the places where blocks of flows are probed: its sockets, its ids, its source ports, its processor.

Lanes share nothing that a packet could be mistaken by, so blocks may be under way in several at once.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from netlab.cluster.flows import Flow
from netlab.cluster.types import Cluster
from netlab.probe import losses, ports, processor
from netlab.probe.attempt import Attempt, Workbench
from netlab.probe.filters import WINDOW
from netlab.probe.greetings import greet, greetings
from netlab.probe.neighbours import Neighbours
from netlab.probe.questions import Backends, End, Question, Settled
from netlab.probe.verdicts import Measurement, verdict

# More ids than a question can use up: in each attempt a probe, two controls, and two that prove its ends.
_IDS = 5 * ports.ATTEMPTS


@dataclass(frozen=True, slots=True)
class Block:
    """Flows that are measured together, what each asks, and each different question once."""

    flows: Sequence[Flow]
    answers: Sequence[Question | Settled | Backends]
    questions: Sequence[Question]

    def measurements(self) -> Iterator[Measurement]:
        """Yield the measurement of each flow, in order; the questions must be settled."""
        for flow, answer in zip(self.flows, self.answers, strict=True):
            backends = () if not isinstance(answer, Backends) else answer.measurements()
            yield Measurement(flow, answer.verdict, answer.reason, backends)


class Lane:
    """Where blocks are probed, one at a time: ``prepare`` a block, then ``settle`` it, here or in a child.

    ``number`` counts the lanes of a run, ``first_ident`` is the run's: each lane has ids of its own from there on.
    """

    def __init__(self, number: int, first_ident: int, cluster: Cluster, lab: str, neighbours: Neighbours) -> None:
        self._number = number
        self._bench = Workbench(cluster, lab, first_ident + number * WINDOW)
        self._neighbours = neighbours
        self._counters = losses.Counters()
        self._nodes = [self._bench.desk.namespace(node) for node in cluster.nodes]
        self._greeted: dict[End, float] = {}

    def close(self) -> None:
        self._bench.stations.close()
        self._counters.close()

    def prepare(self, flows: Sequence[Flow]) -> Block:
        """Return the flows as questions, with all in place that probing them needs."""
        asked: dict[object, Question] = {}
        answers = [self._bench.desk.ask(flow, asked) for flow in flows]
        questions = list(asked.values())
        if questions:
            self._place(questions)
        return Block(flows, answers, questions)

    def _place(self, questions: Sequence[Question]) -> None:
        for node in self._nodes:
            self._counters.watch(node)
        greeted = greetings(self._bench, questions, self._greeted, time.monotonic())
        self._bench.stations.open({q.protocol for q in questions}, {q.source.family for q in questions})
        # What comes back from behind a published port may come straight from the pod, so those two are a pair as well.
        ways = dict.fromkeys((q.source, q.destination) for q in questions)
        hops = (hop for q in questions if q.front is not None for hop in q.hops)
        self._neighbours.pin(dict.fromkeys((*greeted, *ways, *hops)))
        greet(self._bench, greeted)

    def settle(self, block: Block, advance: Callable[[int], None]) -> None:
        """Give every question its verdict; ``advance`` is told how many flows are about measured."""
        if block.questions:
            with processor.pinned():
                self._settle(block.questions, len(block.flows) - len(block.questions), advance)

    def settled(self, block: Block) -> bytes:
        """Settle a block in a child, on the lane's own processor, and return what ``take`` takes."""
        with processor.pinned(self._number):
            self._settle(block.questions, 0, lambda done: None)
        told: dict[tuple[str, str], int] = {}
        codes = [told.setdefault((q.verdict, q.reason), len(told)) for q in block.questions]
        return json.dumps([list(told), codes]).encode()

    def take(self, block: Block, settled: bytes) -> None:
        """Give the block's questions the verdicts that a child found."""
        told, codes = json.loads(settled)
        for question, code in zip(block.questions, codes, strict=True):
            question.verdict, question.reason = told[code]

    def skip(self, block: Block) -> None:
        """Leave out the ids that a child uses for a block, so that no later packet has one of them."""
        self._bench.idents.skip(_IDS * len(block.questions))

    def _settle(self, questions: Sequence[Question], done: int, advance: Callable[[int], None]) -> None:
        """Give every question its verdict: one attempt each, and two more for what is inconclusive."""
        waiting = list(questions)
        for number in range(ports.ATTEMPTS):
            self._bench.stations.overflowed()
            before = self._counters.read()

            def sent(count: int, first: bool = number == 0) -> None:
                nonlocal done
                done += count if first else 0
                advance(done)

            Attempt(self._bench, number).run(waiting, sent)
            self._judge(waiting, ", ".join(losses.grown(before, self._counters.read())))
            waiting = [q for q in waiting if q.verdict == "inconclusive"]
            if not waiting:
                return

    def _judge(self, questions: Iterable[Question], trouble: str) -> None:
        overflowed = self._bench.stations.overflowed()
        for question in questions:
            seen = question.evidence
            seen.trouble = seen.trouble or trouble or self._trouble(question, overflowed)
            question.verdict, question.reason = verdict(seen)

    def _trouble(self, question: Question, overflowed: set[int]) -> str:
        """Say what may have swallowed something of a question, "" when nothing did."""
        seen = question.evidence
        for station in (question.destination.station, question.source.station):
            if station.index in overflowed:
                return f"a receive buffer in {station.namespace} overflowed"
        start = question.source.station.namespace
        refused = self._neighbours.failures.get(start)
        if refused and not (seen.arrived or seen.control or seen.no_path):
            return f"neighbours in {start} could not be pinned: {refused}"
        return ""
