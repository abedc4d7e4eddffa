"""The results of test cases in suites, as CI systems read them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from netlab.frozen import NamedTuple


class Case(NamedTuple):
    """One test case. ``failure`` and ``error`` are a line and the whole text; ``skipped`` says why it did not run."""

    name: str
    seconds: float = 0.0
    failure: tuple[str, str] | None = None
    error: tuple[str, str] | None = None
    skipped: str = ""


class Suite(NamedTuple):
    """Test cases of one subject, their duration in seconds, and the time when the first began."""

    name: str
    cases: Sequence[Case]
    seconds: float = 0.0
    started: datetime | None = None


class Suites(NamedTuple):
    """All suites; ``totals`` names the counts to sum over them, ``timed`` says whether to sum seconds."""

    name: str
    suites: Sequence[Suite]
    totals: Sequence[str] = ("tests", "failures", "errors", "skipped")
    timed: bool = True
