"""What became of the conformance suite, as a result."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from netlab.report.documents import API_VERSION
from netlab.report.formats import Page
from netlab.report.suites import Case, Suite, Suites

if TYPE_CHECKING:
    from netlab.conformance.cases import Unjudged
    from netlab.conformance.run import CaseResult

# A case that is wrong is often wrong in many cells; the first ones tell what it is about.
_FIRST = 5


@dataclass(slots=True)
class Count:
    """How many cases and cells there were, and how many of the cases failed."""

    cases: int = 0
    cells: int = 0
    failed: int = 0

    def add(self, result: CaseResult) -> None:
        self.cases += 1
        self.cells += result.cells
        self.failed += not result.passed


@dataclass(slots=True)
class Summary:
    """Counts of all results and by feature; ``judges`` names those that were asked."""

    judges: Sequence[str]
    total: Count = field(default_factory=Count)
    features: dict[str, Count] = field(default_factory=dict)
    failures: list[CaseResult] = field(default_factory=list)

    def add(self, result: CaseResult) -> None:
        self.total.add(result)
        self.features.setdefault(result.feature, Count()).add(result)
        if not result.passed:
            self.failures.append(result)

    def __str__(self) -> str:
        what = f"{self.total.cases} cases, {self.total.cells} cells"
        agree = f"{self.total.cases - self.total.failed} agree, {self.total.failed} differ"
        return f"{what} by {', '.join(self.judges)}: {agree}"


def failure_lines(result: CaseResult) -> Iterator[str]:
    """Yield a failed case in lines."""
    for wrong in result.disagreements[:_FIRST]:
        yield f"{result.name}: {wrong}"
    if len(result.disagreements) > _FIRST:
        yield f"{result.name}: and {len(result.disagreements) - _FIRST} cells more"


class ConformanceReport:
    """The counts of all cases; ``unjudged`` are those that no judge is asked about.

    ``broken_off`` says that not all cases were judged. ``results`` are needed for suites only.
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
        """Yield the table by feature and the line of totals."""
        from netlab.report.columns import columns

        summary = self.summary
        rows = [(name, str(c.cases), str(c.cells), str(c.failed)) for name, c in sorted(summary.features.items())]
        if rows:
            yield from columns(("FEATURE", "CASES", "CELLS", "DIFFER"), rows)
        yield str(summary)

    def document(self) -> dict[str, Any]:
        """Return the ConformanceReport document; it has ``brokenOff`` where not all cases were judged."""
        summary = self.summary
        return {
            "apiVersion": API_VERSION,
            "kind": "ConformanceReport",
            "judges": list(summary.judges),
            **({"brokenOff": True} if self._broken_off else {}),
            "failures": [_failure(result) for result in summary.failures],
            "features": {name: _count(count) for name, count in sorted(summary.features.items())},
            "unjudged": [{"name": one.name, "why": one.why} for one in self._unjudged],
            "summary": _count(summary.total),
        }

    def suites(self) -> Suites:
        """Return a suite each feature and a case each case; a disagreement is a failure."""
        by_feature: dict[str, list[CaseResult]] = {}
        for result in self._results:
            by_feature.setdefault(result.feature, []).append(result)
        suites = [
            Suite(feature, [Case(r.name, r.seconds, _wrong(r)) for r in found], sum(r.seconds for r in found))
            for feature, found in sorted(by_feature.items())
        ]
        return Suites("netlab conformance", suites, ("tests", "failures"), timed=False)


def _wrong(result: CaseResult) -> tuple[str, str] | None:
    """Return the disagreements of a case in a line and in whole, None where there are none."""
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
