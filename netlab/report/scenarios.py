"""The results of scenarios, as a result and as lines of text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeGuard

from netlab.report.formats import Page
from netlab.report.rows import row_of
from netlab.report.suites import Case, Suite, Suites

if TYPE_CHECKING:
    from netlab.report.again import CommandLine
    from netlab.report.blocks import Block
    from netlab.scenario.results import Failure, ProgramFailure, RuleFailure, ScenarioResult, StepResult


def row_data(failure: Failure | ProgramFailure) -> dict[str, Any]:
    """Return the row of a failure as data for JSON, with the file and the line of its expectation."""
    where = {"file": failure.file, "line": failure.line}
    # Printing does not import the room ``scenario``. Only a failure of packets has a flow.
    if hasattr(failure, "flow"):
        return {**row_of(failure.flow, failure.expected, failure.measured, failure.reason).data(), **where}
    more: dict[str, Any] = {}
    if _is_rule(failure):
        more = {"family": failure.family, "ports": list(failure.ports), "pairs": failure.pairs}
        if failure.example is not None:
            more["example"] = dict(zip(("source", "destination", "protocol", "port"), failure.example, strict=True))
    return {
        "source": failure.source,
        "destination": failure.destination,
        "question": failure.question,
        **more,
        "expected": failure.expected,
        "measured": failure.measured,
        "reason": failure.reason,
        **where,
    }


def _is_rule(failure: Failure | ProgramFailure) -> TypeGuard[RuleFailure]:
    """Say whether a failure is of a rule of invariants."""
    return not hasattr(failure, "flow") and failure.question == "rule"


def question_of(failure: Failure | ProgramFailure, family: str = " IPv{}") -> str:
    """Return the question as text; ``family`` is the format of a pair's IP family."""
    if hasattr(failure, "flow"):
        of = row_of(failure.flow, failure.expected, failure.measured, failure.reason)
        return f"{of.source} -> {of.destination} {of.port_text}{family.format(of.family)}"
    if _is_rule(failure):
        over = family.format(failure.family) if failure.family else ""
        return f"{failure.source} -> {failure.destination} {failure.port_text}".rstrip() + over
    verb = {"http": "GET ", "lookup": "lookup ", "run": "run ", "meanwhile": "asking "}[failure.question]
    return f"{failure.source} -> {verb}{failure.destination}"


def _what(failure: Failure | ProgramFailure, family: str) -> str:
    """Return the question and both outcomes as text; ``family`` is the format of a pair's IP family."""
    asked = question_of(failure, family)
    reason = f": {failure.reason}" if failure.reason else ""
    if failure.measured == "proves nothing":
        return f"{asked}: proves nothing{reason}"
    # A rule is judged by the evaluator, so nothing is measured.
    found = "found" if _is_rule(failure) else "measured"
    return f"{asked}: expected {failure.expected}, {found} {failure.measured}{reason}"


class TestReport:
    """The results of scenarios. The table is the last line only: ``lines_of`` prints each scenario when it ends."""

    __test__ = False  # pytest must not collect it

    def __init__(self, results: Sequence[ScenarioResult], again: CommandLine | None = None) -> None:
        self.results = results
        self._again = again

    def table(self, page: Page) -> Iterator[str]:
        yield summary_line(self.results)

    def comment(self) -> Iterator[Block]:
        """Yield what could not run, what is not as expected, and the counts."""
        from netlab.report.comments import of_tests

        return of_tests(self.results, self._again)

    def report(self) -> Iterator[Block]:
        """Yield the whole report: failures, then every scenario with its steps."""
        from netlab.report.scenario_report import scenario_blocks

        return scenario_blocks(self.results)

    def document(self) -> dict[str, Any]:
        """Return the TestReport document; a scenario has ``error`` if it could not be carried out."""
        return {
            "kind": "TestReport",
            "scenarios": [
                {
                    "name": result.name,
                    "file": result.file,
                    "steps": [
                        {
                            "name": step.name,
                            "expectations": step.expectations,
                            "pairs": step.pairs,
                            "unknown": step.unknown,
                            "failures": [row_data(failure) for failure in step.failures],
                            "seconds": round(step.seconds, 3),
                        }
                        for step in result.steps
                    ],
                    **({"error": result.error} if result.error else {}),
                    "seconds": round(result.seconds, 3),
                }
                for result in self.results
            ],
            "summary": _summary(self.results),
        }

    def proof(self) -> dict[str, Any]:
        """Return the proof of the invariants among the results."""
        from netlab.report.proof import proof_of

        return proof_of(self.results)

    def suites(self) -> Suites:
        """Return a suite for each scenario, and a case for each step or rule; steps after an error are skipped."""
        return Suites("netlab", [_suite(result) for result in self.results])


