"""Tables in kubectl's style: an upper-case header, left-aligned columns with three blanks between, no borders."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from netlab.errors import printable
from netlab.report.rows import Command, Row

GAP = "   "
# The most rows that are laid out together, and about the most characters.
_BLOCK = 10_000
_CHARACTERS = 10_000_000


def columns(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a table; an empty cell prints as ``<none>``."""
    yield from _lines([header, *rows], [0] * len(header))


def _lines(table: Sequence[Sequence[str]], widths: list[int]) -> Iterator[str]:
    """Yield the lines of a part of a table; ``widths`` are those of the parts before, and grow in place."""
    filled = [[cell or "<none>" for cell in row] for row in table]
    # Escape before the widths are computed: an escaped name is longer.
    if not "".join(map("".join, filled)).isprintable():
        filled = [[*map(printable, row)] for row in filled]
    widths[:] = [max(width, *map(len, column)) for width, column in zip(widths, zip(*filled, strict=True), strict=True)]
    for row in filled:
        yield GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def wide(rows: Iterable[Row], command: Command) -> Iterator[str]:
    """Yield a line for each row with its reason, with the columns of a command's verdicts.

    Backends stand behind the reason: a column of their own must be known before the first of a million rows.
    There may be a million rows, so they are printed in blocks. A column is as wide as its cells so far.
    """
    header = ["SOURCE", "DESTINATION", "FAMILY", "PORT"]
    header += {"reach": ["EXPECTED"], "probe": ["MEASURED"], "verify": ["EXPECTED", "MEASURED"]}[command]
    widths = [0] * (len(header) + 1)
    table = [[*header, "REASON"]]
    cells = (_cells(row) for row in rows)
    while table := [*table, *_block(cells)]:
        yield from _lines(table, widths)
        table = []


def _block(cells: Iterator[list[str]]) -> Iterator[list[str]]:
    """Yield the next rows: ``_BLOCK`` rows, or fewer if they have many backends."""
    size = 0
    for row in islice(cells, _BLOCK):
        yield row
        size += len(row[-1])
        if size > _CHARACTERS:
            return


def _cells(row: Row) -> list[str]:
    answers = [answer for answer in (row.expected, row.measured) if answer is not None]
    backends = f"endpoints: {'; '.join(map(str, row.endpoints))}" if row.endpoints else ""
    reason = f"{row.reason} ({backends})" if row.reason and backends else row.reason or backends
    return [row.source, row.destination, f"IPv{row.family}", row.port_text, *answers, reason]
