"""The arrows of a picture of who reaches whom, and the policy rules that allow what they show."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from netlab.cluster.flows import Flow, service_flow
from netlab.cluster.types import Cluster, Endpoint, address_of
from netlab.pictures.badges import Badge
from netlab.pictures.model import Arrow
from netlab.pictures.ports import ports_text
from netlab.pictures.units import Pair, Part, Verdicts
from netlab.policy.decision import Decision
from netlab.policy.evaluate import evaluate
from netlab.policy.tiers.tier import AskedPort

_MOST_PORTS = 100


class Explained:
    """Explains verdicts between units by a pair of their members."""

    def __init__(self, cluster: Cluster, parts: Sequence[Part]) -> None:
        self._cluster = cluster
        self._parts = parts

    def decision(self, pair: Pair, port: AskedPort) -> Decision:
        """Return the decision about a member of the source and another endpoint of the destination."""
        source, to = self._parts[pair[0]].members[0], self._parts[pair[1]]
        family, protocol, number = port
        if to.service is not None:
            return evaluate(self._cluster, service_flow(source, to.service, protocol, number, family))
        destination = next((member for member in to.members if member is not source), source)
        return decided(self._cluster, source, destination, port)

    def of_badge(self, badge: Badge) -> str:
        """Return the reason of one arrow that a badge replaces."""
        pair, port = min(badge.replaced, key=lambda one: (one[0], str(one[1])))
        found = self.decision(pair, port)
        return f"{self._parts[pair[0]].ident} to {self._parts[pair[1]].ident}: {found.reason}"


def decided(cluster: Cluster, source: Endpoint, destination: Endpoint, port: AskedPort) -> Decision:
    """Return the decision about one pair of endpoints and a port."""
    family, protocol, number = port
    return evaluate(cluster, Flow(source, destination, family, protocol, number, address_of(destination, family)))


def arrows_of(
    parts: Sequence[Part], verdicts: Verdicts, badges: Iterable[Badge], explained: Explained, families: int
) -> Iterator[Arrow]:
    """Yield an arrow for each pair of units and verdict, with the ports that no badge has; none for denied pairs."""
    replaced = {one for badge in badges for one in badge.replaced}
    for verdict, having in verdicts.having.items():
        for pair, ports in sorted(having.items()):
            left = [port for port in ports if (pair, port) not in replaced]
            if left and pair[0] != pair[1]:
                source, to = (parts[number] for number in pair)
                first = min(left, key=str)
                decision = explained.decision(pair, first)
                note = [f"{source.ident} to {to.ident}: {ports_text(left, families, _MOST_PORTS)}", decision.reason]
                yield Arrow(
                    source.ident,
                    to.ident,
                    ports_text(left, families, 2),
                    verdict,
                    note=tuple(note),
                    place=place_of_rule(decision),
                )


def place_of_rule(decision: Decision) -> str:
    """Return the file and line of the rule that allows: that of ingress first."""
    for side in (decision.ingress, decision.egress):
        for match in side.allowing if side is not None else ():
            line = match.rule.line or match.policy.source.line(match.rule.path)
            if line:
                return f"{match.policy.source.file}:{line}"
    return ""


def both_ways(arrows: Iterable[Arrow]) -> tuple[Arrow, ...]:
    """Return the arrows; two of opposite directions with equal labels and verdicts are one with two heads."""
    found: dict[tuple[str, str, str, str], Arrow] = {}
    for arrow in arrows:
        back = (arrow.target, arrow.source, arrow.label, arrow.verdict)
        if back in found and not found[back].both:
            found[back] = replace(found[back], both=True, note=(*found[back].note, *arrow.note))
        else:
            found[arrow.source, arrow.target, arrow.label, arrow.verdict] = arrow
    return tuple(found.values())
