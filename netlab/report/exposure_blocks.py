"""Exposure as blocks: the comment and the page."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

from netlab.report.blocks import MOST_ROWS, Block, Bullets, Code, Details, Heading, Number, Numbers, Paragraph, Rows
from netlab.report.comments import head
from netlab.report.exposure import CELLS

if TYPE_CHECKING:
    from netlab.report.exposure import ExposureReport

# The most rows of the page, and the most groups whose openings it lists.
_MOST = 1000
_COLUMNS = tuple(name.capitalize() for name in CELLS)


def comment(result: ExposureReport) -> Iterator[Block]:
    """Yield the short report."""
    of = result.counts()
    lab = result.found.cluster.name
    yield from head("exposure", lab, f"Exposure in lab {lab}: {result.summary()}", result.again)
    rows = [result.cells(one) for one in result.rows[:MOST_ROWS]]
    if rows:
        yield Rows(_COLUMNS, rows, of["groups"] - len(rows))
    if result.radius is not None:
        lines = list(islice(result.radius_lines(), MOST_ROWS + 1))
        yield Paragraph(lines[0])
        if lines[1:]:
            yield Details("Pods that are reached, each with a shortest path", [Code("\n".join(lines[1:]))])
    new = list(result.new_pod_lines())
    if new:
        yield Bullets(new)
    lines = [line for one in result.rows[:MOST_ROWS] for line in (*result.lines(one), "")]
    if lines:
        yield Details("What is open, with ports", [Code("\n".join(lines[:400]).rstrip())])
    if result.again is not None:
        yield Details("Commands that show it again", [Code(result.again.command, "sh")])


def report(result: ExposureReport) -> Iterator[Block]:
    """Yield the whole report."""
    of = result.counts()
    yield Heading(f"{result.found.cluster.name}: what is exposed", 1)
    if result.again is not None and result.again.assumed:
        yield Paragraph(f"What if: {result.again.assumed}")
    yield Numbers(
        (
            Number(f"{of['unprotected']:,}", "groups open to everything", "warn" if of["unprotected"] else ""),
            Number(f"{of['internet']:,}", "groups open to the internet by policy", "warn" if of["internet"] else ""),
            Number(f"{of['groups']:,}", "groups"),
            Number(f"{of['pods']:,}", "pods"),
        )
    )
    yield Heading("Groups")
    yield Rows(_COLUMNS, [result.cells(one) for one in result.rows[:_MOST]], max(0, of["groups"] - _MOST))
    new = list(result.new_pod_lines())
    if new:
        yield Heading("New pods")
        yield Bullets(new)
    if result.radius is not None:
        yield Heading("Blast radius")
        yield Code("\n".join(result.radius_lines()))
    yield Heading("What is open, with ports")
    for one in result.rows[:_MOST]:
        name, *lines = result.lines(one)
        yield Details(name, [Code("\n".join(lines))])
