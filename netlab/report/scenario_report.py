"""The whole report of ``test``: failures first, then every scenario with its steps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from netlab.report.blocks import Block, Bullets, Code, Details, Heading, Number, Numbers, Paragraph, Rows
from netlab.report.scenarios import failure_line, question_of, summary_line

if TYPE_CHECKING:
    from netlab.scenario.results import ScenarioResult, StepResult

# The most failures and scenarios of a page.
_FAILURES, _SCENARIOS = 500, 500


def scenario_blocks(results: Sequence[ScenarioResult]) -> Iterator[Block]:
    """Yield the report of scenarios."""
    outcomes = [one.outcome for one in results]
    failures = [(one, step, failure) for one in results for step in one.steps for failure in step.failures]
    yield Heading("Scenarios", 1)
    yield Numbers(
        (
            Number(f"{len(results):,}", "scenarios"),
            Number(f"{outcomes.count('passed'):,}", "passed", "." if outcomes.count("passed") else ""),
            Number(f"{outcomes.count('failed'):,}", "failed", "!" if outcomes.count("failed") else ""),
            Number(f"{outcomes.count('error'):,}", "could not run", "?" if outcomes.count("error") else ""),
            Number(f"{sum(step.pairs for one in results for step in one.steps):,}", "questions asked"),
            Number(f"{len(failures):,}", "wrong answers", "!" if failures else ""),
        )
    )
    yield Paragraph(f"{summary_line(results)}. {' '.join(_how(results))}")
    if failures:
        yield Heading("Failures")
        rows = [
            (one.name, step.name, question_of(failure), failure.expected, failure.measured, failure.reason, place)
            for one, step, failure in failures[:_FAILURES]
            for place in (f"{failure.file}:{failure.line}",)
        ]
        header = ("scenario", "step", "question", "expected", "measured", "reason and evidence", "place")
        yield Rows(header, rows, len(failures) - len(rows))
    errors = [(one.name, one.file, one.error) for one in results if one.error]
    if errors:
        yield Heading("Could not run")
        yield Rows(("scenario", "file", "error"), errors)
    yield Heading("All scenarios")
    table = [
        (
            one.name,
            one.outcome,
            f"{len(one.steps)} of {len(one.planned)}",
            f"{sum(step.pairs for step in one.steps):,}",
            f"{one.seconds:.2f}",
            one.file,
        )
        for one in _first(results)[:_SCENARIOS]
    ]
    columns = ("scenario", "outcome", "steps", "questions", "seconds", "file")
    yield Rows(columns, table, len(results) - len(table))
    yield Heading("Steps")
    for one in _first(results)[:_SCENARIOS]:
        yield Details(f"{one.name}: {one.outcome}, {one.seconds:.2f} s", list(_steps(one)))


def _how(results: Sequence[ScenarioResult]) -> Iterator[str]:
    """Yield how the results were found: by packets, or by the evaluator."""
    if any(one.judged is None for one in results) or not results:
        yield "Each scenario ran in a lab of its own on this host, with packets."
    if any(one.judged is not None for one in results):
        yield "The evaluator judged each rule of invariants for all pairs and ports."
    if any(one.judged is not None and one.judged.packets is not None for one in results):
        yield "Packets were sent for examples of the pairs, in a lab on this host."


def _first(results: Sequence[ScenarioResult]) -> list[ScenarioResult]:
    """Return the results, those that did not pass first."""
    return sorted(results, key=lambda one: ("error", "failed", "passed").index(one.outcome))


def _steps(result: ScenarioResult) -> Iterator[Block]:
    done = [
        (step.name, _outcome(step), f"{step.expectations}", f"{step.pairs}", f"{step.seconds:.2f}")
        for step in result.steps
    ]
    left = result.planned[len(result.steps) :]
    missed = [(name, "error" if not at and result.error else "skipped", "", "", "") for at, name in enumerate(left)]
    yield Rows(("step", "outcome", "expectations", "questions", "seconds"), [*done, *missed])
    lines = [failure_line(failure) for step in result.steps for failure in step.failures[:_FAILURES]]
    if lines:
        yield Bullets(lines)
    if result.error:
        yield Code(result.error)


def _outcome(step: StepResult) -> str:
    unknown = f", {step.unknown} not compared" if step.unknown else ""
    return (f"failed: {len(step.failures)} wrong" if step.failures else "passed") + unknown
