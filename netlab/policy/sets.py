"""The evaluator's verdicts over sets: for one destination, all that may open a port on it at once.

``evaluate`` takes a pair. Here the wiring is asked once about each distinct thing that it can see of an endpoint
(``kinds``), and each tier for sets of kinds (``tiers.tier.OverSets``); verdicts are unions and intersections of that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from netlab.cluster.flows import Flow, askable
from netlab.cluster.translate import stands_for
from netlab.cluster.types import Cluster, Endpoint, Host, Pod, address_of
from netlab.frozen import frozen
from netlab.objects.types import Direction
from netlab.policy.bitsets import members
from netlab.policy.evaluate import evaluate, way_of
from netlab.policy.kinds import Kinds
from netlab.policy.tiers import with_policies
from netlab.policy.tiers.tier import AskedPort
from netlab.policy.unread import changing
from netlab.verdicts import EXPECTED, Certain


class Sources(NamedTuple):
    """The kinds whose members have a verdict towards those of another, by verdict; all others are denied."""

    allow: int
    some: int = 0
    unknown: int = 0


@frozen
class _Ways:
    """Who has a way to a destination, and on whose way egress or ingress is enforced.

    ``unread``: on whose way policies that netlab does not read may be enforced.
    """

    connected: int = 0
    egress: int = 0
    ingress: int = 0
    unread: int = 0


class Sets:
    """Answers for the kinds of a cluster.

    ``kinds[i]`` are the endpoints of kind i, and ``all`` is the set of all kinds. For the tiers there are examples of
    each distinct thing that a peer can see, with the set of the kinds that it stands for: ``places`` by family for
    addresses, ``pods`` by namespace for labels, ``others`` for what is no pod. ``served`` numbers what ports can see.
    """

    def __init__(self, cluster: Cluster, kinds: Kinds) -> None:
        self.cluster = cluster
        self.kinds = kinds.members
        self.all = (1 << len(kinds.members)) - 1
        self._wires = kinds.split(kinds.wired)
        self._wire_of = numbers([found for _, found in self._wires])
        self.served = numbers([found for _, found in kinds.split(kinds.served)])
        self.places = {
            family: kinds.split(lambda endpoint, family=family: kinds.placed(endpoint, family))  # type: ignore[misc]
            for family in (4, 6)
        }
        self.pods: dict[str, list[tuple[Pod, int]]] = {}
        self.others: list[tuple[Endpoint, int]] = []
        for (example, *_), found in kinds.split(kinds.named):
            if isinstance(example, Pod) and example.selectable:
                self.pods.setdefault(example.namespace, []).append((example, found))
            elif example.addresses:
                self.others.append((example, found))
        self._known_ways: dict[tuple[int, int, bool], _Ways] = {}
        self.tiers = {tier.name: tier.over_sets(self) for tier in with_policies(cluster)}
        self._known_changing: dict[tuple[Certain, str, bool], int] = {}

    def sources(self, kind: int, service: AskedPort) -> Sources:
        """Return the kinds whose members have a verdict towards those of a kind on a service.

        Its own bit is about one member and another; it is not set where there is one only. Pairs that are not asked
        (``cluster.flows``) are left out.
        """
        family, protocol, port = service
        destination = self.kinds[kind][0]
        if stands_for(self.cluster, destination, address_of(destination, family), protocol, port) is not None:
            return self._one_by_one(kind, service)
        ways = self._ways(self._wire_of[kind], family, protocol)
        asked_of = self.all if len(self.kinds[kind]) > 1 else self.all & ~(1 << kind)
        if self.cluster.unread:
            return self._with_unread(kind, service, ways, asked_of)
        found = ways.connected
        if found & ways.ingress:
            found &= ~ways.ingress | self._allowed("ingress", kind, service)
        if found & ways.egress:
            found &= ~ways.egress | self._allowed("egress", kind, service)
        return Sources(found & asked_of)

    def _with_unread(self, kind: int, service: AskedPort, ways: _Ways, asked_of: int) -> Sources:
        """Return the same where policies that netlab does not read could change what each side says."""
        destination, protocol = self.kinds[kind][0], service[1]
        inside = isinstance(destination, Pod) and destination.selectable
        ingress = ~ways.ingress | self._allowed("ingress", kind, service)
        egress = ~ways.egress | self._allowed("egress", kind, service)

        def into(settled: Certain) -> int:
            could = changing(self.cluster, "ingress", destination, settled, protocol, inside=inside)
            return ways.unread if could else 0

        def out_of(settled: Certain) -> int:
            return ways.unread & self._changing(settled, protocol, inside=inside)

        certain = ways.connected & ingress & ~into("allow") & egress & ~out_of("allow")
        possible = ways.connected & (ingress | into("deny")) & (egress | out_of("deny"))
        return Sources(certain & asked_of, unknown=possible & ~certain & asked_of)

    def _changing(self, settled: Certain, protocol: str, *, inside: bool) -> int:
        """Return the kinds whose egress verdict an unread policy could change."""
        key = (settled, protocol, inside)
        if key not in self._known_changing:
            self._known_changing[key] = sum(
                1 << number
                for number, (example, *_) in enumerate(self.kinds)
                if changing(self.cluster, "egress", example, settled, protocol, inside=inside)
            )
        return self._known_changing[key]

    def _one_by_one(self, kind: int, service: AskedPort) -> Sources:
        """Ask the evaluator about every source: translations depend on the source in too many ways."""
        family, protocol, port = service
        found = dict.fromkeys(EXPECTED, 0)
        for number, sources in enumerate(self.kinds):
            pair = two(sources, self.kinds[kind], family)
            if pair is None:
                continue
            flow = Flow(*pair, family, protocol, port, address_of(pair[1], family))
            found[evaluate(self.cluster, flow).verdict] |= 1 << number
        return Sources(found["allow"], found["some"], found["unknown"])

    def _ways(self, wire: int, family: int, protocol: str) -> _Ways:
        key = (wire, family, protocol == "ICMP")
        if key not in self._known_ways:
            connected = egress = ingress = unread = 0
            for sources, found in self._wires:
                pair = two(sources, self._wires[wire][0], family)
                if pair is None:
                    continue
                way = way_of(self.cluster, Flow(*pair, family, protocol, None, address_of(pair[1], family)))
                connected |= found if way.connected else 0
                egress |= found if way.egress_enforced else 0
                ingress |= found if way.ingress_enforced else 0
                unread |= found if way.connected and not way.local else 0
            self._known_ways[key] = _Ways(connected, egress, ingress, unread)
        return self._known_ways[key]

    def _allowed(self, direction: Direction, kind: int, asked: AskedPort) -> int:
        """Return the sources that the tiers allow towards a kind, on the side of a direction."""
        allowed, left = 0, self.all
        for tier in self.tiers.values():
            ruled = tier.ingress(kind, asked) if direction == "ingress" else tier.egress(kind, asked)
            allowed |= ruled.allow & left
            left &= ~(ruled.allow | ruled.deny)
            if not left:
                break
        return allowed | left


def two(sources: Sequence[Endpoint], destinations: Sequence[Endpoint], family: int) -> tuple[Endpoint, Endpoint] | None:
    """Return a source and another endpoint as destination; None where no such pair is asked."""
    source, destination = sources[0], destinations[0]
    if source is destination:
        if len(destinations) == 1:
            return None
        destination = destinations[1]
    if isinstance(source, Host) and (isinstance(destination, Host) or not askable(source, family)):
        return None
    return source, destination


def numbers(parts: Sequence[int]) -> dict[int, int]:
    """Return the number of the part that each kind is in."""
    return {kind: number for number, found in enumerate(parts) for kind in members(found)}
