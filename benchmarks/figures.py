"""The results of benchmarks as values: rows of measured rounds, and ratios between rows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

# `make bench` ends within ten minutes, also where Python starts in 25 ms.
_ENOUGH = 20.0


@dataclass(frozen=True, slots=True)
class Options:
    """How to measure: ``rounds`` 0 leaves their number to the benchmark, ``bare`` leaves out floors and peers."""

    rounds: int = 0
    bare: bool = False

    @property
    def seconds(self) -> float:
        """After so many seconds the rounds of a case end, unless their number was given: a slow machine has fewer."""
        return math.inf if self.rounds else _ENOUGH


@dataclass(frozen=True, slots=True)
class Row:
    """One thing measured: ``values`` has one figure for each round, in ``unit``.

    Rows with one ``case`` did the same work; ``what`` names the contestant or the part of the work.
    """

    case: str
    what: str
    unit: str
    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return median(self.values)


@dataclass(frozen=True, slots=True)
class Ratio:
    """The ratio of two figures; ``target`` is the value that it should have, as text."""

    what: str
    value: float
    target: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """The result of one benchmark; ``notes`` say what could not be measured, and why."""

    name: str
    about: str
    rows: tuple[Row, ...]
    ratios: tuple[Ratio, ...] = ()
    notes: tuple[str, ...] = ()
    seconds: float = field(default=0.0, compare=False)


def ratio(what: str, upper: Row, lower: Row, target: str = "") -> Ratio:
    """Return the median of the ratios of rounds, so that a slow round of both sides cancels out."""
    rounds = [a / b for a, b in zip(upper.values, lower.values, strict=True) if b]
    return Ratio(what, median(rounds) if rounds else float("nan"), target)


def rows_of(case: str, unit: str, found: Mapping[str, Sequence[float]], scale: float = 1.0) -> list[Row]:
    """Return a row for each entry of a result of ``turns``, with its values multiplied by ``scale``."""
    return [Row(case, what, unit, tuple(value * scale for value in values)) for what, values in found.items()]


def against(rows: Iterable[Row], what: str, others: Iterable[str], target: Mapping[str, str]) -> list[Ratio]:
    """Return the ratios of one row of a case to the others that were measured; ``target`` is by name of the other."""
    by_name = {row.what: row for row in rows}
    upper = by_name.get(what)
    if upper is None:
        return []
    return [
        ratio(f"{upper.case}: {what} / {other}", upper, by_name[other], target.get(other, ""))
        for other in others
        if other in by_name
    ]
