"""Numbers that may change places in a table of cells without a change of a cell."""

from __future__ import annotations

from collections.abc import Sequence


def alike(cells: Sequence[Sequence[int]], keys: Sequence[object]) -> list[list[int]]:
    """Return classes of numbers that may change places without a change of a cell, in the order of the first ones.

    Two numbers i and j are alike with a cell ``a`` between them if their rows and columns are equal once ``a`` stands
    at their own places [i][i] and [j][j].
    """
    columns = [[*column] for column in zip(*cells, strict=True)]
    classes: dict[tuple[object, ...], list[int]] = {}

    def changed(at: int, between: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        row, column = cells[at], columns[at]
        return (*row[:at], between, *row[at + 1 :]), (*column[:at], between, *column[at + 1 :])

    for at, row in enumerate(cells):
        for between in {cell for cell, back in zip(row, columns[at], strict=True) if cell == back}:
            # The hash stands for the rows, which would take too much memory. Equal hashes are compared.
            same = classes.setdefault((keys[at], row[at], between, hash(changed(at, between))), [])
            if not same or changed(same[0], between) == changed(at, between):
                same.append(at)
    found: list[list[int]] = []
    known: set[int] = set()
    of: dict[int, list[int]] = {}
    for same in classes.values():
        for at in same:
            if len(same) > len(of.get(at, ())):
                of[at] = same
    for at in range(len(cells)):
        if at not in known:
            found.append([one for one in of.get(at, [at]) if one not in known] or [at])
            known.update(found[-1])
    return found
