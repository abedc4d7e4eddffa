"""The names of objects as ``KIND/NAMESPACE/NAME``, a line each: what other commands take as arguments."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from netlab.report.formats import Page


class Named(Protocol):
    """A result that consists of objects with names."""

    def names(self) -> Iterator[str]: ...


def lines(result: Named, page: Page) -> Iterator[str]:
    """Yield the names."""
    return result.names()
