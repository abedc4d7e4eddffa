"""Tables as kubectl prints them: an upper-case header, left-aligned columns three blanks apart, no borders."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from netlab.errors import printable
from netlab.report.rows import Asked, Row

GAP = "   "
# Rows that are laid out together.
_BLOCK = 10_000


def columns(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a table; an empty cell prints as ``<none>``."""
    yield from _lines([header, *rows], [0] * len(header))


def _lines(table: Sequence[Sequence[str]], widths: list[int]) -> Iterator[str]:
    """Yield the lines of a part of a table; ``widths`` are those of the parts before, and are widened."""
    filled = [[cell or "<none>" for cell in row] for row in table]
    # Escaped here where the terminal would do it too late: columns are as wide as what is printed.
    if not "".join(map("".join, filled)).isprintable():
        filled = [[*map(printable, row)] for row in filled]
    widths[:] = [max(width, *map(len, column)) for width, column in zip(widths, zip(*filled, strict=True), strict=True)]
    for row in filled:
        yield GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def wide(rows: Iterable[Row], asked: Asked) -> Iterator[str]:
    """Yield a line for every row with its reason; answers that are not asked have no column.

    Rows are printed a block at a time, as there may be a million: columns are as wide as what was printed before needs.
    """
    header = ["SOURCE", "DESTINATION", "FAMILY", "PORT"]
    header += {"reach": ["EXPECTED"], "probe": ["MEASURED"], "verify": ["EXPECTED", "MEASURED"]}[asked]
    widths = [0] * (len(header) + 1)
    table = [[*header, "REASON"]]
    cells = (_cells(row) for row in rows)
    while table := [*table, *islice(cells, _BLOCK)]:
        yield from _lines(table, widths)
        table = []


def _cells(row: Row) -> list[str]:
    answers = [answer for answer in (row.expected, row.measured) if answer is not None]
    return [row.source, row.destination, f"IPv{row.family}", row.service, *answers, row.reason]
