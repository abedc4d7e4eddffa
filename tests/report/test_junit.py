"""JUnit XML of scenarios."""

from __future__ import annotations

from datetime import UTC, datetime
from xml.etree.ElementTree import Element, fromstring

from builders import cluster, flow, pod

from netlab.report import formats
from netlab.report.scenarios import TestReport
from netlab.scenario import Failure, ScenarioResult, StepResult

LAB = cluster(pod("x/a"), pod("x/b"))
FAILURE = Failure(flow(LAB, "x/a", "x/b"), "allow", "deny", "never arrived\x00", "s.yaml", 7)
BEGAN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def junit(results: list[ScenarioResult]) -> str:
    return "\n".join(formats.lines(TestReport(results), "junit"))


def result(*steps: StepResult, planned: tuple[str, ...] = ("one", "two"), error: str = "") -> ScenarioResult:
    return ScenarioResult("lesson", "s.yaml", planned, BEGAN, steps, error, 3 if error else 0, 1.5)


def suite(of: ScenarioResult) -> Element:
    found = fromstring(junit([of])).find("testsuite")  # noqa: S314  it is the test's own
    assert found is not None
    return found


def counts(element: Element) -> list[str]:
    return [element.attrib[name] for name in ("tests", "failures", "errors", "skipped")]


def test_every_step_is_a_test_case() -> None:
    """The suite has the scenario's name and time, a case the step's."""
    found = suite(result(StepResult("one", 1, 2, seconds=0.25), StepResult("two", 1, 2)))

    assert ("lesson", "1.500", "2026-01-02T03:04:05+00:00") == tuple(
        found.attrib[name] for name in ("name", "time", "timestamp")
    )
    assert [("lesson", "one", "0.250"), ("lesson", "two", "0.000")] == [
        (case.attrib["classname"], case.attrib["name"], case.attrib["time"]) for case in found
    ]
    assert ["2", "0", "0", "0"] == counts(found)


def test_a_mark_of_text_direction_is_escaped() -> None:
    """XML can write it, and it would turn around the words in a table of a CI system. Lines stay lines."""
    found = suite(result(StepResult("a\u202eb\u2028c", 1, 2)))

    assert r"a\u202eb\u2028c" == found[0].attrib["name"]


def test_a_wrong_verdict_is_a_failure() -> None:
    """Its text has place, pair, both verdicts and the reason, without what XML cannot write."""
    found = suite(result(StepResult("one", 1, 2, (FAILURE,)), StepResult("two", 1, 2)))
    failure = found.find("testcase/failure")

    assert failure is not None
    assert "1 wrong verdict" == failure.attrib["message"]
    assert "s.yaml:7: x/a -> x/b 80/TCP IPv4: expected allow, measured deny: never arrived\ufffd" == failure.text
    assert ["2", "1", "0", "0"] == counts(found)


def test_a_lab_that_could_not_be_built_is_an_error() -> None:
    """The first step that did not run has the error; later steps are skipped."""
    found = suite(result(error="no nft program\non this host"))
    error = found.find("testcase[@name='one']/error")

    assert error is not None
    assert "no nft program" == error.attrib["message"]
    assert found.find("testcase[@name='two']/skipped") is not None
    assert ["2", "0", "1", "1"] == counts(found)


def test_the_whole_counts_all_suites() -> None:
    """The root element has the totals."""
    root = fromstring(junit([result(), result(StepResult("one", 1, 1, (FAILURE,)), planned=("one",))]))  # noqa: S314

    assert ["3", "1", "0", "2"] == counts(root)
    assert "3.000" == root.attrib["time"]
