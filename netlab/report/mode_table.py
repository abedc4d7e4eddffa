"""The table of modes: what reaches what in each network mode, as a result."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from netlab.report.formats import Page

if TYPE_CHECKING:
    from netlab.lab.mode_table import Cell

_WORDS = {"allow": "yes", "deny": "no", "inconclusive": "?"}


class Measured(Protocol):
    """The measured verdict of a cell in one IP family."""

    @property
    def family(self) -> int: ...
    @property
    def verdict(self) -> str: ...


class Modes:
    """The measured cells of the table; ``modes`` and ``titles`` name its rows and columns."""

    def __init__(self, cells: Sequence[Cell], modes: Sequence[str], titles: Sequence[str]) -> None:
        self.cells = cells
        self._modes = modes
        self._titles = titles

    def table(self, page: Page) -> Iterator[str]:
        from netlab.report.columns import columns

        rows = (
            [mode, *(cell_text([c for c in self.cells if (c.mode, c.column) == (mode, t)]) for t in self._titles)]
            for mode in self._modes
        )
        return columns(["MODE", *(title.upper() for title in self._titles)], rows)

    def document(self) -> dict[str, Any]:
        """Return the Modes document."""
        cells = [
            {"mode": c.mode, "case": c.column, "family": c.family, "expected": c.expected, "measured": c.verdict}
            for c in self.cells
        ]
        return {"kind": "Modes", "cells": cells}


def cell_text(families: Sequence[Measured]) -> str:
    """Return "yes", "no" or "?", for each family if they differ; "-" if nothing was measured."""
    words = [_WORDS[f.verdict] for f in families]
    if len(set(words)) > 1:
        return ", ".join(f"IPv{f.family} {word}" for f, word in zip(families, words, strict=True))
    return words[0] if words else "-"
