"""What a CNI answers differently from the documentation, by the choice of its profile that is why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netlab.conformance.run import CaseResult
    from netlab.conformance.under_profile import Deviation
    from netlab.objects.profiles import Choice

# In place of a choice: only several choices make the difference together.
_TOGETHER = "several choices together"


@dataclass(slots=True)
class _Because:
    """The deviations that one choice makes: how many cells, of which cases, and the first one."""

    choice: Choice | None
    cells: int = 0
    cases: dict[str, None] = field(default_factory=dict)
    first: tuple[str, Deviation] | None = None


class Deviations:
    """Collects the deviations of results; ``profile`` is the name of the CNI."""

    def __init__(self, profile: str) -> None:
        self.profile = profile
        self._because: dict[str, _Because] = {}
        self._cells = 0
        self._unseen = 0

    def add(self, result: CaseResult) -> None:
        """Add the deviations of one case."""
        self._unseen += result.unseen
        for one in result.deviations:
            self._cells += 1
            for choice in one.causes or (None,):
                name = _TOGETHER if choice is None else choice.name
                of = self._because.setdefault(name, _Because(choice))
                of.cells += 1
                of.cases[result.name] = None
                of.first = of.first or (result.name, one)

    def lines(self) -> Iterator[str]:
        """Yield a line for each choice with the number of cells, and the first of them; then the counts."""
        for name, of in self._because.items():
            yield f"{self.profile}: {of.choice or name}"
            yield f"  {of.cells} cell{'s'[: of.cells != 1]} of {len(of.cases)} case{'s'[: len(of.cases) != 1]}"
            if of.first is not None:
                case, one = of.first
                yield f"  such as {case}: {one.stage}: {one.cell}: documented {one.documented}, here {one.verdict}"
        cells = "1 cell is" if self._cells == 1 else f"{self._cells} cells are"
        yield f"{self.profile}: {cells} not as Kubernetes documents, as the profile declares"
        if self._unseen:
            more = f"{self._unseen} more cell{'s'[: self._unseen != 1]}"
            yield f"{self.profile}: it declares this of {more} too, but the measured verdicts are the documented ones"

    def data(self) -> dict[str, Any]:
        """Return the profile and its deviations as data for JSON."""
        return {
            "profile": self.profile,
            "deviations": [_data(name, of) for name, of in self._because.items()],
            "declared": {"cells": self._cells, "notMeasured": self._unseen},
        }


def _data(name: str, of: _Because) -> dict[str, Any]:
    choice = of.choice
    because: dict[str, Any] = {"setting": name}
    if choice is not None:
        because |= {"value": choice.value, "mark": choice.mark, "source": choice.source}
    found = {**because, "cells": of.cells, "cases": list(of.cases)}
    if of.first is None:
        return found
    case, one = of.first
    first = {"case": case, "stage": one.stage, **one.cell._asdict()}
    return {**found, "example": {**first, "documented": one.documented, "verdict": one.verdict}}
