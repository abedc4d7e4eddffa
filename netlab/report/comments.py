"""Short reports: what is wrong first, at most ``MOST_ROWS`` rows of each table, then counts, then folded details.

Each function yields the blocks of one result's view ``comment()``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from netlab.errors import place_text
from netlab.quantity import quantity
from netlab.report.blocks import MOST_ROWS, Block, Bullets, Code, Details, Heading, Image, Marker, Paragraph, Rows

if TYPE_CHECKING:
    from netlab.cluster import Cluster
    from netlab.cluster.flows import FlowSelection
    from netlab.errors import Problem
    from netlab.policy.groups import Groups
    from netlab.report.again import CommandLine
    from netlab.report.comparison import Comparison
    from netlab.report.kept import KeptRows
    from netlab.report.rows import Outcome, Row, Tally
    from netlab.scenario.results import ScenarioResult

# A table of more groups, and a picture of more boxes, is no detail of a comment.
_SMALL = 24
_WIDTH = 160
_COMMANDS = 3
SECTIONS: dict[Outcome, str] = {
    "differ": "Packets and policies differ",
    "inconclusive": "Inconclusive pairs",
    "unknown": "Not compared: a policy that netlab does not read could change the verdict",
}
"""The outcomes that a report lists pair by pair, in order, with the titles of their sections."""
_TITLE = {"reach": "Expected verdicts", "probe": "Measured verdicts", "verify": "Packets against policies"}


def head(command: str, subject: str, title: str, again: CommandLine | None = None) -> Iterator[Block]:
    """Yield the marker and the title of a comment, and how its question changes the input."""
    yield Marker(f"netlab: {command} {subject}".rstrip())
    yield Heading(title, 1)
    if again is not None and again.assumed:
        yield Paragraph(f"What if: {again.assumed}")


def of_rows(
    lab: str, tally: Tally, kept: KeptRows, again: CommandLine | None, more: Iterable[Block] = ()
) -> Iterator[Block]:
    """Yield the comment of ``verify`` or ``probe``: pairs that differ, then inconclusive ones, then unknown ones.

    ``more`` are blocks after the counts.
    """
    yield from head(tally.command, lab, f"{_outcome(tally)} in lab {lab}", again)
    wrong: list[Row] = []
    for outcome, what in SECTIONS.items():
        rows, number = kept.rows[outcome], tally[outcome]
        if not number:
            continue
        wrong += rows if outcome != "unknown" else []
        yield Heading(what)
        yield pair_rows(rows[:MOST_ROWS], number)
    yield Paragraph(str(tally))
    yield from more
    yield from _again(again, [_explain(again, row) for row in wrong[:_COMMANDS]] if again else [])


def of_verification(
    lab: str, tally: Tally, kept: KeptRows, cluster: Cluster, asked: FlowSelection, again: CommandLine | None
) -> Iterator[Block]:
    """Yield the comment of ``verify``: that of its rows, with the expected verdicts of groups and the picture."""
    from netlab.policy.groups import groups

    return of_rows(lab, tally, kept, again, _small(groups(cluster, asked), cluster, asked))


def _outcome(tally: Tally) -> str:
    """Return the outcome of a tally in words."""
    pairs = quantity(tally.pairs, "pair")
    differ, inconclusive = tally["differ"], tally["inconclusive"]
    wrong = [f"{number:,} {word}" for number, word in ((differ, "differ"), (inconclusive, "inconclusive")) if number]
    if wrong:
        return f"Failed: of {pairs}, {' and '.join(wrong)}"
    if tally.command != "verify":
        return f"{_TITLE[tally.command]} of {pairs}"
    unknown = f", {tally['unknown']:,} not compared" if tally["unknown"] else ""
    return f"Passed: {quantity(tally['agree'], 'pair')} as expected{unknown}"


def pair_rows(rows: Sequence[Row], number: int) -> Rows:
    """Return rows as a table with a column for each verdict that they have; ``number`` is the number of all rows.

    The IP family is beside the port if the rows have two, or if it is IPv6.
    """
    families = len({row.family for row in rows}) > 1
    verdicts = [name for name in ("expected", "measured") if any(getattr(row, name) for row in rows)]
    cells = [
        (
            row.source,
            row.destination,
            f"{row.port_text} IPv{row.family}" if families or row.family == 6 else row.port_text,
            *(getattr(row, name) or "-" for name in verdicts),
            row.reason,
        )
        for row in rows
    ]
    header = ("From", "To", "Port", *(name.capitalize() for name in verdicts), "Reason")
    return Rows(header, cells, number - len(cells))


def of_groups(found: Groups, cluster: Cluster, asked: FlowSelection, again: CommandLine | None) -> Iterator[Block]:
    """Yield the comment of ``reach``: unknown verdicts, pods that nothing isolates, counts, table and picture."""
    from netlab.report.groups import summary

    tally = found.tally()
    total = sum(tally.values())
    yield from head(
        "reach",
        cluster.name,
        f"{_TITLE['reach']} in lab {cluster.name}: {tally['allow']:,} of {quantity(total, 'pair')} allowed",
        again,
    )
    if tally["unknown"]:
        kinds = Counter(policy.kind for policy in cluster.unread)
        unread = ", ".join(sorted(kinds)) or "a policy"
        yield Paragraph(f"{quantity(tally['unknown'], 'pair')} unknown: netlab does not read {unread}")
    yield from _unprotected(cluster)
    yield Paragraph(summary(found))
    yield from _small(found, cluster, asked)
    yield from _again(again)


def _small(found: Groups, cluster: Cluster, asked: FlowSelection) -> Iterator[Block]:
    """Yield the table of groups and the picture, if they are small."""
    from netlab.report.groups import table

    if len(found.groups) <= _SMALL:
        yield Details("Who reaches whom, by groups of pods that behave alike", [Code("\n".join(table(found, _WIDTH)))])
    yield from _picture(found, cluster, asked)


def _picture(found: Groups, cluster: Cluster, asked: FlowSelection) -> Iterator[Block]:
    """Yield the picture of the groups, if it is small."""
    from netlab.pictures import mermaid
    from netlab.pictures.reach import reach_picture

    # The smallest picture has a box for each group or for each namespace; a large one takes seconds.
    if min(len(found.groups), len({pod.namespace for pod in cluster.asked_pods()})) > mermaid.MOST:
        return
    picture = reach_picture(cluster, asked)
    if mermaid.fits(picture):
        yield Details("Picture", [Image(picture), *([Bullets(picture.below)] if picture.below else [])])


def _unprotected(cluster: Cluster) -> Iterator[Block]:
    """Yield how many pods of each namespace no policy isolates."""
    from netlab.report.isolation import isolation

    isolated = isolation(cluster)
    pods = [pod for pod in cluster.asked_pods() if pod.ref in isolated]
    every = Counter(pod.namespace for pod in pods)
    free = Counter(pod.namespace for pod in pods if isolated[pod.ref] == "none")
    if not free:
        return
    rows = [(space, f"{number} of {every[space]}") for space, number in free.most_common()]
    yield Heading("Pods that no policy isolates")
    yield Rows(("Namespace", "Pods"), rows[:MOST_ROWS], max(0, len(rows) - MOST_ROWS))


def of_tests(results: Sequence[ScenarioResult], again: CommandLine | None) -> Iterator[Block]:
    """Yield the comment of ``test``: what could not run, wrong expectations, counts, every scenario."""
    from netlab.report.scenarios import question_of, summary_line

    bad = [result for result in results if result.outcome != "passed"]
    many = quantity(len(results), "scenario")
    yield from head("test", "", f"Failed: {len(bad):,} of {many}" if bad else f"Passed: {many}", again)
    errors = [(result.file, result.name, result.error) for result in results if result.error]
    if errors:
        yield Heading("Could not run")
        yield Rows(("File", "Scenario", "Error"), errors[:MOST_ROWS], max(0, len(errors) - MOST_ROWS))
    failures = [(result, step, one) for result in results for step in result.steps for one in step.failures]
    if failures:
        cells = []
        for result, step, one in failures[:MOST_ROWS]:
            where = f"{one.file}:{one.line}" if one.line else one.file
            cells.append(
                (where, f"{result.name}: {step.name}", question_of(one), one.expected, one.measured, one.reason)
            )
        header = ("Place", "Scenario and step", "Question", "Expected", "Measured", "Reason")
        yield Heading("Not as expected")
        yield Rows(header, cells, len(failures) - len(cells))
    yield Paragraph(summary_line(results))
    if len(results) > 1 or not bad:
        rows = [
            (
                one.name,
                one.outcome,
                str(len(one.steps)),
                str(sum(step.pairs for step in one.steps)),
                f"{one.seconds:.2f} s",
            )
            for one in results
        ]
        table = Rows(
            ("Scenario", "Outcome", "Steps", "Asked", "Time"), rows[: 5 * MOST_ROWS], max(0, len(rows) - 5 * MOST_ROWS)
        )
        yield Details("Every scenario", [table])
    yield from _again(again)


def of_problems(found: Sequence[Problem], summary: str, again: CommandLine | None) -> Iterator[Block]:
    """Yield the comment of ``check``: errors, then warnings, then counts."""
    by_severity = {word: [one for one in found if one.severity == word] for word in ("error", "warning")}
    errors, warnings = by_severity["error"], by_severity["warning"]
    said = [quantity(len(of), word) for word, of in by_severity.items() if of]
    title = (
        f"Failed: {' and '.join(said)}" if errors else f"Passed, with {said[0]}" if warnings else "Passed: no problem"
    )
    yield from head("check", "", title, again)
    for word, of in by_severity.items():
        if of:
            rows = [(place_text(p.file, p.line), p.object, p.path, p.message) for p in of[:MOST_ROWS]]
            yield Heading(f"{word.capitalize()}s")
            yield Rows(("Place", "Object", "Field", "What is wrong"), rows, len(of) - len(rows))
    yield Paragraph(summary)
    yield from _again(again)


def of_comparison(result: Comparison, again: CommandLine | None) -> Iterator[Block]:
    """Yield the comment of ``compare``: pairs with several verdicts, what was measured, notes, reasons."""
    profiles = list(result.found.clusters)
    wrong = {name: one for name, one in result.measured.items() if one.wrong}
    title = result.summary()
    yield from head(
        "compare",
        result.lab,
        f"Failed: packets differ under {', '.join(wrong)}" if wrong else title[0].upper() + title[1:],
        again,
    )
    for name, one in wrong.items():
        yield Heading(f"Measured as {name}")
        yield Bullets(one.wrong[:MOST_ROWS])
    number, rows = result.number, list(islice(result.cells(), MOST_ROWS))
    if rows:
        yield Rows(("From", "To", "Port", *profiles), rows, number - len(rows))
    if wrong:
        yield Paragraph(title)
    if result.measured:
        yield Bullets([f"{name}: {one}" for name, one in result.measured.items()])
    if rows:
        reasons = list(islice(result.reasons(), 200))
        yield Details("Reasons", [Code("\n".join(reasons))])
    notes = [f"{name}: {note}" for name, of in result.notes.items() for note in of]
    if notes:
        yield Details("Notes", [Bullets(notes[:MOST_ROWS])])
    yield from _again(again)


def _explain(again: CommandLine, row: Row) -> str:
    port = "/ICMP" if row.port is None else f":{row.port}/{row.protocol}"
    return again.about("explain", row.source, f"{row.destination}{port}")


def _again(again: CommandLine | None, more: Sequence[str] = ()) -> Iterator[Block]:
    if again is not None:
        yield Details("Commands that show it again", [Code("\n".join([again.command, *more]), "sh")])
