"""A result's picture in the language of Graphviz."""

from __future__ import annotations

from collections.abc import Iterator

from netlab.pictures import dot
from netlab.report.blocks import Pictured
from netlab.report.formats import Page


def lines(result: Pictured, page: Page) -> Iterator[str]:
    """Yield the lines of the picture."""
    return dot.lines(result.picture())
