"""Results of the conformance suite: a summary by feature, JSON, and JUnit XML."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from netlab.conformance.cases import Unjudged
from netlab.conformance.run import CaseResult
from netlab.report.columns import columns

# A case that is wrong is often wrong in many cells; the first ones tell what it is about.
_TOLD = 5


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
    """Counts of all results and by feature; ``judges`` are those who were asked."""

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
    """Yield the lines that tell a failed case on a terminal."""
    for wrong in result.disagreements[:_TOLD]:
        yield f"{result.name}: {wrong}"
    if len(result.disagreements) > _TOLD:
        yield f"{result.name}: and {len(result.disagreements) - _TOLD} cells more"


def summary_lines(summary: Summary) -> Iterator[str]:
    """Yield the table by feature and the line of totals."""
    rows = [(name, str(c.cases), str(c.cells), str(c.failed)) for name, c in sorted(summary.features.items())]
    if rows:
        yield from columns(("FEATURE", "CASES", "CELLS", "DIFFER"), rows)
    yield str(summary)


def report_of(summary: Summary, unjudged: Sequence[Unjudged], broken_off: bool = False) -> str:
    """Return the JSON document; it has ``brokenOff`` where not all cases were judged."""
    return json.dumps(
        {
            "apiVersion": "netlab/v1alpha1",
            "kind": "ConformanceReport",
            "judges": list(summary.judges),
            **({"brokenOff": True} if broken_off else {}),
            "failures": [_failure(result) for result in summary.failures],
            "features": {name: _count(count) for name, count in sorted(summary.features.items())},
            "unjudged": [{"name": one.name, "why": one.why} for one in unjudged],
            "summary": _count(summary.total),
        },
        indent=2,
    )


def _count(count: Count) -> dict[str, int]:
    return {"cases": count.cases, "cells": count.cells, "agree": count.cases - count.failed, "differ": count.failed}


def _failure(result: CaseResult) -> dict[str, Any]:
    rows = [
        {"stage": wrong.stage, **(wrong.cell._asdict() if wrong.cell else {}), "expected": wrong.expected}
        | {"verdicts": dict(wrong.verdicts)}
        for wrong in result.disagreements
    ]
    return {"case": result.name, "feature": result.feature, "rows": rows}


def junit(results: Sequence[CaseResult]) -> str:
    """Return JUnit XML: a test suite each feature, a test case each case, a disagreement as a failure."""
    suites = Element("testsuites", name="netlab conformance")
    by_feature: dict[str, list[CaseResult]] = {}
    for result in results:
        by_feature.setdefault(result.feature, []).append(result)
    for feature, found in sorted(by_feature.items()):
        suite = SubElement(suites, "testsuite", name=feature, errors="0", skipped="0")
        suite.set("time", f"{sum(result.seconds for result in found):.3f}")
        for result in found:
            case = SubElement(suite, "testcase", classname=feature, name=result.name, time=f"{result.seconds:.3f}")
            if not result.passed:
                lines = "\n".join(map(str, result.disagreements))
                count = len(result.disagreements)
                SubElement(case, "failure", message=f"{count} disagreements", type="verdict").text = lines
        suite.set("tests", str(len(found)))
        suite.set("failures", str(sum(not result.passed for result in found)))
    for name in ("tests", "failures"):
        suites.set(name, str(sum(int(suite.attrib[name]) for suite in suites)))
    indent(suites)
    return tostring(suites, encoding="unicode", xml_declaration=True) + "\n"
