"""What a report keeps of rows that can be read once: the pairs that are wrong, and a cell for each pair of groups."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from netlab.report.rows import Outcome, Row

MOST = 500
"""The most rows that are kept of each outcome."""


class Kept:
    """Keeps rows that differ, are inconclusive or unknown: the first ``MOST`` of each.

    Attributes:
      rows: the rows by outcome: ``differ``, ``inconclusive``, ``unknown``.
      more: the number of rows by outcome that are not kept.
    """

    def __init__(self) -> None:
        self.rows: dict[Outcome, list[Row]] = {"differ": [], "inconclusive": [], "unknown": []}
        self.more: dict[Outcome, int] = dict.fromkeys(self.rows, 0)

    def passing(self, rows: Iterable[Row]) -> Iterator[Row]:
        """Yield the rows, and keep what the report needs."""
        for row in rows:
            # Almost all rows agree: this comparison is cheaper than their outcome.
            if row.expected != row.measured or row.endpoints:
                self._keep(row)
            yield row

    def _keep(self, row: Row) -> None:
        outcome = row.outcome
        kept = self.rows.get(outcome)
        if kept is None:
            return
        if len(kept) < MOST:
            kept.append(row)
        else:
            self.more[outcome] += 1
