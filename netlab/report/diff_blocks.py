"""The short and the whole report of ``diff``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from netlab.quantity import quantity
from netlab.report.blocks import (
    MOST_ROWS,
    Answer,
    Block,
    Bullets,
    Cell,
    Code,
    Details,
    Header,
    Heading,
    Image,
    Marker,
    Matrices,
    Matrix,
    Number,
    Numbers,
    Paragraph,
    Rows,
)
from netlab.report.reachability_diff import NONE, first_rows, port_text

if TYPE_CHECKING:
    from netlab.policy.cluster_diff import Ends
    from netlab.policy.explained_pairs import ExplainedPairs
    from netlab.report.reachability_diff import ReachabilityDiff

    Row = tuple[ExplainedPairs, Ends]

# The most rows of the matrix: each has a reason for each side. The most boxes and arrows of a picture.
_MOST, _BOXES, _ARROWS = 400, 150, 600
_HEADINGS = {"opened": "Opened", "closed": "Closed", "changed": "Changed in another way"}


def comment_blocks(result: ReachabilityDiff) -> Iterator[Block]:
    """Yield the comment for a pull request: opened first, at most ``MOST_ROWS`` rows, then the counts."""
    tally = result.found.tally()
    said = [f"{number:,} {kind}" for kind, number in tally.items() if number]
    wrong = any(proof.wrong for proof in result.proofs.values())
    yield Marker(f"netlab: diff {' '.join(result.sides)}")
    title = f"Connections: {', '.join(said)}" if said else "No connection changes"
    yield Heading(f"Failed: packets differ. {title}" if wrong else title, 1)
    yield from _assumed(result)
    rows = first_rows(result, MOST_ROWS)
    for kind, heading in _HEADINGS.items():
        of_kind = [row for row in rows if row[0].pairs.kind == kind]
        if of_kind:
            yield Heading(heading)
            outside = frozenset(at for at, row in enumerate(of_kind) if row[0].pairs.opens_outside)
            yield Rows(
                ("From", "To", "Port", "Was", "Is", "Because"), [_cells(result, row) for row in of_kind], 0, outside
            )
    if result.number > len(rows):
        yield Paragraph(f"and {result.number - len(rows):,} more rows")
    yield Paragraph(result.summary())
    notes = list(result.notes())
    if notes:
        yield Bullets(notes[:MOST_ROWS])
    causes = list(dict.fromkeys(str(cause) for row in rows for cause in row[0].because))
    if causes:
        yield Details("Every cause in full", [Bullets(causes)])
    if result.again is not None:
        yield Details("Commands that show it again", [Code(result.again.command, "sh")])


def report_blocks(result: ReachabilityDiff) -> Iterator[Block]:
    """Yield the whole report."""
    found = result.found
    tally = found.tally()
    yield Heading(f"{result.sides[0]} → {result.sides[1]}: which connections change", 1)
    yield from _assumed(result)
    yield Numbers(
        (
            Number(f"{tally['opened']:,}", "pairs opened", "!" if tally["opened"] else ""),
            Number(f"{tally['closed']:,}", "pairs closed", "X" if tally["closed"] else ""),
            Number(f"{tally['changed']:,}", "pairs changed in another way", "u" if tally["changed"] else ""),
            Number(f"{found.unchanged:,}", "pairs unchanged"),
            Number(f"{len(found.appeared):,}", "appeared"),
            Number(f"{len(found.vanished):,}", "vanished"),
        )
    )
    yield Paragraph(f"{result.summary()}. Pods that both sides have keep their addresses.")
    rows = first_rows(result, _MOST)
    if rows:
        outside = frozenset(at for at, row in enumerate(rows) if row[0].pairs.opens_outside)
        yield Heading("Changes")
        header = ("Change", "From", "To", "Port", "Was", "Is", "Because")
        yield Rows(
            header, [(row[0].pairs.kind, *_cells(result, row)) for row in rows], result.number - len(rows), outside
        )
        yield Heading("Reasons on both sides")
        yield Matrices([_matrix(result, rows)])
    notes = list(result.notes())
    if notes:
        yield Heading("Notes")
        yield Bullets(notes)
    yield Heading("Pictures")
    yield from _pictures(result)


def _assumed(result: ReachabilityDiff) -> Iterator[Block]:
    if result.again is not None and result.again.assumed:
        yield Paragraph(f"What if: {result.again.assumed}")


def _cells(result: ReachabilityDiff, row: Row) -> Sequence[str]:
    """Return the cells of a row of a table: the ends, the port, the verdicts of both sides, the causes."""
    _, source, destination, port, old, new = result.cells(row)
    measured = result.measured(row) if result.proofs else (None, None)
    was, now = (f"{v} (measured {m})" if m else v for v, m in zip((old, new), measured, strict=True))
    because = "; ".join(cause.brief for cause in row[0].because) or NONE
    return source, destination, port, was, now, because


def _matrix(result: ReachabilityDiff, rows: Sequence[Row]) -> Matrix:
    """Return the matrix of changes by side, whose cells have the reasons."""
    from netlab.policy.clusters_between import flow_by_name
    from netlab.policy.evaluate import evaluate
    from netlab.report.answers import MARKS, policies_of
    from netlab.report.truth_table import NOT_ASKED

    units, cells = [], []
    kinds: list[Cell] = []
    for one, ends in rows:
        source, destination, port = (result.name((one, ends), 0), result.name((one, ends), 1), port_text(one.pairs))
        groups = (one.pairs.source, one.pairs.destination)
        spaces = {end.namespace for of in groups for end in getattr(of, "members", ()) if hasattr(end, "namespace")}
        lines = (quantity(one.pairs.pairs, "pair"), *map(str, one.because))
        units.append(Header(f"{source} → {destination} {port}", tuple(sorted(spaces)), (), lines, one.pairs.kind))
        line = []
        for side, cluster, verdict in (
            ("old", result.found.old, one.pairs.old),
            ("new", result.found.new, one.pairs.new),
        ):
            line.append(len(kinds))
            flow = flow_by_name(cluster, ends, one.pairs.asked)
            if verdict is None or flow is None:
                kinds.append(Cell(NOT_ASKED, answers=(Answer(side, "an end of the pair is not there"),)))
                continue
            decision = evaluate(cluster, flow)
            pair = f"{flow.source.ref} -> {flow.target}"
            answer = Answer(
                side, verdict, decision.reason, pair, tuple(map(str, one.because)), tuple(policies_of(decision))
            )
            kinds.append(Cell(MARKS[verdict], answers=(answer,)))
        cells.append(line)
    more = result.number - len(rows)
    notes = (f"{more:,} more rows; netlab diff -o json prints all",) if more > 0 else ()
    return Matrix(
        "changes by side", units, [Header("old"), Header("new")], cells, kinds, notes=notes, axes=("change", "side")
    )


def _pictures(result: ReachabilityDiff) -> Iterator[Block]:
    """Yield who reaches whom on each side, if the pictures are small enough."""
    from netlab.pictures.reach import reach_picture

    for side, name, cluster in zip(("Old", "New"), result.sides, (result.found.old, result.found.new), strict=True):
        picture = reach_picture(cluster, result.found.questions, links=False)
        if len(picture.boxes) > _BOXES or len(picture.arrows) > _ARROWS:
            yield Paragraph(f"{side}: {len(picture.boxes):,} boxes are too many here; netlab graph reach draws them.")
            continue
        below = [Bullets(picture.below)] if picture.below else []
        yield Details(f"{side}, {name}: who reaches whom", [Image(picture), *below])
