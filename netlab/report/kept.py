"""What a report needs of rows that can be read only once: the rows that are wrong, and counts by pair of groups."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from netlab.frozen import NamedTuple
from netlab.report.rows import Outcome, Row

if TYPE_CHECKING:
    from netlab.policy.groups import Groups
    from netlab.policy.tiers.tier import AskedPort

MOST = 500
"""The most rows that are kept of each outcome."""


class KeptRows:
    """Keeps rows that differ, are inconclusive or unknown: the first ``MOST`` of each.

    Attributes:
      rows: the kept rows by outcome: ``differ``, ``inconclusive``, ``unknown``.
      seen: the counts of all rows by groups; None if no report has a matrix.
    """

    def __init__(self, seen: RowCounts | None = None) -> None:
        self.rows: dict[Outcome, list[Row]] = {"differ": [], "inconclusive": [], "unknown": []}
        self.seen = seen

    def passing(self, rows: Iterable[Row]) -> Iterator[Row]:
        """Yield all rows, and keep those that the report needs."""
        for row in rows:
            # Almost all rows agree: this comparison is cheaper than their outcome.
            if row.expected != row.measured or row.endpoints:
                self._keep(row)
            if self.seen is not None:
                self.seen.add(row)
            yield row

    def _keep(self, row: Row) -> None:
        kept = self.rows.get(row.outcome)
        if kept is not None and len(kept) < MOST:
            kept.append(row)


class Outcomes(NamedTuple):
    """What packets say about one question of a pair of groups.

    ``counts`` has the number of pairs by outcome, expected and measured verdict. ``wrong`` has the first row of each
    outcome that is not ``agree``.
    """

    counts: dict[tuple[Outcome, str | None, str | None], int]
    wrong: dict[Outcome, Row]


class RowCounts:
    """Counts rows by the groups of their ends; a Service stands for itself.

    Rows with an end that is in no group count in ``elsewhere``: the lab changed after the groups were made.
    """

    def __init__(self, found: Groups) -> None:
        self.groups = found
        self.elsewhere = 0
        self._place = {member.ref: group.number for group in found.groups for member in group.members}
        self._found: dict[tuple[int, int | str, AskedPort], Outcomes] = {}

    def add(self, row: Row) -> None:
        """Count a row."""
        source = self._place.get(row.source)
        destination: int | str = self._place.get(row.destination, row.destination)
        if source is None or (isinstance(destination, str) and not destination.startswith("service:")):
            self.elsewhere += 1
            return
        key = (source, destination, (row.family, row.protocol, row.port))
        found = self._found.get(key)
        if found is None:
            found = self._found[key] = Outcomes({}, {})
        outcome = row.outcome
        verdicts = (outcome, row.expected, row.measured)
        found.counts[verdicts] = found.counts.get(verdicts, 0) + 1
        if outcome != "agree":
            found.wrong.setdefault(outcome, row)

    def about(self, source: int, destination: int | str, asked: AskedPort) -> Outcomes | None:
        """Return what was counted between two groups, by number, or towards a Service, by name."""
        return self._found.get((source, destination, asked))

    def flagged(self) -> Iterator[tuple[int, int, Outcome]]:
        """Yield each pair of groups with pairs that differ or are inconclusive."""
        for (source, destination, _), found in self._found.items():
            for outcome in found.wrong:
                if isinstance(destination, int) and outcome != "unknown":
                    yield source, destination, outcome
