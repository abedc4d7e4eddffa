"""The whole reports of ``test`` and ``compare``: what is wrong comes first, and each difference has its source."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import takewhile

from click.testing import Result

from netlab.report.blocks import Bullets, Code, Details, Heading, Rows
from netlab.report.scenarios import TestReport
from netlab.scenario.results import ProgramFailure, ScenarioResult, StepResult

STARTED = datetime(2026, 1, 2, tzinfo=UTC)
WRONG = ProgramFailure("lookup", "shop/web", "db.shop", "10.0.0.1", "no such name", "the server said so", "a.yaml", 7)
RESULTS = [
    ScenarioResult("good", "good.yaml", ("one",), STARTED, (StepResult("one", 2, 12, seconds=0.5),)),
    ScenarioResult(
        "bad", "a.yaml", ("one", "two"), STARTED, (StepResult("one", 1, 1, (WRONG,)), StepResult("two", 1, 1))
    ),
    ScenarioResult("ended", "b.yaml", ("one", "two"), STARTED, (), "no lab:\nwhy", 3),
]


def test_failures_come_before_errors_and_all_scenarios() -> None:
    """A failure has its step, its question, both outcomes, the reason, and file and line."""
    blocks = list(TestReport(RESULTS).report())
    headings = [block.text for block in blocks if isinstance(block, Heading)]
    failures, errors, every = [block for block in blocks if isinstance(block, Rows)]

    assert ["Scenarios", "Failures", "Could not run", "All scenarios", "Steps"] == headings
    assert [
        ("bad", "one", "shop/web -> lookup db.shop", "10.0.0.1", "no such name", "the server said so", "a.yaml:7")
    ] == [*failures.rows]
    assert [("ended", "b.yaml", "no lab:\nwhy")] == [*errors.rows]
    assert ["ended", "bad", "good"] == [row[0] for row in every.rows]


def test_each_scenario_has_its_steps_also_those_that_did_not_run() -> None:
    """The step that an error ended is an error, and those after it are skipped."""
    details = {block.summary: block.blocks for block in TestReport(RESULTS).report() if isinstance(block, Details)}
    ended = details["ended: error, 0.00 s"]
    bad = details["bad: failed, 0.00 s"]

    assert [("one", "error", "", "", ""), ("two", "skipped", "", "", "")] == [
        row for block in ended if isinstance(block, Rows) for row in block.rows
    ]
    assert ["no lab:\nwhy"] == [block.text for block in ended if isinstance(block, Code)]
    assert any("a.yaml:7" in item for block in bad if isinstance(block, Bullets) for item in block.items)


def test_without_failures_there_is_no_heading_for_them() -> None:
    """The first table is that of all scenarios."""
    headings = [block.text for block in TestReport(RESULTS[:1]).report() if isinstance(block, Heading)]

    assert ["Scenarios"] == [*takewhile(lambda text: text != "All scenarios", headings)]


def test_a_difference_between_cnis_names_the_choice_and_its_source(netlab: Callable[..., Result]) -> None:
    """The page has the verdict of each CNI with the reason, and what is known about the choice."""
    page = netlab("compare", "-f", "examples/shop", "--as", "calico", "--as", "flannel", "-o", "html").stdout

    assert '"calico"' in page
    assert "enforcement: none" in page
    assert "flannel: enforcement: none (" in page
