"""The proof of invariants as JSON, which auditors keep: docs/invariants.md describes it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Protocol

from netlab.report.formats import Page


class Proved(Protocol):
    """A result that has a proof."""

    def proof(self) -> dict[str, Any]: ...


def lines(result: Proved, page: Page) -> Iterator[str]:
    """Yield the proof with indents."""
    yield json.dumps(result.proof(), indent=2)
