"""Cases before judges, one process or several."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain, islice
from typing import Any

from netlab import modes
from netlab.conformance import edges, product, random_cases, upstream
from netlab.conformance.cases import Case, chosen
from netlab.conformance.dual_stack import documents, dual_stack
from netlab.conformance.judges import Judge, JudgeName, cluster_of, evaluator, packets, tracer
from netlab.conformance.opinions import Disagreement, judge
from netlab.conformance.shrink import scenario, shrink
from netlab.conformance.workers import Workers
from netlab.conformance.world import world
from netlab.errors import InputError
from netlab.frozen import frozen

# Cases that a process takes at a time: enough for what starting it costs, few enough to end together.
_SHARE = 8


@frozen
class Selection:
    """Which cases are run, and by whom; the same selection gives the same cases.

    ``globs`` narrow the names; ``random`` cases of a ``seed`` are added whatever the globs, unless one of them begins
    with ``random/``; ``mode`` is that of the pod network; ``dual_stack`` asks everything in both IP families.
    """

    globs: tuple[str, ...] = ()
    judges: tuple[JudgeName, ...] = ("evaluator", "tracer")
    random: int = 0
    seed: int = 0
    mode: str = modes.ONE_NODE
    dual_stack: bool = False

    def cases(self) -> Iterator[Case]:
        """Yield the cases in their order."""
        named = chain(upstream.cases(self.mode), edges.cases(self.mode), product.cases(self.mode))
        made = random_cases.cases(self.random, self.seed, self.mode)
        some = [glob for glob in self.globs if glob.startswith("random/")]
        found = chain(chosen(named, self.globs), chosen(made, some))
        return map(dual_stack, found) if self.dual_stack else found


@frozen
class CaseResult:
    """What became of one case: how many cells were asked of every judge, and what was not as it should be.

    ``scenario`` reproduces the first disagreement of a random case, on the smallest cluster that has it.
    """

    name: str
    feature: str
    cells: int
    disagreements: tuple[Disagreement, ...]
    seconds: float = 0.0
    scenario: Mapping[str, Any] | None = None

    @property
    def passed(self) -> bool:
        return not self.disagreements


@contextlib.contextmanager
def judges(names: Sequence[JudgeName], mode: str = modes.ONE_NODE, *, dual: bool = False) -> Iterator[dict[str, Judge]]:
    """Yield the judges by name; where packets are among them a lab stands for the time of the block.

    Raises:
      HostError, KernelError: when this host cannot run a lab.
    """
    known: dict[str, Judge] = {"evaluator": evaluator, "tracer": tracer()}
    with contextlib.ExitStack() as stack:
        if "packets" in names:
            base = world(mode=mode)
            known["packets"] = stack.enter_context(packets(documents(base) if dual else base))
        yield {name: known[name] for name in names}


def run(cases: Iterable[Case], panel: Mapping[str, Judge]) -> Iterator[CaseResult]:
    """Judge cases one after the other; a disagreement of a random case is shrunk."""
    for case in cases:
        started = time.monotonic()
        found = tuple(_refused(case) if case.refusal else _judged(case, panel))
        smallest = _reproduction(case, found, panel) if case.feature == "random" and found else None
        cells = sum(len(stage.table) for stage in case.stages)
        yield CaseResult(case.name, case.feature, cells, found, time.monotonic() - started, smallest)


def run_selection(
    selection: Selection, jobs: int = 1, tell: Callable[[str], None] = lambda line: None
) -> Iterator[CaseResult]:
    """Judge a selection in ``jobs`` processes, each with a lab of its own; results come in no certain order.

    ``tell`` is told in a line of each process that died; what it was about is judged again.

    Raises:
      HostError, KernelError: when this host cannot run a lab, or processes die of a case.
    """
    if jobs == 1:
        with judges(selection.judges, selection.mode, dual=selection.dual_stack) as panel:
            yield from run(selection.cases(), panel)
        return

    def died(how: str, share: int, judged: int) -> None:
        case = next(islice(selection.cases(), share * _SHARE + judged, None), None)
        tell(f"a worker {how} at {case.name if case else 'its end'}; another one goes on from there")

    workers = Workers(partial(_judging, selection), jobs)
    try:
        with workers:
            yield from workers.results(died)
    finally:
        if workers.died and "packets" in selection.judges:
            from netlab.lab.lab import Lab

            # To list labs is to clear away those whose process is gone.
            Lab.names()


@contextlib.contextmanager
def _judging(selection: Selection) -> Iterator[Callable[[int, int], Iterator[CaseResult] | None]]:
    """Yield what judges a share of the cases: of the number that is asked for, but for some first ones."""
    shares = enumerate(_shares(selection.cases()))
    with judges(selection.judges, selection.mode, dual=selection.dual_stack) as panel:

        def judge(number: int, but: int) -> Iterator[CaseResult] | None:
            share = next((cases for place, cases in shares if place == number), None)
            return None if share is None else run(share[but:], panel)

        yield judge


def _shares(cases: Iterator[Case]) -> Iterator[list[Case]]:
    while share := list(islice(cases, _SHARE)):
        yield share


def _judged(case: Case, panel: Mapping[str, Judge]) -> Iterator[Disagreement]:
    for stage in case.stages:
        yield from judge(stage, panel)


def _refused(case: Case) -> Iterator[Disagreement]:
    """Yield a disagreement unless the reader refuses the documents with the words that the case has."""
    (stage,) = case.stages
    try:
        cluster_of(stage.documents)
        answer = "read without an error"
    except InputError as error:
        if case.refusal in str(error):
            return
        answer = str(error)
    yield Disagreement(stage.name, None, case.refusal, {"reader": answer})


def _reproduction(case: Case, found: Sequence[Disagreement], panel: Mapping[str, Judge]) -> dict[str, Any] | None:
    """Return the scenario of the first disagreement; None where it does not show again."""
    cell = found[0].cell
    if cell is None:
        return None
    stage = next(stage for stage in case.stages if stage.name == found[0].stage)
    with contextlib.suppress(ValueError):
        return scenario(case.name.replace("/", "-"), *shrink(stage, cell, panel))
    return None
