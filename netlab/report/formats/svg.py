"""A result's picture as SVG."""

from __future__ import annotations

from collections.abc import Iterator

from netlab.pictures import svg
from netlab.report.blocks import Pictured
from netlab.report.formats import Page


def lines(result: Pictured, page: Page) -> Iterator[str]:
    """Yield the lines of the picture."""
    return svg.lines(result.picture())
