"""The results of the conformance suite."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from netlab.quantity import quantity
from netlab.report.deviations import Deviations
from netlab.report.documents import API_VERSION
from netlab.report.formats import Page
from netlab.report.suites import Case, Suite, Suites

if TYPE_CHECKING:
    from netlab.conformance.cases import Unjudged
    from netlab.conformance.run import CaseResult

# A failed case often has many wrong cells. The first ones are enough to find the fault.
_FIRST = 5


@dataclass(slots=True)
class Count:
    """The numbers of cases, cells and failed cases."""

    cases: int = 0
    cells: int = 0
    failed: int = 0

    def add(self, result: CaseResult) -> None:
        self.cases += 1
        self.cells += result.cells
        self.failed += not result.passed


@dataclass(slots=True)
class Summary:
    """Counts of all results, and by feature; ``judges`` names the judges of the run."""

    judges: Sequence[str]
    total: Count = field(default_factory=Count)
    features: dict[str, Count] = field(default_factory=dict)
    failures: list[CaseResult] = field(default_factory=list)
    deviations: Deviations | None = None

    def add(self, result: CaseResult) -> None:
        if self.deviations is not None:
            self.deviations.add(result)
        self.total.add(result)
        self.features.setdefault(result.feature, Count()).add(result)
        if not result.passed:
            self.failures.append(result)

    def __str__(self) -> str:
        what = f"{quantity(self.total.cases, 'case')}, {quantity(self.total.cells, 'cell')}"
        agree = f"{self.total.cases - self.total.failed} agree, {self.total.failed} differ"
        return f"{what} by {', '.join(self.judges)}: {agree}"


def failure_lines(result: CaseResult) -> Iterator[str]:
    """Yield the first disagreements of a failed case as lines."""
    for wrong in result.disagreements[:_FIRST]:
        yield f"{result.name}: {wrong}"
    if len(result.disagreements) > _FIRST:
        yield f"{result.name}: and {len(result.disagreements) - _FIRST} cells more"


class ConformanceReport:
    """The counts of all cases; ``unjudged`` are the cases that no judge can answer.

    ``broken_off`` says that the run ended before the last case. Only ``suites`` needs ``results``.
    """

    def __init__(
        self,
        summary: Summary,
        unjudged: Sequence[Unjudged] = (),
        *,
        broken_off: bool = False,
        results: Sequence[CaseResult] = (),
    ) -> None:
        self.summary = summary
        self._unjudged = unjudged
        self._broken_off = broken_off
        self._results = results

    def table(self, page: Page) -> Iterator[str]:
        """Yield a table by feature, and a line of totals."""
        from netlab.report.columns import columns

        summary = self.summary
        rows = [(name, str(c.cases), str(c.cells), str(c.failed)) for name, c in sorted(summary.features.items())]
        if rows:
            yield from columns(("FEATURE", "CASES", "CELLS", "DIFFER"), rows)
        if summary.deviations is not None:
            yield from summary.deviations.lines()
        yield str(summary)

    def document(self) -> dict[str, Any]:
        """Return the ConformanceReport document; it has ``brokenOff`` if the run ended before the last case."""
        summary = self.summary
        return {
            "apiVersion": API_VERSION,
            "kind": "ConformanceReport",
            "judges": list(summary.judges),
            **({"brokenOff": True} if self._broken_off else {}),
            "failures": [_failure(result) for result in summary.failures],
            "features": {name: _count(count) for name, count in sorted(summary.features.items())},
            **(summary.deviations.data() if summary.deviations is not None else {}),
            "unjudged": [{"name": one.name, "why": one.why} for one in self._unjudged],
            "summary": _count(summary.total),
        }

    def suites(self) -> Suites:
        """Return a suite for each feature with its cases; a disagreement is a failure."""
        by_feature: dict[str, list[CaseResult]] = {}
        for result in self._results:
            by_feature.setdefault(result.feature, []).append(result)
        suites = [
            Suite(feature, [Case(r.name, r.seconds, _wrong(r)) for r in found], sum(r.seconds for r in found))
            for feature, found in sorted(by_feature.items())
        ]
        return Suites("netlab conformance", suites, ("tests", "failures"), timed=False)


def _wrong(result: CaseResult) -> tuple[str, str] | None:
    """Return the disagreements of a case, as one line and as whole text; None if there are none."""
    if result.passed:
        return None
    return f"{len(result.disagreements)} disagreements", "\n".join(map(str, result.disagreements))


def _count(count: Count) -> dict[str, int]:
    return {"cases": count.cases, "cells": count.cells, "agree": count.cases - count.failed, "differ": count.failed}


def _failure(result: CaseResult) -> dict[str, Any]:
    rows = [
        {"stage": wrong.stage, **(wrong.cell._asdict() if wrong.cell else {}), "expected": wrong.expected}
        | {"verdicts": dict(wrong.verdicts)}
        for wrong in result.disagreements
    ]
    return {"case": result.name, "feature": result.feature, "rows": rows}
