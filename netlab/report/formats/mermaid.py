"""A result's picture as a Mermaid flowchart."""

from __future__ import annotations

from collections.abc import Iterator

from netlab.pictures import mermaid
from netlab.report.blocks import Pictured
from netlab.report.formats import Page


def lines(result: Pictured, page: Page) -> Iterator[str]:
    """Yield the lines of the picture."""
    return mermaid.lines(result.picture())
