"""JSON and YAML documents."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from netlab.errors import Problem
from netlab.report import formats
from netlab.report.problems import Problems
from netlab.report.reachability import Reachability
from netlab.report.rows import Row

ROWS = [
    Row("x/a", "y/b", 4, "TCP", 80, "allow", "allow", 'allowed: "yes"'),
    Row("x/a", "host:h", 6, "ICMP", None, "deny", "inconclusive", ""),
]
EXPECTED: dict[str, Any] = {
    "apiVersion": "netlab/v1alpha1",
    "kind": "Reachability",
    "lab": "two-nodes",
    "rows": [
        {
            "source": "x/a",
            "destination": "y/b",
            "family": 4,
            "protocol": "TCP",
            "port": 80,
            "expected": "allow",
            "measured": "allow",
            "reason": 'allowed: "yes"',
        },
        {
            "source": "x/a",
            "destination": "host:h",
            "family": 6,
            "protocol": "ICMP",
            "port": None,
            "expected": "deny",
            "measured": "inconclusive",
            "reason": "",
        },
    ],
    "summary": {"pairs": 2, "agree": 1, "differ": 0, "inconclusive": 1, "unknown": 0},
}


def loaded(text: str, output: str) -> Any:
    return json.loads(text) if output == "json" else yaml.safe_load(text)


@pytest.mark.parametrize("output", ["json", "yaml"])
@pytest.mark.parametrize("count", [0, 1, 2])
def test_reachability_is_the_document_of_the_reference(output: str, count: int) -> None:
    """It has rows and summary for any number of rows; both formats have the same data."""
    text = "\n".join(formats.lines(Reachability("two-nodes", ROWS[:count], "verify"), output))
    summary = {"pairs": count, "agree": min(count, 1), "differ": 0, "inconclusive": max(count - 1, 0), "unknown": 0}

    assert {**EXPECTED, "rows": EXPECTED["rows"][:count], "summary": summary} == loaded(text, output)


@pytest.mark.parametrize("output", ["json", "yaml"])
def test_rows_are_printed_while_they_come(output: str) -> None:
    """The first rows are printed before the last one is measured; no row is kept."""
    asked = 0

    def rows() -> Iterator[Row]:
        nonlocal asked
        for asked in range(1, 1001):  # noqa: B007  it counts for the test
            yield ROWS[0]

    lines = formats.lines(Reachability("x", rows(), "verify"), output)
    next(line for line in lines if "x/a" in line)

    assert 2 >= asked


def test_problems_tell_errors_from_warnings() -> None:
    """Every problem has its place, its object, its message and whether it is an error."""
    found = [Problem("a.yaml", 3, "spec.x", "Pod n/p", "is wrong"), Problem("-", 0, "", "", "odd", "warning", "x")]

    assert {
        "kind": "Problems",
        "problems": [
            {
                "file": "a.yaml",
                "line": 3,
                "path": "spec.x",
                "object": "Pod n/p",
                "message": "is wrong",
                "severity": "error",
                "rule": "",
            },
            {"file": "-", "line": 0, "path": "", "object": "", "message": "odd", "severity": "warning", "rule": "x"},
        ],
    } == Problems(found).document()


@pytest.mark.parametrize("output", ["json", "yaml"])
def test_a_document_reads_back_as_it_was(output: str) -> None:
    """Both formats carry the same data."""

    class Result:
        def document(self) -> dict[str, Any]:
            return EXPECTED

    assert loaded("\n".join(formats.lines(Result(), output)), output) == EXPECTED
