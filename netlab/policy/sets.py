"""The evaluator's verdicts over sets: for one destination, all who may open a port on it at once.

``evaluate`` takes a pair and asks every rule about it. Here every rule is asked once about each distinct thing that it
can see of an endpoint (``kinds``), and verdicts are unions and intersections of what it answers. What a peer, a port,
a selector or the wiring means is asked of the same functions as there: only the order of the questions differs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import chain
from operator import or_
from typing import NamedTuple

from netlab.cluster.flows import Flow, askable
from netlab.cluster.translate import stands_for
from netlab.cluster.types import Cluster, Endpoint, Host, Pod, address_of
from netlab.objects.types import NetworkPolicy, Peer, PolicyPort, Rule
from netlab.policy.bitsets import members, transpose
from netlab.policy.evaluate import evaluate, isolating, way_of
from netlab.policy.kinds import Kinds
from netlab.policy.mismatch import EVERYBODY, peer_mismatch, ports_mismatch
from netlab.policy.scope import namespaces_meant
from netlab.policy.unread import changing
from netlab.policy.wide import WIDE, wide_peers
from netlab.verdicts import EXPECTED, Certain

Service = tuple[int, str, int | None]
"""Family, protocol and port."""


class Sources(NamedTuple):
    """The kinds whose members have a verdict towards those of another, by verdict; all others are denied."""

    allow: int
    some: int = 0
    unknown: int = 0


@dataclass(frozen=True, slots=True)
class _Ways:
    """Who has a way to a destination, and on whose way egress or ingress is enforced.

    ``unread``: on whose way policies that netlab does not read may be enforced.
    """

    connected: int = 0
    egress: int = 0
    ingress: int = 0
    unread: int = 0


@dataclass(frozen=True, slots=True)
class _Opening:
    """Egress rules that list the same ports for the same peers, and the kinds that some of their policies select."""

    rule: Rule
    subjects: int


class Sets:
    """Answers for the kinds of a cluster."""

    def __init__(self, cluster: Cluster, kinds: Kinds) -> None:
        self._cluster = cluster
        self._kinds = kinds.members
        self._all = (1 << len(kinds.members)) - 1
        self._wires = kinds.split(kinds.wired)
        self._wire_of = numbers([found for _, found in self._wires])
        self._served = numbers([found for _, found in kinds.split(kinds.served)])
        self._places = {
            family: kinds.split(lambda endpoint, family=family: kinds.placed(endpoint, family))  # type: ignore[misc]
            for family in (4, 6)
        }
        self._pods: dict[str, list[tuple[Pod, int]]] = {}
        self._others: list[tuple[Endpoint, int]] = []
        for (example, *_), found in kinds.split(kinds.named):
            if isinstance(example, Pod) and example.selectable:
                self._pods.setdefault(example.namespace, []).append((example, found))
            elif example.addresses:
                self._others.append((example, found))
        self._known_ways: dict[tuple[int, int, bool], _Ways] = {}
        self._known_peers: dict[tuple[int, str, Peer], int] = {}
        self._known_wide: dict[tuple[int, str, int], int] = {}
        self._known_ingress: dict[tuple[tuple[int, ...], int, Service], int] = {}
        self._known_egress: dict[tuple[int, int, Service], int] = {}
        self._known_openings: dict[int, tuple[list[_Opening], list[int], int]] = {}
        self._known_changing: dict[tuple[Certain, str, bool], int] = {}

    def sources(self, kind: int, service: Service) -> Sources:
        """Return the kinds whose members have a verdict towards those of a kind on a service.

        Its own bit is about one member and another; it is not set where there is one only. Pairs that are not asked
        (``cluster.flows``) are left out.
        """
        family, protocol, port = service
        destination = self._kinds[kind][0]
        if stands_for(self._cluster, destination, address_of(destination, family), protocol, port) is not None:
            return self._one_by_one(kind, service)
        ways = self._ways(self._wire_of[kind], family, protocol)
        asked_of = self._all if len(self._kinds[kind]) > 1 else self._all & ~(1 << kind)
        if self._cluster.unread:
            return self._with_unread(kind, service, ways, asked_of)
        found = ways.connected
        if found & ways.ingress:
            found &= ~ways.ingress | self._ingress(kind, service)
        if found & ways.egress:
            found &= ~ways.egress | self._egress(kind, service)
        return Sources(found & asked_of)

    def _with_unread(self, kind: int, service: Service, ways: _Ways, asked_of: int) -> Sources:
        """Return the same where policies that netlab does not read could change what each side says."""
        destination, protocol = self._kinds[kind][0], service[1]
        inside = isinstance(destination, Pod) and destination.selectable
        ingress = ~ways.ingress | self._ingress(kind, service)
        egress = ~ways.egress | self._egress(kind, service)

        def into(settled: Certain) -> int:
            could = changing(self._cluster, "ingress", destination, settled, protocol, inside=inside)
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
                for number, (example, *_) in enumerate(self._kinds)
                if changing(self._cluster, "egress", example, settled, protocol, inside=inside)
            )
        return self._known_changing[key]

    def _one_by_one(self, kind: int, service: Service) -> Sources:
        """Ask the evaluator about every source: translations depend on the source in too many ways."""
        family, protocol, port = service
        found = dict.fromkeys(EXPECTED, 0)
        for number, sources in enumerate(self._kinds):
            pair = _two(sources, self._kinds[kind], family)
            if pair is None:
                continue
            flow = Flow(*pair, family, protocol, port, address_of(pair[1], family))
            found[evaluate(self._cluster, flow).verdict] |= 1 << number
        return Sources(found["allow"], found["some"], found["unknown"])

    def _ways(self, wire: int, family: int, protocol: str) -> _Ways:
        key = (wire, family, protocol == "ICMP")
        if key not in self._known_ways:
            connected = egress = ingress = unread = 0
            for sources, found in self._wires:
                pair = _two(sources, self._wires[wire][0], family)
                if pair is None:
                    continue
                way = way_of(self._cluster, Flow(*pair, family, protocol, None, address_of(pair[1], family)))
                connected |= found if way.connected else 0
                egress |= found if way.egress_enforced else 0
                ingress |= found if way.ingress_enforced else 0
                unread |= found if way.connected and not way.local else 0
            self._known_ways[key] = _Ways(connected, egress, ingress, unread)
        return self._known_ways[key]

    def _ingress(self, kind: int, service: Service) -> int:
        """Return whom the ingress of a kind allows."""
        destination = self._kinds[kind][0]
        policies = isolating(self._cluster, destination, "ingress") if isinstance(destination, Pod) else ()
        if not policies:
            return self._all
        key = (tuple(map(id, policies)), self._served[kind], service)
        if key not in self._known_ingress:
            family, protocol, port = service
            found = 0
            for policy in policies:
                for rule in policy.rules("ingress"):
                    if not ports_mismatch(rule, destination, protocol, port):
                        found |= self.peers(policy, rule, family)
            self._known_ingress[key] = found
        return self._known_ingress[key]

    def _egress(self, kind: int, service: Service) -> int:
        """Return whose egress allows a kind."""
        family, protocol, port = service
        openings, of_kind, free = self._openings(family)
        key = (of_kind[kind], self._served[kind], service)
        if key not in self._known_egress:
            destination = self._kinds[kind][0]
            found = free
            for number in members(of_kind[kind]):
                opening = openings[number]
                if not ports_mismatch(opening.rule, destination, protocol, port):
                    found |= opening.subjects
            self._known_egress[key] = found
        return self._known_egress[key]

    def _openings(self, family: int) -> tuple[list[_Opening], list[int], int]:
        """Return the openings, for every kind the set of those whose peers match it, and who is not isolated."""
        if family not in self._known_openings:
            free, subjects = self._subjects()
            openings: dict[tuple[int, tuple[PolicyPort, ...]], _Opening] = {}
            for policy, selected in subjects:
                for rule in policy.rules("egress"):
                    key = (self.peers(policy, rule, family), rule.ports)
                    more = openings[key].subjects if key in openings else 0
                    openings[key] = _Opening(rule, selected | more)
            of_kind = transpose([peers for peers, _ in openings], len(self._kinds))
            self._known_openings[family] = (list(openings.values()), of_kind, free)
        return self._known_openings[family]

    def _subjects(self) -> tuple[int, list[tuple[NetworkPolicy, int]]]:
        """Return the kinds that are not isolated for egress, and for every policy those that it isolates."""
        free = 0
        found: dict[int, tuple[NetworkPolicy, int]] = {}
        for number, (example, *_) in enumerate(self._kinds):
            policies = isolating(self._cluster, example, "egress") if isinstance(example, Pod) else ()
            free |= 0 if policies else 1 << number
            for policy in policies:
                _, more = found.get(id(policy), (policy, 0))
                found[id(policy)] = (policy, more | 1 << number)
        return free, list(found.values())

    def peers(self, policy: NetworkPolicy, rule: Rule, family: int) -> int:
        """Return the kinds that ``from`` or ``to`` matches: peers OR, and none at all means everybody."""
        if not rule.peers:
            return self._all
        if len(rule.peers) >= WIDE:
            return self._wide(policy, rule, family)
        return reduce(or_, (self._peer(policy, peer, family) for peer in rule.peers))

    def first_peers(self, policy: NetworkPolicy, rule: Rule, family: int) -> Iterator[tuple[int, int]]:
        """Yield the peers of a rule by number, each with the kinds that it matches and that none before it matches."""
        if not rule.peers:
            yield EVERYBODY, self._all
            return
        if len(rule.peers) >= WIDE:
            yield from self._first_of_many(policy, rule, family)
            return
        seen = 0
        for number, peer in enumerate(rule.peers):
            found = self._peer(policy, peer, family) & ~seen
            seen |= found
            if found:
                yield number, found

    def _first_of_many(self, policy: NetworkPolicy, rule: Rule, family: int) -> Iterator[tuple[int, int]]:
        peers = wide_peers(self._cluster, policy, rule)
        first: dict[int, int] = {}

        def note(number: int | None, alike: int) -> None:
            if number is not None:
                for kind in members(alike):
                    first[kind] = min(first.get(kind, number), number)

        for (example, *_), alike in self._places[family]:
            address = address_of(example, family)
            if address is not None:
                note(peers.first_block(example, address), alike)
        for example, alike in chain(*self._pods.values(), self._others):
            note(peers.first_selector(example, address_of(example, family) or example.addresses[0]), alike)
        by_number: dict[int, int] = {}
        for kind, number in first.items():
            by_number[number] = by_number.get(number, 0) | 1 << kind
        yield from sorted(by_number.items())

    def _wide(self, policy: NetworkPolicy, rule: Rule, family: int) -> int:
        """Return the kinds that many peers match: each distinct thing that they can see is looked up among them."""
        key = (family, policy.meta.namespace, id(rule))
        if key not in self._known_wide:
            peers = wide_peers(self._cluster, policy, rule)
            found = 0
            for (example, *_), alike in self._places[family]:
                address = address_of(example, family)
                if address is not None and peers.first_block(example, address) is not None:
                    found |= alike
            for example, alike in chain(*self._pods.values(), self._others):
                if peers.first_selector(example, address_of(example, family) or example.addresses[0]) is not None:
                    found |= alike
            self._known_wide[key] = found
        return self._known_wide[key]

    def _peer(self, policy: NetworkPolicy, peer: Peer, family: int) -> int:
        own = policy.meta.namespace if peer.ip_block is None and peer.namespace_selector is None else ""
        key = (family, own, peer)
        if key not in self._known_peers:
            found = 0
            for example, alike in self._candidates(policy, peer, family):
                address = address_of(example, family) or example.addresses[0]
                if not peer_mismatch(self._cluster, policy, peer, example, address):
                    found |= alike
            self._known_peers[key] = found
        return self._known_peers[key]

    def _candidates(self, policy: NetworkPolicy, peer: Peer, family: int) -> list[tuple[Endpoint, int]]:
        """Return an example of each distinct thing that a peer can see, but for pods of namespaces it does not mean."""
        if peer.ip_block is not None:
            return [
                (example, found)
                for (example, *_), found in self._places[family]
                if address_of(example, family) is not None
            ]
        spaces = namespaces_meant(self._cluster, policy, peer)
        return [*(pod for space in spaces for pod in self._pods.get(space, ())), *self._others]


def _two(
    sources: Sequence[Endpoint], destinations: Sequence[Endpoint], family: int
) -> tuple[Endpoint, Endpoint] | None:
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
