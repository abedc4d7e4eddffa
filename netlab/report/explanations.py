"""Explanations of verdicts, as a result."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from netlab.report.file_names import shortened
from netlab.report.formats import Page

if TYPE_CHECKING:
    from netlab.policy.explain import Explanation
    from netlab.programs.explain_url import UrlExplanation


class Explanations:
    """Explanations of flows; ``files`` are the files that they may name."""

    def __init__(self, found: Iterable[Explanation | UrlExplanation], files: Iterable[str] = ()) -> None:
        self.found = found
        self._files = files

    def table(self, page: Page) -> Iterator[str]:
        """Yield the sections of each explanation, with short names of files."""
        return iter(shortened(list(self._lines()), self._files))

    def _lines(self) -> Iterator[str]:
        for number, explanation in enumerate(self.found):
            if number:
                yield ""
            yield from explanation.in_lines()
