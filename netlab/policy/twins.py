"""Twins: kinds of endpoints that may change places without a change of a verdict between any two kinds."""

from __future__ import annotations

from collections.abc import Sequence

from netlab.policy.bitsets import transpose


class Table:
    """One verdict of one service between kinds: ``columns[i]`` is the set of source kinds with it towards kind i.

    ``single[i]`` says whether kind i has one member only. ``twins`` has a number for each kind; interchangeable kinds
    have the same number.
    """

    def __init__(self, single: Sequence[bool], columns: Sequence[int]) -> None:
        self._columns = columns
        # An empty column does not change any row. Without them most clusters need half the work.
        self._open = [kind for kind, column in enumerate(columns) if column]
        self._rows = transpose([columns[kind] for kind in self._open], len(columns))
        self.twins = self._twins(single)

    def _twins(self, single: Sequence[bool]) -> list[int]:
        """Compare rows and columns twice: as if twins had the verdict towards each other, and as if they had not.

        A kind's own bit is about two of its members. A kind with one member has no such bit, so both comparisons
        include it. No kind has twins in both comparisons: one twin would have the verdict towards it and the other
        would not, although both twins are interchangeable.
        """
        apart: dict[tuple[int, int], list[int]] = {}
        together: dict[tuple[int, int], list[int]] = {}
        place = {kind: 1 << at for at, kind in enumerate(self._open)}
        for kind, (column, row) in enumerate(zip(self._columns, self._rows, strict=True)):
            own = 1 << kind
            if not column & own:
                apart.setdefault((column, row), []).append(kind)
            if column & own or (single[kind] and column):
                together.setdefault((column | own, row | place[kind]), []).append(kind)
        names = list(range(len(self._columns)))
        for bucket in (*apart.values(), *together.values()):
            for kind in bucket if len(bucket) > 1 else ():
                names[kind] = bucket[0]
        return names

    def between(self, groups: Sequence[Sequence[int]]) -> list[int]:
        """Return the columns between groups of kinds; all kinds of a group are twins."""
        place = {kind: at for at, kind in enumerate(self._open)}
        columns = transpose([self._rows[kinds[0]] for kinds in groups], len(self._open))
        found = []
        for number, kinds in enumerate(groups):
            column = columns[place[kinds[0]]] if kinds[0] in place else 0
            if len(kinds) > 1:
                within = self._columns[kinds[0]] >> kinds[1] & 1
                column = column & ~(1 << number) | within << number
            found.append(column)
        return found
