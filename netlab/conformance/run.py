"""Run cases before judges, in one process or several."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain, islice
from typing import Any

from netlab import modes
from netlab.conformance.cases import Case, chosen
from netlab.conformance.disagreements import Disagreement, disagreements
from netlab.conformance.dual_stack import documents, dual_stack
from netlab.conformance.features import NETWORK_POLICY, Feature
from netlab.conformance.judges import Judge, JudgeName, cluster_of, evaluator, packets, tracer
from netlab.conformance.shrink import scenario, shrink
from netlab.conformance.under_profile import Deviation, UnderProfile
from netlab.conformance.workers import Workers
from netlab.errors import InputError, UsageError
from netlab.frozen import frozen

# The number of cases that a process takes at a time: many, so that taking is cheap; few, so that all end together.
_BATCH = 8


@frozen
class Selection:
    """The cases and judges of a run; the same selection gives the same cases.

    Args:
      globs: which names to run; none means all.
      random: how many random cases of ``seed`` to add. Only globs that begin with ``random/`` narrow them.
      mode: the mode of the pod network; "" for the feature's.
      dual_stack: whether to ask in both IP families.
      services: whether random cases have Services and ask them.
      profile: the CNI with which to judge; it decides the mode.
      feature: the feature whose cases are judged.

    Raises:
      UsageError: if the mode does not suit the feature.
    """

    globs: tuple[str, ...] = ()
    judges: tuple[JudgeName, ...] = ("evaluator", "tracer")
    random: int = 0
    seed: int = 0
    mode: str = ""
    dual_stack: bool = False
    services: bool = False
    profile: UnderProfile | None = None
    feature: Feature = NETWORK_POLICY

    def __post_init__(self) -> None:
        if self.feature.joins_nodes and not modes.of(self.mode_of_cases).transport.joins_nodes:
            raise UsageError(f"{self.feature.name} needs two nodes, and the mode {self.mode_of_cases!r} joins no nodes")

    @property
    def mode_of_cases(self) -> str:
        """The mode whose cases are judged."""
        return (self.mode or self.feature.mode) if self.profile is None else self.profile.mode

    def cases(self) -> Iterator[Case]:
        """Yield the cases in their order."""
        feature, mode = self.feature, self.mode_of_cases
        named = chain.from_iterable(cases(mode) for start, cases in feature.sets.items() if self._may_name(start))
        random = feature.with_services if self.services else feature.random
        made = random(self.random, self.seed, mode)
        some = [glob for glob in self.globs if glob.startswith("random/")]
        found = chain(chosen(named, self.globs), chosen(made, some))
        return map(dual_stack, found) if self.dual_stack else found

    def _may_name(self, start: str) -> bool:
        """Say whether a glob may match a name that starts so; others need not be made."""
        literals = [re.split(r"[*?[]", glob, maxsplit=1)[0] for glob in self.globs]
        return not literals or any(text.startswith(start) or start.startswith(text) for text in literals)


@frozen
class CaseResult:
    """The result of one case: the number of its cells, and the disagreements.

    ``scenario`` reproduces the first disagreement of a random case on the smallest cluster that has it. ``deviations``
    are the cells that a CNI answers differently from the documentation, as its profile declares; ``unseen`` is the
    number of declared ones that measured verdicts do not show.
    """

    name: str
    feature: str
    cells: int
    disagreements: tuple[Disagreement, ...]
    seconds: float = 0.0
    scenario: Mapping[str, Any] | None = None
    deviations: tuple[Deviation, ...] = ()
    unseen: int = 0

    @property
    def passed(self) -> bool:
        return not self.disagreements


@contextlib.contextmanager
def judges(
    names: Sequence[JudgeName],
    mode: str = modes.ONE_NODE,
    *,
    dual: bool = False,
    profile: UnderProfile | None = None,
    feature: Feature = NETWORK_POLICY,
) -> Iterator[dict[str, Judge]]:
    """Yield the judges by name; with packets among them, a lab runs during the block.

    Raises:
      HostError, KernelError: when this host cannot run a lab.
    """
    known: dict[str, Judge] = {"evaluator": evaluator, "tracer": tracer()}
    with contextlib.ExitStack() as stack:
        if "packets" in names:
            base = tuple(feature.base(mode))
            base = documents(base) if dual else base
            known["packets"] = stack.enter_context(packets(base if profile is None else profile.changed(base)))
        yield {name: known[name] for name in names}


def run(
    cases: Iterable[Case], judges_by_name: Mapping[str, Judge], profile: UnderProfile | None = None
) -> Iterator[CaseResult]:
    """Judge cases one after the other; shrink the disagreement of a random case.

    With a profile, judges only have to agree with one another, and the result has the deviations.
    """
    for case in cases:
        started = time.monotonic()
        under = replace(case, stages=tuple(map(profile.stage, case.stages))) if profile and not case.refusal else case
        found = tuple(_refused(case) if case.refusal else _judged(under, judges_by_name))
        smallest = _reproduction(under, found, judges_by_name) if case.feature == "random" and found else None
        cells = sum(len(stage.table) for stage in under.stages)
        of = case.stages if profile and not case.refusal else ()
        deviations = tuple(one for stage in of for one in profile.deviations(stage)) if profile else ()
        yield CaseResult(case.name, case.feature, cells, found, time.monotonic() - started, smallest, deviations)


def run_selection(
    selection: Selection, jobs: int = 1, warn: Callable[[str], None] = lambda line: None
) -> Iterator[CaseResult]:
    """Judge a selection in ``jobs`` processes, each with a lab of its own; the order of results is not defined.

    ``warn`` is called with a line for each process that died; another process judges its case again.

    Raises:
      HostError, KernelError: when this host cannot run a lab, or two processes die at one case.
    """
    if jobs == 1:
        with _judges(selection) as judges_by_name:
            yield from run(selection.cases(), judges_by_name, selection.profile)
        return

    def died(how: str, batch: int, judged: int) -> None:
        case = next(islice(selection.cases(), batch * _BATCH + judged, None), None)
        warn(f"a worker {how} at {case.name if case else 'its end'}; another one goes on from there")

    workers = Workers(partial(_judging, selection), jobs)
    try:
        with workers:
            yield from workers.results(died)
    finally:
        if workers.died and "packets" in selection.judges:
            from netlab.lab.lab import Lab

            # Listing labs removes those whose process is gone.
            Lab.names()


@contextlib.contextmanager
def _judging(selection: Selection) -> Iterator[Callable[[int, int], Iterator[CaseResult] | None]]:
    """Yield a function that judges the batch with a number, from its case ``first`` on."""
    batches = enumerate(_batches(selection.cases()))
    with _judges(selection) as judges_by_name:

        def judge(number: int, first: int) -> Iterator[CaseResult] | None:
            batch = next((cases for place, cases in batches if place == number), None)
            return None if batch is None else run(batch[first:], judges_by_name, selection.profile)

        yield judge


def _judges(selection: Selection) -> contextlib.AbstractContextManager[dict[str, Judge]]:
    return judges(
        selection.judges,
        selection.mode_of_cases,
        dual=selection.dual_stack,
        profile=selection.profile,
        feature=selection.feature,
    )


def _batches(cases: Iterator[Case]) -> Iterator[list[Case]]:
    while batch := list(islice(cases, _BATCH)):
        yield batch


def _judged(case: Case, judges_by_name: Mapping[str, Judge]) -> Iterator[Disagreement]:
    for stage in case.stages:
        yield from disagreements(stage, judges_by_name)


def _refused(case: Case) -> Iterator[Disagreement]:
    """Yield a disagreement unless the documents are refused with the text of the case."""
    (stage,) = case.stages
    try:
        cluster_of(stage.documents)
        answer = "read without an error"
    except InputError as error:
        if case.refusal in str(error):
            return
        answer = str(error)
    yield Disagreement(stage.name, None, case.refusal, {"reader": answer})


def _reproduction(
    case: Case, found: Sequence[Disagreement], judges_by_name: Mapping[str, Judge]
) -> dict[str, Any] | None:
    """Return the scenario of the first disagreement; None if it cannot be reproduced."""
    cell = found[0].cell
    if cell is None:
        return None
    stage = next(stage for stage in case.stages if stage.name == found[0].stage)
    with contextlib.suppress(ValueError):
        return scenario(case.name.replace("/", "-"), *shrink(stage, cell, judges_by_name))
    return None
