"""A table in kubectl's style, or lines of text for a result without a table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from netlab.report.formats import Page


class Tabular(Protocol):
    """A result that has a table."""

    def table(self, page: Page) -> Iterator[str]: ...


def lines(result: Tabular, page: Page) -> Iterator[str]:
    """Yield the lines of the table and of the text below it."""
    return result.table(page)
