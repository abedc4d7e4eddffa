"""The evaluator's verdict for every pair, as a result. It computes only what the format prints."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from netlab.report.documents import Items
from netlab.report.formats import Page
from netlab.report.reachability import Reachability
from netlab.report.rows import Row, endpoints_of, row_of

if TYPE_CHECKING:
    from netlab.cluster import Cluster
    from netlab.cluster.flows import FlowSelection
    from netlab.policy.expand_services import ServiceExpansion
    from netlab.report.again import CommandLine
    from netlab.report.blocks import Block

# Up to this number of pairs, evaluating each takes less time than finding equivalent endpoints.
_FEW = 4_000
# A table with more destinations has tens of megabytes.
_WIDE = 2_000


class Expected(Reachability):
    """The expected verdicts of selected pairs of a cluster."""

    def __init__(self, cluster: Cluster, asked: FlowSelection, again: CommandLine | None = None) -> None:
        super().__init__(cluster.name, (), "reach", again=again)
        self._cluster = cluster
        self._asked = asked
        self._few = asked.count(cluster) <= _FEW

    def table(self, page: Page) -> Iterator[str]:
        """Yield the truth table and the counts; for many pairs they come from groups of equivalent endpoints."""
        if self._few:
            # A truth table has no reasons, and they are a quarter of the work.
            self._rows = self._one_by_one(reasons=False)
            yield from super().table(page)
            return
        from netlab.policy.groups import groups
        from netlab.report.table_of_groups import truth_table

        everyone = self._asked.endpoints(self._cluster)
        if len(everyone) > _WIDE:
            page.say(f"a table of {len(everyone):,} columns: --group prints pods that behave alike as one")
        found = groups(self._cluster, self._asked)
        for verdict, number in found.tally().items():
            self.tally.add(verdict, number)
        yield from truth_table(found, everyone).lines(page.width, page.paint)
        yield str(self.tally)

    def report(self) -> Iterator[Block]:
        """Yield the whole report: the matrices with reasons, pictures and policies."""
        from netlab.report.blocks import Heading, Numbers, Paragraph
        from netlab.report.cluster_report import ClusterReport, verdict_figures

        of = ClusterReport(self._cluster, self._asked)
        tally = of.found.tally()
        yield Heading(f"{self._cluster.name}: expected reachability", 1)
        yield Numbers((*verdict_figures(tally), *of.figures()))
        yield Paragraph(f"{of.source}. No packet was sent.")
        yield from of.matrices()
        yield from of.rest()

    def comment(self) -> Iterator[Block]:
        """Yield what is unknown and what nothing isolates, the counts, the table of groups, and the picture."""
        from netlab.policy.groups import groups
        from netlab.report.comments import of_groups

        return of_groups(groups(self._cluster, self._asked), self._cluster, self._asked, self._again)

    def rows(self) -> Iterator[Row]:
        if self._few:
            return self._one_by_one(reasons=True)
        from netlab.policy.expand import Expansion
        from netlab.report import expanded

        return expanded.rows(Expansion(self._cluster, self._asked), self._services())

    def items(self) -> Items:
        if self._few:
            return super().items()
        return super().items()._replace(texts=self._texts)

    def _texts(self) -> Iterator[str]:
        from netlab.policy.expand import Expansion
        from netlab.report import expanded

        return expanded.json_rows(Expansion(self._cluster, self._asked), self.tally, self._services())

    def _services(self) -> ServiceExpansion | None:
        if not self._asked.service_questions(self._cluster):
            return None
        from netlab.policy.expand_services import ServiceExpansion

        return ServiceExpansion(self._cluster, self._asked)

    def _one_by_one(self, *, reasons: bool) -> Iterator[Row]:
        from netlab.policy.evaluate import evaluate

        for flow in self._asked.flows(self._cluster):
            decision = evaluate(self._cluster, flow)
            reason = decision.reason if reasons else ""
            yield row_of(flow, decision.verdict, None, reason, endpoints_of(decision.endpoints))
