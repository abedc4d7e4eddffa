"""The findings of ``netlab lint`` and the list of its rules, as results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from netlab.errors import place_text
from netlab.quantity import quantity
from netlab.report.documents import API_VERSION
from netlab.report.formats import Page

if TYPE_CHECKING:
    from netlab.policy.lint.findings import Finding, Findings
    from netlab.policy.lint.rule import Rule
    from netlab.report.again import CommandLine
    from netlab.report.blocks import Block

# The marks of the truth table whose colours severities have.
_MARKS = {"error": "X", "warning": "?", "info": ""}


class Lint:
    """Findings, by file and line.

    ``rules`` are the rules that ran. ``root`` is the folder to which SARIF has the paths of files.
    """

    def __init__(
        self,
        findings: Findings,
        rules: Sequence[Rule],
        again: CommandLine | None = None,
        root: str = "",
        version: str = "",
    ) -> None:
        self.findings = findings
        self.rules = rules
        self._again = again
        self._root = root
        self._version = version

    def table(self, page: Page) -> Iterator[str]:
        """Yield a line for each finding and one for its hint, and the counts; of many findings the first ones."""
        from netlab.objects.bounds import MOST_PRINTED

        printed: Counter[str] = Counter()
        for one in self.findings.found:
            printed[one.severity] += 1
            if printed[one.severity] <= MOST_PRINTED:
                yield f"{_line_of(one, page.paint(one.severity, _MARKS[one.severity]))} [{one.rule}]"
                yield f"  fix: {one.fix}"
        for severity, number in printed.items():
            if number > MOST_PRINTED:
                yield f"and {number - MOST_PRINTED:,} more of severity {severity}; -o json lists all"
        yield self.summary()

    def summary(self) -> str:
        """Return the number of findings by severity, and of those that are hidden."""
        found = self.findings
        said = f"{quantity(found.count('error'), 'error')}, {quantity(found.count('warning'), 'warning')}"
        said += f", {found.count('info'):,} info"
        hidden = [f"{number:,} by {what}" for what, number in found.hidden.items() if number]
        said += f"; hidden: {', '.join(hidden)}" if hidden else ""
        return f"{said}; more findings of {', '.join(found.cut)} are not listed" if found.cut else said

    def document(self) -> dict[str, Any]:
        """Return the Lint document."""
        from netlab.policy.lint.rule import SEVERITIES

        found = self.findings
        return {
            "apiVersion": API_VERSION,
            "kind": "Lint",
            "findings": [data_of(one) for one in found.found],
            "summary": {one: found.count(one) for one in SEVERITIES} | {"hidden": dict(found.hidden)},
        }

    def log(self) -> dict[str, Any]:
        """Return the log of SARIF."""
        from netlab.report.lint_log import log_of

        return log_of(self.findings.found, self.rules, self._root, self._version)

    def comment(self) -> Iterator[Block]:
        """Yield the worst findings, and the counts."""
        from netlab.report.lint_blocks import comment_of

        return comment_of(self, self._again)

    def report(self) -> Iterator[Block]:
        """Yield all findings, and what their rules say."""
        from netlab.report.lint_blocks import report_of

        return report_of(self)


class RuleList:
    """The rules of ``netlab lint``."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = rules

    def table(self, page: Page) -> Iterator[str]:
        """Yield a line for each rule."""
        width = max(len(one.id) for one in self.rules)
        for one in self.rules:
            yield f"{one.id:{width}}  {one.severity:7}  {one.title}"

    def document(self) -> dict[str, Any]:
        """Return the rules with all their texts."""
        names = ("id", "severity", "title", "what", "why", "fix")
        rules = [{name: getattr(one, name) for name in names} for one in self.rules]
        for one, data in zip(self.rules, rules, strict=True):
            data["example"], data["repaired"] = one.examples()
        return {"apiVersion": API_VERSION, "kind": "LintRules", "rules": rules}

    def comment(self) -> Iterator[Block]:
        """Yield a table of the rules."""
        from netlab.report.blocks import Heading, Rows

        yield Heading("Rules of netlab lint", 1)
        yield Rows(
            ("Rule", "Severity", "What is wrong", "Fix"), [(o.id, o.severity, o.title, o.fix) for o in self.rules]
        )


def _line_of(one: Finding, severity: str) -> str:
    """Return a finding in one line, without its rule; ``severity`` is its severity as it is shown."""
    place = place_text(one.file, one.line)
    return ": ".join(part for part in (place, severity, one.object, one.path, one.message) if part)


def data_of(one: Finding) -> dict[str, Any]:
    """Return a finding as plain data."""
    names = ("rule", "severity", "file", "line", "path", "object", "message", "fix", "fingerprint")
    return {name: getattr(one, name) for name in names}
