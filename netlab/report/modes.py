"""Cells of the table of network modes as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

_WORDS = {"allow": "yes", "deny": "no", "inconclusive": "?"}


class Measured(Protocol):
    """What a cell has for one IP family."""

    @property
    def family(self) -> int: ...
    @property
    def verdict(self) -> str: ...


def cell_text(families: Sequence[Measured]) -> str:
    """Return "yes", "no" or "?"; where the families differ, each with its own; "-" where nothing was asked."""
    words = [_WORDS[f.verdict] for f in families]
    if len(set(words)) > 1:
        return ", ".join(f"IPv{f.family} {word}" for f, word in zip(families, words, strict=True))
    return words[0] if words else "-"
