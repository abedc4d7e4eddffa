"""The names of objects as ``KIND/NAMESPACE/NAME``, one a line: arguments for other commands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from netlab.report.formats import Page


class Named(Protocol):
    """A result with named objects."""

    def names(self) -> Iterator[str]: ...


def lines(result: Named, page: Page) -> Iterator[str]:
    """Yield the names."""
    return result.names()
