"""The evaluator over sets: one call finds the verdicts of all sources towards one destination.

``evaluate`` takes one pair. Here the wiring and each tier are evaluated once for each kind of endpoint that they can
tell apart (``endpoint_kinds``, ``tiers.tier.OverSets``), and the results are combined as sets.
"""

from __future__ import annotations

from collections.abc import Sequence

from netlab.cluster.flows import Flow, askable
from netlab.cluster.translate import stands_for
from netlab.cluster.types import Cluster, Endpoint, Host, Pod, address_of
from netlab.frozen import NamedTuple, frozen
from netlab.objects.types import Direction
from netlab.policy.bitsets import members
from netlab.policy.by_settings import asked_like
from netlab.policy.endpoint_kinds import EndpointKinds
from netlab.policy.evaluate import evaluate, way_of
from netlab.policy.tiers import NETWORK_POLICY, tiers_in_use
from netlab.policy.tiers.tier import AskedPort
from netlab.policy.unread import changing
from netlab.verdicts import EXPECTED, Certain


class Sources(NamedTuple):
    """By verdict: the set of the kinds whose members have it towards a destination. All other kinds are denied."""

    allow: int
    some: int = 0
    unknown: int = 0


@frozen
class Paths:
    """The kinds with a path to a destination, and those with a path where egress or ingress is enforced.

    ``own_node`` are the kinds of pods whose own node it is (``Path.own_node``). ``unread`` are the kinds on whose path
    policies that netlab does not read may be enforced.
    """

    connected: int = 0
    egress: int = 0
    ingress: int = 0
    own_node: int = 0
    unread: int = 0


