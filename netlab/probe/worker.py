"""One of the places where blocks of flows are probed, with sockets, ids, source ports and a processor of its own.

Workers share nothing by which packets could be confused, so several may probe at the same time.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from netlab.cluster.flows import Flow
from netlab.cluster.types import Cluster
from netlab.frozen import frozen
from netlab.kernel import drops, interfaces, processor
from netlab.probe import announcements, ports
from netlab.probe.attempt import Attempt
from netlab.probe.filters import WINDOW
from netlab.probe.neighbours import Neighbours
from netlab.probe.questions import Backends, End, Question, Unsent
from netlab.probe.shared import Shared
from netlab.probe.verdicts import Measurement, verdict

# More ids than a question uses: in each attempt a probe, two controls, and two that prove its ends.
_IDS = 5 * ports.ATTEMPTS


@frozen
class Block:
    """Flows that are measured together, what each asks, and each different question once."""

    flows: Sequence[Flow]
    answers: Sequence[Question | Unsent | Backends]
    questions: Sequence[Question]

    def measurements(self) -> Iterator[Measurement]:
        """Yield the measurement of each flow, in order; every question must have its verdict."""
        for flow, answer in zip(self.flows, self.answers, strict=True):
            backends = answer.measurements() if isinstance(answer, Backends) else ()
            yield Measurement(flow, answer.verdict, answer.reason, backends)


class Worker:
    """Where blocks are probed, one at a time: ``prepare`` a block, then ``measure`` it, here or in a child.

    ``number`` counts the workers of a run. ``first_ident`` is the run's: each worker has ids of its own after it.
    """

    def __init__(self, number: int, first_ident: int, cluster: Cluster, lab: str, neighbours: Neighbours) -> None:
        self._number = number
        self._shared = Shared(cluster, lab, first_ident + number * WINDOW)
        self._neighbours = neighbours
        self._counters = drops.Counters()
        self._nodes = [self._shared.questions.namespace(node) for node in cluster.nodes]
        self._announced: dict[End, float] = {}
        self._unsent: dict[Unsent, Unsent] = {}

    def close(self) -> None:
        self._shared.sockets.close()
        self._counters.close()

    def prepare(self, flows: Sequence[Flow]) -> Block:
        """Return the flows as questions; sockets are open, neighbours added and ends announced."""
        asked: dict[object, Question] = {}
        made = [self._shared.questions.question(flow, asked) for flow in flows]
        answers = [one if isinstance(one, Question) else self._confirmed(one) for one in made]
        questions = list(asked.values())
        if questions:
            self._place(questions)
        return Block(flows, answers, questions)

    def _confirmed(self, answer: Unsent | Backends) -> Unsent | Backends:
        """Return an answer as it is where the kernel confirms that the end has no address, else as inconclusive."""
        if isinstance(answer, Backends):
            ends = ((b, one if isinstance(one, Question) else self._confirmed_end(one)) for b, one in answer.answers)
            return Backends(tuple(ends))
        return self._confirmed_end(answer)

    def _confirmed_end(self, answer: Unsent) -> Unsent:
        if not answer.namespace:
            return answer
        known = self._unsent.get(answer)
        if known is None:
            found = ", ".join(map(str, interfaces.addresses(answer.namespace, answer.family)))
            known = answer
            if found:
                reason = f"{answer.reason}, but its network namespace has {found}"
                known = replace(answer, verdict="inconclusive", reason=reason)
            self._unsent[answer] = known
        return known

    def _place(self, questions: Sequence[Question]) -> None:
        for node in self._nodes:
            self._counters.watch(node)
        announced = announcements.due(self._shared, questions, self._announced, time.monotonic())
        self._shared.sockets.open({q.protocol for q in questions}, {q.source.family for q in questions})
        # An answer from behind a published port may come straight from the pod, so those two are a pair as well.
        ways = dict.fromkeys((q.source, q.destination) for q in questions)
        hops = (hop for q in questions if q.front is not None for hop in q.hops)
        self._neighbours.add(dict.fromkeys((*announced, *ways, *hops)))
        announcements.send(self._shared, announced)

    def measure(self, block: Block, advance: Callable[[int], None]) -> None:
        """Give every question its verdict; ``advance`` is called with how many flows are about measured."""
        if block.questions:
            with processor.pinned():
                self._measure(block.questions, len(block.flows) - len(block.questions), advance)

    def measured(self, block: Block) -> bytes:
        """Measure a block in a child, on the worker's own processor, and return the argument of ``take``."""
        with processor.pinned(self._number):
            self._measure(block.questions, 0, lambda done: None)
        known: dict[tuple[str, str], int] = {}
        codes = [known.setdefault((q.verdict, q.reason), len(known)) for q in block.questions]
        return json.dumps([list(known), codes]).encode()

    def take(self, block: Block, measured: bytes) -> None:
        """Give the block's questions the verdicts that a child found."""
        known, codes = json.loads(measured)
        for question, code in zip(block.questions, codes, strict=True):
            question.verdict, question.reason = known[code]

    def skip(self, block: Block) -> None:
        """Leave out the ids that a child uses for a block, so that no later packet has one of them."""
        self._shared.idents.skip(_IDS * len(block.questions))

    def _measure(self, questions: Sequence[Question], done: int, advance: Callable[[int], None]) -> None:
        """Give every question its verdict: one attempt each, and two more for what is inconclusive."""
        waiting = list(questions)
        for number in range(ports.ATTEMPTS):
            self._shared.sockets.overflowed()
            before = self._counters.read()

            def sent(count: int, first: bool = number == 0) -> None:
                nonlocal done
                done += count if first else 0
                advance(done)

            Attempt(self._shared, number).run(waiting, sent)
            self._judge(waiting, ", ".join(drops.grown(before, self._counters.read())))
            waiting = [q for q in waiting if q.verdict == "inconclusive"]
            if not waiting:
                return

    def _judge(self, questions: Iterable[Question], trouble: str) -> None:
        overflowed = self._shared.sockets.overflowed()
        for question in questions:
            seen = question.evidence
            seen.trouble = seen.trouble or trouble or self._trouble(question, overflowed)
            question.verdict, question.reason = verdict(seen)

    def _trouble(self, question: Question, overflowed: set[int]) -> str:
        """Say why a packet of a question may have been lost, "" when none was."""
        seen = question.evidence
        for sockets in (question.destination.sockets, question.source.sockets):
            if sockets.index in overflowed:
                return f"a receive buffer in {sockets.namespace} overflowed"
        start = question.source.sockets.namespace
        refused = self._neighbours.failures.get(start)
        if refused and not (seen.arrived or seen.control or seen.no_path):
            return f"neighbours in {start} could not be added: {refused}"
        return ""