def _suite(result: ScenarioResult) -> Suite:
    cases = [Case(step.name, step.seconds, _wrong(step)) for step in result.steps]
    for number, name in enumerate(result.planned[len(result.steps) :]):
        if number == 0 and result.error:
            cases.append(Case(name, error=(result.error.split("\n")[0], result.error)))
        else:
            cases.append(Case(name, skipped="an earlier step could not be carried out"))
    return Suite(result.name, cases, result.seconds, result.started)


def _wrong(step: StepResult) -> tuple[str, str] | None:
    """Return the failures of a step, as one line and as whole text; None if there are none."""
    if not step.failures:
        return None
    lines = [failure_line(failure) for failure in step.failures]
    number = len(lines)
    if any(map(_is_rule, step.failures)):
        nothing = all(failure.measured == "proves nothing" for failure in step.failures)
        what = "proves nothing" if nothing else "the rule does not hold"
    elif all(hasattr(failure, "flow") for failure in step.failures):
        what = f"{number} wrong verdict{'' if number == 1 else 's'}"
    else:
        what = f"{number} expectation{'' if number == 1 else 's'} failed"
    return what, "\n".join(lines)


def failure_line(failure: Failure | ProgramFailure) -> str:
    """Return a failure as one line, with file and line."""
    return f"{failure.file}:{failure.line}: {_what(failure, ' IPv{}')}"


def _summary(results: Sequence[ScenarioResult]) -> dict[str, Any]:
    return {
        "scenarios": len(results),
        "passed": sum(r.outcome == "passed" for r in results),
        "failed": sum(r.outcome == "failed" for r in results),
        "errors": sum(r.outcome == "error" for r in results),
        "steps": sum(len(r.steps) for r in results),
        "expectations": sum(s.expectations for r in results for s in r.steps),
        "pairs": sum(s.pairs for r in results for s in r.steps),
        "unknown": sum(s.unknown for r in results for s in r.steps),
        "failures": sum(len(s.failures) for r in results for s in r.steps),
        "seconds": round(sum(r.seconds for r in results), 3),
    }


def lines_of(result: ScenarioResult, *, every_step: bool = False) -> Iterator[str]:
    """Yield a line for a scenario and one for each wrong verdict; with ``every_step`` also one for each step.

    A step with pairs that were not compared has a line with their number.
    """
    unit = result.unit
    steps = f"{len(result.steps)} {unit}{'' if len(result.steps) == 1 else 's'}"
    yield f"{result.name}: {result.outcome} ({steps}, {result.seconds:.2f} s)"
    for step in result.steps:
        if every_step:
            yield f"  {unit} {step.name!r}: {step.pairs} asked, {len(step.failures)} wrong ({step.seconds:.2f} s)"
        if step.unknown:
            pairs = f"{step.unknown} pair{'' if step.unknown == 1 else 's'}"
            why = "a policy that netlab does not read could change the verdict"
            yield f"  step {step.name!r}: {pairs} not compared: {why}"
        for f in step.failures:
            own = f.flow.family if hasattr(f, "flow") else getattr(f, "family", None)
            family = " over IPv6" if own == 6 else ""
            yield f"  {f.file}:{f.line}: {unit} {step.name!r}: {_what(f, family)}"
    judged = result.judged
    if judged is not None and judged.packets is not None and (judged.left_out or every_step):
        left = f"; {judged.left_out:,} examples were left out" if judged.left_out else ""
        yield f"  packets were sent for {judged.packets:,} pairs{left}"
    if result.error:
        yield f"  {result.error}"


def summary_line(results: Sequence[ScenarioResult]) -> str:
    """Return the last line of a run: ``13 scenarios: 12 passed, 1 failed, 0 errors``."""
    count = _summary(results)
    of = f"{count['scenarios']} scenario{'' if count['scenarios'] == 1 else 's'}"
    errors = f"{count['errors']} error{'' if count['errors'] == 1 else 's'}"
    return f"{of}: {count['passed']} passed, {count['failed']} failed, {errors}"
