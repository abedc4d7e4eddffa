"""Tables as kubectl prints them: an upper-case header, left-aligned columns three blanks apart, no borders."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from netlab.report.rows import Asked, Row

GAP = "   "


def columns(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a table; an empty cell prints as ``<none>``."""
    table = [[cell or "<none>" for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(header, *table, strict=True)]
    for row in ([*header], *table):
        yield GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def wide(rows: Iterable[Row], asked: Asked) -> Iterator[str]:
    """Yield a line for every row with its reason; answers that nobody asked for have no column."""
    header = ["SOURCE", "DESTINATION", "FAMILY", "PORT"]
    header += {"reach": ["EXPECTED"], "probe": ["MEASURED"], "verify": ["EXPECTED", "MEASURED"]}[asked]
    yield from columns([*header, "REASON"], (_cells(row) for row in rows))


def _cells(row: Row) -> list[str]:
    answers = [answer for answer in (row.expected, row.measured) if answer is not None]
    return [row.source, row.destination, f"IPv{row.family}", row.service, *answers, row.reason]
