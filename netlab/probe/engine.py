"""Measures flows: sends packets from every source, watches at every destination, and says what became of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from itertools import islice
from types import TracebackType

from netlab.cluster.flows import Flow
from netlab.cluster.types import Cluster
from netlab.probe import losses, ports, processor
from netlab.probe.attempt import Attempt, Workbench
from netlab.probe.greetings import greet, greetings
from netlab.probe.neighbours import Neighbours
from netlab.probe.questions import Question, Settled
from netlab.probe.verdicts import Measurement, verdict

# Flows that are in memory at once: a run of any length streams.
BLOCK = 20_000


def measure(
    cluster: Cluster,
    flows: Iterable[Flow],
    *,
    lab: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[Measurement]:
    """Yield what packets say about each flow, in order; the cluster must be running as lab ``lab`` (its own name).

    ``progress`` is told how many flows are measured and how many there are, 0 when that is not known. One process and
    one thread do it all; the calling thread enters network namespaces and comes back before anything is yielded.

    Raises:
      NotFound: when a namespace of the lab is not there.
      HostError: when the process may not open raw sockets, or not enough of them.
    """
    total = len(flows) if isinstance(flows, Sized) else 0
    remaining = iter(flows)
    done = 0

    def advance(by: int) -> None:
        if progress is not None:
            progress(min(done + by, done + len(block)), total)

    with Run(cluster, lab or cluster.name) as run:
        while block := list(islice(remaining, BLOCK)):
            measurements = run.measure(block, advance)
            advance(len(block))
            done += len(block)
            yield from measurements


class Run:
    """The sockets, counters and pinned neighbours of one call of ``measure``; a context manager."""

    def __init__(self, cluster: Cluster, lab: str) -> None:
        self._bench = Workbench(cluster, lab)
        self._neighbours = Neighbours(cluster, lab)
        self._counters = losses.Counters()
        self._nodes = [self._bench.desk.namespace(node) for node in cluster.nodes]

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bench.stations.close()
        self._counters.close()

    def measure(self, flows: Sequence[Flow], advance: Callable[[int], None]) -> list[Measurement]:
        """Return the measurement of each flow, in order; ``advance`` is told how many are about measured."""
        asked: dict[object, Question] = {}
        answers = [self._bench.desk.ask(flow, asked) for flow in flows]
        settled = sum(isinstance(answer, Settled) for answer in answers)
        questions = list(asked.values())
        if questions:
            self._prepare(questions)
            with processor.pinned():
                self._settle(questions, settled, advance)
            self._neighbours.trim()
        return [Measurement(f, a.verdict, a.reason) for f, a in zip(flows, answers, strict=True)]

    def _prepare(self, questions: Sequence[Question]) -> None:
        for node in self._nodes:
            self._counters.watch(node)
        greeted = greetings(self._bench, questions)
        self._bench.stations.open({q.protocol for q in questions}, {q.source.family for q in questions})
        # What comes back from behind a published port may come straight from the pod, so those two are a pair as well.
        ways = dict.fromkeys((q.source, q.destination) for q in questions)
        hops = (hop for q in questions if q.front is not None for hop in q.hops)
        self._neighbours.pin(dict.fromkeys((*greeted, *ways, *hops)))
        greet(self._bench, greeted)

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
            trouble = ", ".join(losses.grown(before, self._counters.read()))
            overflowed = self._bench.stations.overflowed()
            for question in waiting:
                seen = question.evidence
                seen.trouble = seen.trouble or trouble or self._trouble(question, overflowed)
                question.verdict, question.reason = verdict(seen)
            waiting = [q for q in waiting if q.verdict == "inconclusive"]
            if not waiting:
                return

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
