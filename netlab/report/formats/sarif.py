"""A result as SARIF 2.1.0, which code scanners and editors read (OASIS, Static Analysis Results Interchange Format)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Protocol

from netlab.report.formats import Page


class Analysed(Protocol):
    """A result with the log of an analysis."""

    def log(self) -> dict[str, Any]: ...


def lines(result: Analysed, page: Page) -> Iterator[str]:
    """Yield the log as JSON."""
    yield json.dumps(result.log(), indent=2)