class SetEvaluator:
    """The verdicts between the kinds of a cluster's endpoints.

    ``kinds[i]`` are the endpoints of kind i, and ``all`` is the set of all kinds. Tiers use examples of the endpoints
    that a peer can tell apart, each with the set of the kinds that it stands for: ``places`` by IP family for ipBlocks,
    ``pods`` by namespace for selectors, ``others`` for endpoints that are not pods. ``pods_of`` has the kinds of a
    namespace's ``pods`` as a set. ``served`` numbers the kinds that ports of rules can tell apart.
    """

    def __init__(self, cluster: Cluster, kinds: EndpointKinds) -> None:
        self.cluster = cluster
        self.kinds = kinds.members
        self.all = (1 << len(kinds.members)) - 1
        self._wires = kinds.split(kinds.wired)
        self._wire_of = part_numbers([found for _, found in self._wires])
        self.served = part_numbers([found for _, found in kinds.split(kinds.served)])
        self.places = {
            family: kinds.split(lambda endpoint, family=family: kinds.placed(endpoint, family))  # type: ignore[misc]
            for family in (4, 6)
        }
        self.pods: dict[str, list[tuple[Pod, int]]] = {}
        self.pods_of: dict[str, int] = {}
        self.others: list[tuple[Endpoint, int]] = []
        for (example, *_), found in kinds.split(kinds.named):
            if isinstance(example, Pod) and example.selectable:
                self.pods.setdefault(example.namespace, []).append((example, found))
                self.pods_of[example.namespace] = self.pods_of.get(example.namespace, 0) | found
            elif example.addresses:
                self.others.append((example, found))
        self._known_ways: dict[tuple[int, int, str, int | None], Paths] = {}
        self.tiers = {tier.name: tier.over_sets(self) for tier in tiers_in_use(cluster)}
        self._known_changing: dict[tuple[Certain, str, bool], int] = {}

    def sources(self, kind: int, service: AskedPort) -> Sources:
        """Return, by verdict, the kinds of sources towards the members of a kind on a service.

        The bit of the kind itself is about two members; a kind with one member does not have it. Pairs outside of the
        questions (``cluster.flows``) are left out.
        """
        family, protocol, port = service
        destination = self.kinds[kind][0]
        if stands_for(self.cluster, destination, address_of(destination, family), protocol, port) is not None:
            return self._one_by_one(kind, service)
        ways = self._ways(self._wire_of[kind], family, *asked_like(self.cluster, protocol, port))
        asked_of = self.all if len(self.kinds[kind]) > 1 else self.all & ~(1 << kind)
        if self.cluster.unread:
            return self._with_unread(kind, service, ways, asked_of)
        found = ways.connected
        if found & ways.ingress:
            found &= ~ways.ingress | self._allowed("ingress", kind, service)
        if found & ways.egress:
            found &= ~ways.egress | self._allowed("egress", kind, service)
        if found & ways.own_node:
            found &= ~ways.own_node | self._allowed("egress", kind, service, own_node=True)
        return Sources(found & asked_of)

    def paths(self, kind: int, service: AskedPort) -> Paths:
        """Return the paths to a kind, as that of a destination that no node translates."""
        family, protocol, port = service
        return self._ways(self._wire_of[kind], family, *asked_like(self.cluster, protocol, port))

    def _with_unread(self, kind: int, service: AskedPort, ways: Paths, asked_of: int) -> Sources:
        """Return the same in a cluster with policies that netlab does not read."""
        destination, protocol = self.kinds[kind][0], service[1]
        inside = isinstance(destination, Pod) and destination.selectable
        ingress = ~ways.ingress | self._allowed("ingress", kind, service)
        egress = ~ways.egress | self._allowed("egress", kind, service)
        if ways.own_node:
            egress &= ~ways.own_node | self._allowed("egress", kind, service, own_node=True)

        def open_ingress(verdict: Certain) -> int:
            could = changing(self.cluster, "ingress", destination, verdict, protocol, inside=inside)
            return ways.unread if could else 0

        def open_egress(verdict: Certain) -> int:
            return ways.unread & self._changing(verdict, protocol, inside=inside)

        certain = ways.connected & ingress & ~open_ingress("allow") & egress & ~open_egress("allow")
        possible = ways.connected & (ingress | open_ingress("deny")) & (egress | open_egress("deny"))
        return Sources(certain & asked_of, unknown=possible & ~certain & asked_of)

    def _changing(self, verdict: Certain, protocol: str, *, inside: bool) -> int:
        """Return the kinds whose egress verdict an unread policy could change."""
        key = (verdict, protocol, inside)
        if key not in self._known_changing:
            self._known_changing[key] = sum(
                1 << number
                for number, (example, *_) in enumerate(self.kinds)
                if changing(self.cluster, "egress", example, verdict, protocol, inside=inside)
            )
        return self._known_changing[key]

    def _one_by_one(self, kind: int, service: AskedPort) -> Sources:
        """Evaluate every source alone, as a translation depends on the source."""
        family, protocol, port = service
        found = dict.fromkeys(EXPECTED, 0)
        for number, sources in enumerate(self.kinds):
            pair = example_pair(sources, self.kinds[kind], family)
            if pair is None:
                continue
            flow = Flow(*pair, family, protocol, port, address_of(pair[1], family))
            found[evaluate(self.cluster, flow).verdict] |= 1 << number
        return Sources(found["allow"], found["some"], found["unknown"])

    def _ways(self, wire: int, family: int, protocol: str, port: int | None) -> Paths:
        key = (wire, family, protocol, port)
        if key not in self._known_ways:
            connected = egress = ingress = own_node = unread = 0
            for sources, found in self._wires:
                pair = example_pair(sources, self._wires[wire][0], family)
                if pair is None:
                    continue
                way = way_of(self.cluster, Flow(*pair, family, protocol, port, address_of(pair[1], family)))
                connected |= found if way.connected else 0
                egress |= found if way.egress_enforced else 0
                ingress |= found if way.ingress_enforced else 0
                own_node |= found if way.own_node else 0
                unread |= found if way.connected and not way.local else 0
            self._known_ways[key] = Paths(connected, egress, ingress, own_node, unread)
        return self._known_ways[key]

    def _allowed(self, direction: Direction, kind: int, asked: AskedPort, *, own_node: bool = False) -> int:
        """Return the kinds of sources that the tiers allow towards a kind, on the side of a direction.

        ``own_node``: the kind is the sources' own node. NetworkPolicy then allows what it would decide.
        """
        allowed, left = 0, self.all
        for name, tier in self.tiers.items():
            by_action = tier.ingress(kind, asked) if direction == "ingress" else tier.egress(kind, asked)
            allowed |= by_action.allow & left
            if own_node and name == NETWORK_POLICY.name:
                allowed |= by_action.deny & left
            left &= ~(by_action.allow | by_action.deny)
            if not left:
                break
        return allowed | left


def example_pair(
    sources: Sequence[Endpoint], destinations: Sequence[Endpoint], family: int
) -> tuple[Endpoint, Endpoint] | None:
    """Return a source and a different destination of two kinds; None if no such pair is in question."""
    source, destination = sources[0], destinations[0]
    if source is destination:
        if len(destinations) == 1:
            return None
        destination = destinations[1]
    if isinstance(source, Host) and (isinstance(destination, Host) or not askable(source, family)):
        return None
    return source, destination


def part_numbers(parts: Sequence[int]) -> dict[int, int]:
    """Return, by kind, the number of the part that it is in."""
    return {kind: number for number, found in enumerate(parts) for kind in members(found)}
