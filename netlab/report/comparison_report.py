"""The whole report of ``compare``: a matrix of differing pairs by CNI, with the choices that decided, and proofs."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

from netlab.quantity import quantity
from netlab.report.answers import MARKS
from netlab.report.blocks import (
    Answer,
    Block,
    Bullets,
    Cell,
    Details,
    Header,
    Heading,
    Matrices,
    Matrix,
    Number,
    Numbers,
    Paragraph,
    Rows,
)
from netlab.report.matrices import alike_first
from netlab.report.truth_table import NOT_ASKED

if TYPE_CHECKING:
    from netlab.report.comparison import Comparison

# The most rows of the matrix: each has a reason for each CNI.
_MOST = 400


def comparison_blocks(result: Comparison) -> Iterator[Block]:
    """Yield the report of a comparison."""
    found = result.found
    yield Heading(f"{result.lab}: what CNIs do differently", 1)
    yield Numbers(
        (
            Number(f"{len(found.clusters)}", "CNIs"),
            Number(f"{max((sum(of.values()) for of in found.tallies.values()), default=0):,}", "pairs"),
            Number(f"{result.differ:,}", "pairs that differ", "!" if result.differ else ""),
            Number(f"{result.number:,}", "groups of pairs"),
        )
    )
    yield Paragraph(f"{result.summary()}. netlab read the input once for each CNI, with the same addresses.")
    if result.number:
        yield Heading("Differences")
        yield Matrices([_matrix(result)])
    yield Heading("Verdicts of each CNI")
    words = list(dict.fromkeys(verdict for of in found.tallies.values() for verdict in of))
    rows = [(name, *(f"{of.get(verdict, 0):,}" for verdict in words)) for name, of in found.tallies.items()]
    yield Rows(("CNI", *words), rows)
    if result.measured:
        yield Heading("Measured with packets")
        yield Rows(("CNI", "result"), [(name, str(one)) for name, one in result.measured.items()])
        for name, one in result.measured.items():
            if one.wrong:
                yield Details(f"{name}: pairs that are wrong", [Bullets(one.wrong)])
    notes = [f"{name}: {note}" for name, of in result.notes.items() for note in of]
    if notes:
        yield Heading("Notes")
        yield Bullets(notes)


def _matrix(result: Comparison) -> Matrix:
    from netlab.policy.deciding import lines
    from netlab.report.answers import policies_of

    found = result.found
    rows = []
    cells = []
    kinds: list[Cell] = []
    texts = result.cells()
    for (one, ends), (source, destination, port, *_) in islice(zip(result.rows(), texts, strict=True), _MOST):
        members = (one.source, one.destination)
        ends_of = [end for group in members for end in getattr(group, "members", ())]
        spaces = {end.namespace for end in ends_of if hasattr(end, "namespace")}
        pair = " -> ".join(one.named(ends))
        rows.append(
            Header(
                f"{source} → {destination} {port}",
                tuple(sorted(spaces)),
                (),
                (quantity(one.pairs, "pair"),),
            )
        )
        decisions = found.decisions(one, ends)
        line = []
        for name, verdict in zip(found.clusters, one.verdicts, strict=True):
            line.append(len(kinds))
            if verdict is None:
                kinds.append(Cell(NOT_ASKED, answers=(Answer(name, "no packets of this IP family"),)))
                continue
            decision = decisions[name]
            choices = tuple(lines(found.clusters[name], decision))
            answer = Answer(name, verdict, decision.reason, pair, choices, tuple(policies_of(decision)))
            kinds.append(Cell(MARKS[verdict], answers=(answer,)))
        cells.append(line)
    more = result.number - len(rows)
    notes = (f"{more:,} more rows; netlab compare -o json prints all",) if more > 0 else ()
    order = alike_first([[kinds[cell].mark for cell in line] for line in cells])
    return Matrix(
        "differing pairs by CNI",
        [rows[at] for at in order],
        [Header(name) for name in found.clusters],
        [cells[at] for at in order],
        kinds,
        notes=notes,
        axes=("pair", "CNI"),
    )
