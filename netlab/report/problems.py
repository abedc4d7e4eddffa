"""The problems of an input, as a result."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from netlab.report.formats import Page

if TYPE_CHECKING:
    from netlab.errors import Problem
    from netlab.report.again import CommandLine
    from netlab.report.blocks import Block


class Problems:
    """The errors and warnings of an input; ``summary`` is the line that the table prints."""

    def __init__(self, found: Sequence[Problem], summary: str = "", again: CommandLine | None = None) -> None:
        self.found = found
        self.summary = summary
        self._again = again

    def table(self, page: Page) -> Iterator[str]:
        """Yield the summary; the problems themselves go to standard error."""
        yield self.summary

    def comment(self) -> Iterator[Block]:
        """Yield the errors, the warnings, and the counts."""
        from netlab.report.comments import of_problems

        return of_problems(self.found, self.summary, self._again)

    def document(self) -> dict[str, Any]:
        """Return the Problems document."""
        return {
            "kind": "Problems",
            "problems": [
                {
                    "file": p.file,
                    "line": p.line,
                    "path": p.path,
                    "object": p.object,
                    "message": p.message,
                    "severity": p.severity,
                    "rule": p.rule,
                }
                for p in self.found
            ],
        }
