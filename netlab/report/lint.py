"""The findings of ``netlab lint`` and the list of its rules, as results."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from netlab.report.documents import API_VERSION
from netlab.report.formats import Page

if TYPE_CHECKING:
    from netlab.policy.lint.findings import Finding, Findings
    from netlab.policy.lint.rule import Rule
    from netlab.report.again import Again


class Lint:
    """Findings, by file and line."""

    def __init__(self, findings: Findings, rules: Sequence[Rule], again: Again | None = None) -> None:
        self.findings = findings
        self.rules = rules
        self._again = again

    def table(self, page: Page) -> Iterator[str]:
        """Yield a line for each finding and one for its hint, and the counts."""
        for one in self.findings.found:
            yield f"{line_of(one)} [{one.rule}]"
            yield f"  fix: {one.fix}"
        yield self.summary()

    def summary(self) -> str:
        """Return the number of findings by severity, and of those that are hidden."""
        from netlab.policy.lint.rule import SEVERITIES

        words = {"error": "error", "warning": "warning", "info": "remark"}
        said = ", ".join(_count(self.findings.count(one), words[one]) for one in SEVERITIES)
        hidden = [f"{number} by {what}" for what, number in self.findings.hidden.items() if number]
        return f"{said}; hidden: {', '.join(hidden)}" if hidden else said

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


class Rules:
    """The rules of ``netlab lint``."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = rules

    def table(self, page: Page) -> Iterator[str]:
        """Yield a line for each rule."""
        width = max(len(one.id) for one in self.rules)
        for one in self.rules:
            yield f"{one.id:{width}}  {one.severity:7}  {one.title}"


def line_of(one: Finding) -> str:
    """Return a finding in one line, without its rule."""
    where = f"{one.file}:{one.line}" if one.line else one.file
    return ": ".join(part for part in (where, one.severity, one.object, one.path, one.message) if part)


def data_of(one: Finding) -> dict[str, Any]:
    """Return a finding as plain data."""
    names = ("rule", "severity", "file", "line", "path", "object", "message", "fix", "fingerprint")
    return {name: getattr(one, name) for name in names}


def _count(number: int, one: str) -> str:
    return f"{number:,} {one}{'' if number == 1 else 's'}"
