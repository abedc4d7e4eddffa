"""Printing verdicts in the format that was asked for: what ``reach``, ``probe`` and ``verify`` have in common."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from netlab.cli import terminal
from netlab.report.rows import Asked, Row, Tally


def show(lab: str, rows: Iterable[Row], asked: Asked, output: str) -> Tally:
    """Print rows and their summary on standard output; return the counts."""
    tally = Tally(asked)
    show_lines = terminal.data if output in ("json", "yaml") else terminal.emit
    show_lines(_lines(lab, rows, tally, output))
    return tally


def _lines(lab: str, rows: Iterable[Row], tally: Tally, output: str) -> Iterator[str]:
    if output in ("json", "yaml"):
        from netlab.report.documents import reachability

        yield from reachability(lab, rows, tally, "json" if output == "json" else "yaml")
        return
    if output == "wide":
        from netlab.report.columns import wide

        yield from wide(tally.count(rows), tally.asked)
    else:
        from netlab.report.truth_table import TruthTable

        table = TruthTable(tally.count(rows))
        yield from table.lines(terminal.width(), terminal.paint)
    yield str(tally)


def exit_as(tally: Tally, output: str) -> None:
    """End with exit code 1 unless all is as expected; formats without words say on standard error what is not.

    Pairs with the expected verdict unknown are counted on standard error; they do not change the exit code.
    """
    if tally.asked == "verify" and tally["unknown"]:
        pairs = f"{tally['unknown']} pair{'' if tally['unknown'] == 1 else 's'}"
        terminal.say(f"{pairs} not compared: a policy that netlab does not read could change the verdict")
    if tally.as_expected:
        return
    if output in ("json", "yaml"):
        terminal.say(str(tally))
    raise SystemExit(1)
