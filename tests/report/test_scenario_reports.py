"""Results of scenarios, as the TestReport document and as text."""

from __future__ import annotations

from datetime import UTC, datetime

from builders import cluster, flow, pod

from netlab.report.scenarios import TestReport, lines_of, summary_line
from netlab.scenario import Failure, ScenarioResult, StepResult

LAB = cluster(pod("x/a"), pod("x/b"))
FAILURE = Failure(flow(LAB, "x/a", "x/b", "53/UDP"), "allow", "inconclusive", "control lost", "s.yaml", 7)
NOW = datetime(2026, 1, 2, tzinfo=UTC)
PASSED = ScenarioResult("good", "g.yaml", ("one",), NOW, (StepResult("one", 2, 9, seconds=0.12345),), seconds=0.5)
FAILED = ScenarioResult("bad", "s.yaml", ("one",), NOW, (StepResult("one", 1, 1, (FAILURE,)),), seconds=0.25)
BROKEN = ScenarioResult("broken", "b.yaml", ("one",), NOW, (), "no nft program", 3)


def test_the_report_is_the_reference() -> None:
    """It has scenarios with steps, failures as rows with file and line, errors, and a summary."""
    report = TestReport([PASSED, FAILED, BROKEN]).document()
    good, bad, broken = report["scenarios"]

    assert "TestReport" == report["kind"]
    assert [{"name": "one", "expectations": 2, "pairs": 9, "unknown": 0, "failures": [], "seconds": 0.123}] == good[
        "steps"
    ]
    assert [
        {
            "source": "x/a",
            "destination": "x/b",
            "family": 4,
            "protocol": "UDP",
            "port": 53,
            "expected": "allow",
            "measured": "inconclusive",
            "reason": "control lost",
            "file": "s.yaml",
            "line": 7,
        }
    ] == bad["steps"][0]["failures"]
    assert ("no nft program", []) == (broken["error"], broken["steps"])
    assert "error" not in good
    assert {
        "scenarios": 3,
        "passed": 1,
        "failed": 1,
        "errors": 1,
        "steps": 2,
        "expectations": 3,
        "pairs": 10,
        "unknown": 0,
        "failures": 1,
        "seconds": 0.75,
    } == report["summary"]


def test_a_scenario_is_one_line() -> None:
    """It has the outcome, the number of steps, and the seconds."""

    assert ["good: passed (1 step, 0.50 s)"] == list(lines_of(PASSED))
    assert "  step 'one': 9 asked, 0 wrong (0.12 s)" in list(lines_of(PASSED, every_step=True))


def test_a_step_counts_pairs_that_were_not_compared() -> None:
    """Pairs with the expected verdict unknown."""
    result = ScenarioResult("some", "s.yaml", ("one",), NOW, (StepResult("one", 1, 6, unknown=2),))

    assert "  step 'one': 2 pairs not compared: a policy that netlab does not read could change the verdict" in list(
        lines_of(result)
    )


def test_every_failure_is_a_line_with_its_place() -> None:
    """FILE:LINE is the expectation's, which editors open."""

    assert [
        "bad: failed (1 step, 0.25 s)",
        "  s.yaml:7: step 'one': x/a -> x/b 53/UDP: expected allow, measured inconclusive: control lost",
    ] == list(lines_of(FAILED))
    assert "  no nft program" in list(lines_of(BROKEN))


def test_the_last_line_counts_scenarios() -> None:
    """It counts failures and errors separately."""

    assert "3 scenarios: 1 passed, 1 failed, 1 error" == summary_line([PASSED, FAILED, BROKEN])
