"""What became of cases, suite by suite: what CI systems read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple


class Case(NamedTuple):
    """One case. A ``failure`` or an ``error`` is a line and the whole text; ``skipped`` says why it was not tried."""

    name: str
    seconds: float = 0.0
    failure: tuple[str, str] | None = None
    error: tuple[str, str] | None = None
    skipped: str = ""


class Suite(NamedTuple):
    """The cases of one subject, how long they took, and when the first began."""

    name: str
    cases: Sequence[Case]
    seconds: float = 0.0
    started: datetime | None = None


class Suites(NamedTuple):
    """All suites; ``totals`` names the counts that are summed over them, ``timed`` says that seconds are."""

    name: str
    suites: Sequence[Suite]
    totals: Sequence[str] = ("tests", "failures", "errors", "skipped")
    timed: bool = True
