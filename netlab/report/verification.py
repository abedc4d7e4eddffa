"""The verdicts of packets beside the expected ones, as a result of ``verify``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from netlab.quantity import quantity
from netlab.report.reachability import Reachability
from netlab.report.rows import Outcome, Row
from netlab.report.suites import Case, Suite, Suites

if TYPE_CHECKING:
    from netlab.cluster import Cluster
    from netlab.cluster.flows import FlowSelection
    from netlab.report.again import CommandLine
    from netlab.report.blocks import Block
    from netlab.report.kept import KeptRows


class Verification(Reachability):
    """The rows of ``verify``; ``cluster`` and ``asked`` are what the whole report is about.

    ``kept`` must count the rows by the groups of this cluster, if the whole report is printed.
    """

    def __init__(
        self,
        lab: str,
        rows: Iterable[Row],
        cluster: Cluster,
        asked: FlowSelection,
        *,
        kept: KeptRows | None = None,
        again: CommandLine | None = None,
    ) -> None:
        super().__init__(lab, rows, "verify", kept=kept, again=again)
        self._cluster = cluster
        self._asked = asked

    def comment(self) -> Iterator[Block]:
        """Yield the pairs that are wrong, the counts, the expected verdicts of groups, and the picture."""
        from netlab.report.comments import of_verification

        kept = self.keep()
        return of_verification(self.lab, self.tally, kept, self._cluster, self._asked, self._again)

    def suites(self) -> Suites:
        """Return a suite of the lab: a case for each wrong pair, one for all that agree, one for all not compared."""
        kept, tally = self.keep(), self.tally
        cases = [Case(f"{quantity(tally['agree'], 'pair')} as expected")] if tally["agree"] else []
        if tally["unknown"]:
            why = "a policy that netlab does not read could change the verdict"
            cases.append(Case(f"{quantity(tally['unknown'], 'pair')} not compared", skipped=why))
        wrong: tuple[Outcome, ...] = ("differ", "inconclusive")
        for outcome in wrong:
            cases += map(_case, kept.rows[outcome])
            if more := tally[outcome] - len(kept.rows[outcome]):
                text = f"{more:,} more {outcome}" if outcome == "inconclusive" else f"{more:,} more pairs differ"
                cases.append(Case(f"and {text}", failure=(text, text)))
        return Suites("netlab", [Suite(f"verify {self.lab}", cases)])

    def report(self) -> Iterator[Block]:
        """Yield the whole report: the pairs that are wrong, the matrices, pictures and policies."""
        from netlab.report.blocks import Heading, Number, Numbers, Paragraph
        from netlab.report.cluster_report import ClusterReport
        from netlab.report.comments import SECTIONS, pair_rows
        from netlab.report.truth_table import DIFFER, INCONCLUSIVE, UNKNOWN

        self.read()
        tally, kept = self.tally, self.kept
        if kept is None or kept.seen is None:
            raise ValueError("the rows were not kept for a report")
        of = ClusterReport(self._cluster, self._asked, kept.seen)
        marks: dict[Outcome, str] = {"differ": DIFFER, "inconclusive": INCONCLUSIVE, "unknown": UNKNOWN}
        figures = [Number(f"{tally.pairs:,}", "pairs measured"), Number(f"{tally['agree']:,}", "agree")]
        figures += [Number(f"{tally[one]:,}", one, mark if tally[one] else "") for one, mark in marks.items()]
        yield Heading(f"{self.lab}: expected and measured", 1)
        yield Numbers((*figures, *of.figures()))
        yield Paragraph(
            f"Measured verdicts are those of packets that netlab sent in a lab on this host. {of.source}."
            " A control packet, which no policy stops, follows each probe on the same path, so a denied probe is told"
            " from a lost one."
        )
        for outcome, title in SECTIONS.items():
            if kept.rows[outcome]:
                yield Heading(title)
                yield pair_rows(kept.rows[outcome], tally[outcome])
        yield from of.matrices()
        if kept.seen.elsewhere:
            yield Paragraph(f"{kept.seen.elsewhere:,} pairs are in no cell: the lab changed while they were measured.")
        yield from of.rest()


def _case(row: Row) -> Case:
    name = f"{row.source} -> {row.destination} {row.port_text} IPv{row.family}"
    what = f"expected {row.expected}, measured {row.measured}"
    return Case(name, failure=(what, f"{name}: {what}: {row.reason}"))
