"""A table with more columns, or with a line for each item that the narrow table counts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from netlab.report.formats import Page


class Wide(Protocol):
    """A result that has a wide table."""

    def wide(self, page: Page) -> Iterator[str]: ...


def lines(result: Wide, page: Page) -> Iterator[str]:
    """Yield the lines of the table and of the text below it."""
    return result.wide(page)
