"""Kubernetes' end-to-end tests of Services (test/e2e/network): which test here is which row of their list."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

ROWS: dict[int, str] = {}
"""The names of tests by the numbers of their rows; the modules of the tests fill it when they are imported."""

CLIENTS = ("u/c1", "u/c2")
INSIDE = (*CLIENTS, "node:n1", "node:n2")


def row(*numbers: int) -> Callable[[Any], Any]:
    """Say which rows a test is."""

    def note(test: Any) -> Any:
        ROWS.update(dict.fromkeys(numbers, test.__name__))
        return test

    return note
