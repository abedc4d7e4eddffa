"""NetworkPolicy over sets of endpoints: one call finds every source that may open a port of one destination.

The plain reading (``networkpolicy``) evaluates every rule for every pair. This module evaluates every rule once for
each kind of endpoint that the rule can tell apart (``policy.endpoint_kinds``), and combines the results as sets. Both
readings call the same functions for peers, ports and selectors.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from functools import reduce
from itertools import chain
from operator import or_

from netlab.cluster.node_sources import address_to_network, chosen_network
from netlab.cluster.types import Endpoint, Pod, address_of
from netlab.frozen import frozen
from netlab.objects.policies import NetworkPolicy, Peer, PolicyPort, Rule
from netlab.objects.types import Address, Direction
from netlab.policy.bitsets import members, transpose
from netlab.policy.decision import Match, PolicyRuling
from netlab.policy.isolating import isolating
from netlab.policy.label_index import LabelIndex
from netlab.policy.matched_pods import namespaces_matched
from netlab.policy.matching import ANY_PEER, peer_mismatch_text, ports_match
from netlab.policy.meaning import is_changed, selection_text, settings_of
from netlab.policy.peer_lookup import MANY_PEERS, peer_lookup
from netlab.policy.placeholders import DESTINATION, SOURCE
from netlab.policy.reasons import service_text
from netlab.policy.set_evaluator import SetEvaluator
from netlab.policy.tiers.tier import AskedPort, KindsByAction, TierReason


@frozen
class _Opening:
    """Egress rules with the same ports and peers, and the set of the kinds that their policies select.

    ``ports`` is a number for the ports: the same for the same ones.
    """

    rule: Rule
    subjects: int
    ports: int


class NetworkPolicySets:
    """The decisions of NetworkPolicy over the kinds of a cluster's endpoints."""

    def __init__(self, sets: SetEvaluator) -> None:
        self._sets = sets
        self._cluster = sets.cluster
        self._known_peers: dict[tuple[int, str, Peer, str], int] = {}
        self._labels: LabelIndex | None = None
        self._known_places: dict[tuple[int, str], list[tuple[Endpoint, int, Address]]] = {}
        self._known_lookups: dict[tuple[int, str, int, str], int] = {}
        self._known_by_ports: dict[tuple[int, int, str], list[tuple[Rule, int]]] = {}
        self._known_ingress: dict[tuple[int, int, AskedPort, str], KindsByAction] = {}
        self._known_egress: dict[tuple[int, int, AskedPort], KindsByAction] = {}
        self._known_openings: dict[int, tuple[list[_Opening], list[int], int]] = {}
        self._known_ports: dict[tuple[int, int, AskedPort], bool] = {}
        self._last_matches: dict[int, tuple[tuple[Direction, tuple[int, ...], str], Sequence[tuple[Match, int]]]] = {}

    def ingress(self, kind: int, asked: AskedPort) -> KindsByAction:
        destination = self._sets.kinds[kind][0]
        policies = isolating(self._cluster, destination, "ingress") if isinstance(destination, Pod) else ()
        if not policies:
            return KindsByAction(0, 0)
        network = chosen_network(destination) if isinstance(destination, Pod) else ""
        # Equal results of isolating() are one tuple, which the cluster keeps.
        key = (id(policies), self._sets.served[kind], asked, network)
        if key not in self._known_ingress:
            family, protocol, port = asked
            found = 0
            for rule, sources in self._by_ports(policies, family, network):
                if ports_match(rule, destination, protocol, port):
                    found |= sources
            self._known_ingress[key] = KindsByAction(found, self._sets.all & ~found)
        return self._known_ingress[key]

    def _by_ports(self, policies: tuple[NetworkPolicy, ...], family: int, network: str) -> list[tuple[Rule, int]]:
        """Return one ingress rule of those with the same ports, and the set of the kinds that any of these matches."""
        key = (id(policies), family, network)
        if key not in self._known_by_ports:
            found: dict[tuple[PolicyPort, ...], tuple[Rule, int]] = {}
            for policy in policies:
                for rule in policy.rules("ingress"):
                    first, sources = found.get(rule.ports, (rule, 0))
                    found[rule.ports] = (first, sources | self.peers(policy, rule, family, network))
            self._known_by_ports[key] = list(found.values())
        return self._known_by_ports[key]

    def egress(self, kind: int, asked: AskedPort) -> KindsByAction:
        family, protocol, port = asked
        openings, of_kind, free = self._openings(family)
        key = (of_kind[kind], self._sets.served[kind], asked)
        if key not in self._known_egress:
            destination = self._sets.kinds[kind][0]
            found = 0
            opens: dict[int, bool] = {}
            for number in members(of_kind[kind]):
                opening = openings[number]
                if opening.ports not in opens:
                    opens[opening.ports] = ports_match(opening.rule, destination, protocol, port)
                if opens[opening.ports]:
                    found |= opening.subjects
            self._known_egress[key] = KindsByAction(found, self._sets.all & ~free & ~found)
        return self._known_egress[key]

    def _openings(self, family: int) -> tuple[list[_Opening], list[int], int]:
        """Return the openings, the set of those that match each kind, and the set of kinds that are not isolated."""
        if family not in self._known_openings:
            free, subjects = self._subjects()
            openings: dict[tuple[int, tuple[PolicyPort, ...]], _Opening] = {}
            numbers: dict[tuple[PolicyPort, ...], int] = {}
            for policy, selected in subjects:
                for rule in policy.rules("egress"):
                    key = (self.peers(policy, rule, family), rule.ports)
                    more = openings[key].subjects if key in openings else 0
                    openings[key] = _Opening(rule, selected | more, numbers.setdefault(rule.ports, len(numbers)))
            of_kind = transpose([peers for peers, _ in openings], len(self._sets.kinds))
            self._known_openings[family] = (list(openings.values()), of_kind, free)
        return self._known_openings[family]

    def _subjects(self) -> tuple[int, list[tuple[NetworkPolicy, int]]]:
        """Return the kinds that are not isolated for egress, and each policy with the kinds that it isolates."""
        free = 0
        found: dict[int, tuple[NetworkPolicy, int]] = {}
        for number, (example, *_) in enumerate(self._sets.kinds):
            policies = isolating(self._cluster, example, "egress") if isinstance(example, Pod) else ()
            free |= 0 if policies else 1 << number
            for policy in policies:
                _, more = found.get(id(policy), (policy, 0))
                found[id(policy)] = (policy, more | 1 << number)
        return free, list(found.values())

    def peers(self, policy: NetworkPolicy, rule: Rule, family: int, network: str = "") -> int:
        """Return the kinds that ``from`` or ``to`` matches; a rule without peers matches all.

        ``network``: the addresses are those of sources, as other nodes' pods of this network see them; "" for their
        own addresses.
        """
        if not rule.peers:
            return self._sets.all
        if len(rule.peers) >= MANY_PEERS:
            return self._looked_up(policy, rule, family, network)
        return reduce(or_, (self._peer(policy, peer, family, network) for peer in rule.peers))

    def reasons(self, direction: Direction, subject: Pod, asked: AskedPort, others: int) -> Iterator[TierReason]:
        policies = isolating(self._cluster, subject, direction)
        if not policies:
            return
        left = others
        network = chosen_network(subject) if direction == "ingress" else ""
        for match, kinds in self._matches(direction, policies, asked[0], network):
            here = kinds & left
            if direction == "ingress":
                here = here if ports_match(match.rule, subject, *asked[1:]) else 0
            else:
                here = sum(1 << kind for kind in members(here) if self._opens(match, kind, asked))
            if here and is_changed(match.rule):
                by_setting = here & ~self._written(match, direction, subject, asked, network)
                if by_setting:
                    yield TierReason("allow", f"{match}{settings_of(match.rule)}", by_setting)
                    left &= ~by_setting
                    here &= ~by_setting
            if here:
                yield TierReason("allow", str(match), here)
                left &= ~here
        own, there = (SOURCE, DESTINATION) if direction == "egress" else (DESTINATION, SOURCE)
        on = service_text(*asked[1:])
        for match in self._changed(direction, policies):
            here = left & self._written(match, direction, subject, asked, network)
            ruling = PolicyRuling(policies, (), settings_of(match.rule))
            for comes_as, kinds in by_address(self._sets, here, asked[0], network) if here else ():
                yield TierReason("deny", f"{direction} of {own}: {ruling.denial(f'{there}{comes_as} on {on}')}", kinds)
            left &= ~here
        ruling = PolicyRuling(policies, (), selection_text(self._cluster, policies, subject))
        for comes_as, kinds in by_address(self._sets, left, asked[0], network):
            yield TierReason("deny", f"{direction} of {own}: {ruling.denial(f'{there}{comes_as} on {on}')}", kinds)

    def _changed(self, direction: Direction, policies: tuple[NetworkPolicy, ...]) -> list[Match]:
        """Return the rules that settings changed; their decision may be another one as written."""
        rules = ((policy, rule) for policy in policies for rule in policy.rules(direction))
        return [Match(policy, rule) for policy, rule in rules if is_changed(rule)]

    def _written(self, match: Match, direction: Direction, subject: Pod, asked: AskedPort, network: str) -> int:
        """Return the kinds that a changed rule would match as the input has it."""
        from netlab.objects.changed_policies import written_policy, written_rule

        written = Match(written_policy(match.policy) or match.policy, written_rule(match.rule))
        found = self.peers(written.policy, written.rule, asked[0], network)
        if direction == "ingress":
            return found if ports_match(written.rule, subject, *asked[1:]) else 0
        return sum(1 << kind for kind in members(found) if self._opens(written, kind, asked))

    def _matches(
        self, direction: Direction, policies: tuple[NetworkPolicy, ...], family: int, network: str
    ) -> Sequence[tuple[Match, int]]:
        """Return the items of all rules' peers, in the evaluator's order, each with the kinds that it matches first.

        The last result of each IP family is kept, as the questions about one subject follow one another.
        """
        key = (direction, tuple(map(id, policies)), network)
        last = self._last_matches.get(family)
        if last is None or last[0] != key:
            found = [
                (Match(policy, rule, peer), kinds)
                for policy in policies
                for rule in policy.rules(direction)
                for peer, kinds in self.first_peers(policy, rule, family, network)
            ]
            last = self._last_matches[family] = (key, found)
        return last[1]

    def _opens(self, match: Match, kind: int, asked: AskedPort) -> bool:
        key = (id(match.rule), self._sets.served[kind], asked)
        if key not in self._known_ports:
            self._known_ports[key] = ports_match(match.rule, self._sets.kinds[kind][0], *asked[1:])
        return self._known_ports[key]

    def first_peers(
        self, policy: NetworkPolicy, rule: Rule, family: int, network: str = ""
    ) -> Iterator[tuple[int, int]]:
        """Yield the number of each peer of a rule, with the kinds that it matches and no peer before it matches."""
        if not rule.peers:
            yield ANY_PEER, self._sets.all
            return
        if len(rule.peers) >= MANY_PEERS:
            yield from self._first_of_many(policy, rule, family, network)
            return
        seen = 0
        for number, peer in enumerate(rule.peers):
            found = self._peer(policy, peer, family, network) & ~seen
            seen |= found
            if found:
                yield number, found

    def _first_of_many(self, policy: NetworkPolicy, rule: Rule, family: int, network: str) -> Iterator[tuple[int, int]]:
        peers = peer_lookup(self._cluster, policy, rule)
        first: dict[int, int] = {}

        def note(number: int | None, alike: int) -> None:
            if number is not None:
                for kind in members(alike):
                    first[kind] = min(first.get(kind, number), number)

        for (example, *_), alike in self._sets.places[family]:
            address = address_to_network(self._cluster, example, network, family)
            if address is not None:
                note(peers.first_block(example, address), alike)
        for example, alike in chain(*self._sets.pods.values(), self._sets.others):
            note(peers.first_selector(example, address_of(example, family) or example.addresses[0]), alike)
        by_number: dict[int, int] = {}
        for kind, number in first.items():
            by_number[number] = by_number.get(number, 0) | 1 << kind
        yield from sorted(by_number.items())

    def _looked_up(self, policy: NetworkPolicy, rule: Rule, family: int, network: str) -> int:
        """Return the kinds that a rule with many peers matches; each example is looked up among the peers."""
        key = (family, policy.meta.namespace, id(rule), network)
        if key not in self._known_lookups:
            peers = peer_lookup(self._cluster, policy, rule)
            found = 0
            for (example, *_), alike in self._sets.places[family]:
                address = address_to_network(self._cluster, example, network, family)
                if address is not None and peers.first_block(example, address) is not None:
                    found |= alike
            for example, alike in chain(*self._sets.pods.values(), self._sets.others):
                if peers.first_selector(example, address_of(example, family) or example.addresses[0]) is not None:
                    found |= alike
            self._known_lookups[key] = found
        return self._known_lookups[key]

    def _peer(self, policy: NetworkPolicy, peer: Peer, family: int, network: str) -> int:
        own = policy.meta.namespace if peer.ip_block is None and peer.namespace_selector is None else ""
        key = (family, own, peer, network if peer.ip_block is not None else "")
        if key not in self._known_peers:
            found = self._pods_matched(policy, peer) if peer.ip_block is None else 0
            for example, alike, address in self._candidates(peer, family, network):
                if not peer_mismatch_text(self._cluster, policy, peer, example, address):
                    found |= alike
            self._known_peers[key] = found
        return self._known_peers[key]

    def _pods_matched(self, policy: NetworkPolicy, peer: Peer) -> int:
        """Return the kinds of pods that a peer's selectors match."""
        spaces = 0
        for namespace in namespaces_matched(self._cluster, policy, peer):
            spaces |= self._sets.pods_of.get(namespace, 0)
        if not spaces or peer.pod_selector is None:
            return spaces
        if self._labels is None:
            labels = [example.labels if isinstance(example, Pod) else {} for example, *_ in self._sets.kinds]
            self._labels = LabelIndex(labels)
        return spaces & self._labels.matching(peer.pod_selector)

    def _candidates(self, peer: Peer, family: int, network: str) -> Iterator[tuple[Endpoint, int, Address]]:
        """Yield the examples of kinds that a peer may match, with their addresses.

        For an ipBlock, these are those in its range; for selectors, those that are not pods on a network.
        """
        block = peer.ip_block
        if block is not None:
            places = self._places(family, network) if block.cidr.version == family else []
            first = bisect_left(places, int(block.cidr.network_address), key=_number)
            last = bisect_right(places, int(block.cidr.broadcast_address), key=_number)
            yield from places[first:last]
            return
        for other, alike in self._sets.others:
            yield other, alike, address_of(other, family) or other.addresses[0]

    def _places(self, family: int, network: str) -> list[tuple[Endpoint, int, Address]]:
        """Return an example of each place by its address, sorted, so that a range of many is found at once."""
        key = (family, network)
        if key not in self._known_places:
            found = [
                (example, alike, address)
                for (example, *_), alike in self._sets.places[family]
                if (address := address_to_network(self._cluster, example, network, family)) is not None
            ]
            self._known_places[key] = sorted(found, key=_number)
        return self._known_places[key]


def by_address(sets: SetEvaluator, kinds: int, family: int, network: str) -> Iterator[tuple[str, int]]:
    """Yield kinds with the text of the address that they come as to pods of a network, "" for their own one."""
    own = kinds
    for kind in members(kinds) if network else ():
        example = sets.kinds[kind][0]
        address = address_to_network(sets.cluster, example, network, family)
        if address is not None and address not in example.addresses:
            own &= ~(1 << kind)
            yield f", which comes as {address},", 1 << kind
    yield "", own


def _number(place: tuple[Endpoint, int, Address]) -> int:
    return int(place[2])
