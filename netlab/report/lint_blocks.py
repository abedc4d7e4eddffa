"""Findings of ``netlab lint`` as blocks, for Markdown and HTML: the worst first, then counts, then their rules."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from netlab.errors import place_text
from netlab.policy.lint.rule import SEVERITIES, without_marks
from netlab.quantity import quantity
from netlab.report.blocks import MOST_ROWS, Block, Bullets, Code, Details, Heading, Number, Numbers, Paragraph, Rows
from netlab.report.comments import head

if TYPE_CHECKING:
    from netlab.policy.lint.findings import Finding
    from netlab.policy.lint.rule import Rule, Severity
    from netlab.report.again import CommandLine
    from netlab.report.lint import Lint

# The most rows of each severity on a page of HTML.
_MOST = 2_000
_TITLES: dict[Severity, str] = {"error": "Errors", "warning": "Warnings", "info": "Good to know"}
_MARKS: dict[Severity, str] = {"error": "!", "warning": "?", "info": ""}


def comment_of(result: Lint, again: CommandLine | None) -> Iterator[Block]:
    """Yield the comment: at most ``MOST_ROWS`` findings of each severity, the counts, and what their rules say."""
    yield from head("lint", "", title_of(result))
    for severity in SEVERITIES:
        yield from _section(result, severity, MOST_ROWS)
    yield Paragraph(result.summary())
    rules = _rules_of(result)[:MOST_ROWS]
    if rules:
        yield Details(
            "What these rules say", [Bullets([without_marks(f"{one.id}: {one.what} {one.why}") for one in rules])]
        )
    if again is not None:
        yield Details("Commands that show it again", [Code(again.command, "sh")])


def report_of(result: Lint) -> Iterator[Block]:
    """Yield the whole report."""
    findings = result.findings
    yield Heading(title_of(result), 1)
    yield Numbers(
        [
            Number(f"{number:,}", _TITLES[severity].lower(), _MARKS[severity] if number else "")
            for severity in SEVERITIES
            for number in [findings.count(severity)]
        ]
    )
    yield Paragraph(result.summary())
    for severity in SEVERITIES:
        yield from _section(result, severity, _MOST)
    rules = _rules_of(result)
    if rules:
        yield Heading("The rules of these findings")
        for one in rules:
            example, repaired = one.examples()
            inside: list[Block] = [Paragraph(without_marks(text)) for text in (one.what, one.why, f"Fix: {one.fix}.")]
            inside += [Code(example, "yaml"), Paragraph("Repaired:"), Code(repaired, "yaml")]
            yield Details(f"{one.id} ({one.severity}): {one.title}", inside)


def title_of(result: Lint) -> str:
    """Return the outcome in words."""
    for severity in SEVERITIES:
        number = result.findings.count(severity)
        if number:
            return f"Lint: {quantity(number, severity, 'info' if severity == 'info' else '')}"
    return "Lint: nothing found"


def _section(result: Lint, severity: Severity, most: int) -> Iterator[Block]:
    found = [one for one in result.findings.found if one.severity == severity]
    if found:
        yield Heading(_TITLES[severity])
        header = ("Place", "Rule", "Object", "Field", "What is wrong", "Fix")
        yield Rows(header, [_row(one) for one in found[:most]], max(0, len(found) - most))


def _row(one: Finding) -> tuple[str, ...]:
    return (place_text(one.file, one.line), one.rule, one.object, one.path, one.message, one.fix)


def _rules_of(result: Lint) -> list[Rule]:
    fired = {one.rule for one in result.findings.found}
    return [rule for rule in result.rules if rule.id in fired]
