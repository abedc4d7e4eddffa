"""A tier of cluster-wide policies over sets of endpoints: one call finds every source that a rule allows or denies.

All rules of a direction are numbered in the order in which they decide. A set of these numbers (``policy.bitsets``) are
the rules that a side reads; the first rule of a set that matches decides. The plain reading (``cluster_policy``)
evaluates every rule for every pair. Both readings call the same functions for ports, subjects and peers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from netlab.cluster.node_sources import address_to_network, chosen_network
from netlab.cluster.types import Endpoint, Pod
from netlab.objects.cluster_policies import ClusterPeer, ClusterPolicy
from netlab.objects.types import Direction
from netlab.policy.bitsets import members, transpose
from netlab.policy.placeholders import DESTINATION, SOURCE
from netlab.policy.reasons import service_text
from netlab.policy.set_evaluator import SetEvaluator
from netlab.policy.tiers.cluster_peers import cluster_peers
from netlab.policy.tiers.cluster_policy import NumberedRule, numbered, peer_matches, port_matches
from netlab.policy.tiers.networkpolicy_sets import by_address
from netlab.policy.tiers.tier import AskedPort, KindsByAction, Tier, TierReason


class ClusterPolicySets:
    """The decisions of a tier of cluster-wide policies over the kinds of a cluster's endpoints."""

    def __init__(self, tier: Tier, sets: SetEvaluator) -> None:
        self._sets = sets
        self._of: dict[Direction, TierRules] = {
            "ingress": TierRules(tier, sets, "ingress"),
            "egress": TierRules(tier, sets, "egress"),
        }
        self._known_ingress: dict[tuple[int, int, str], KindsByAction] = {}
        self._known_egress: dict[tuple[int, int], KindsByAction] = {}
        self._columns: dict[int, list[int]] = {}
        self._subjects: list[int] | None = None

    def ingress(self, kind: int, asked: AskedPort) -> KindsByAction:
        of, subject = self._of["ingress"], self._sets.kinds[kind][0]
        rules = of.selecting(subject) & of.on_port(asked, kind)
        network = chosen_network(subject) if rules and isinstance(subject, Pod) else ""
        key = (rules, asked[0], network)
        if key not in self._known_ingress:
            first = ((of.rules[n], of.peers(n, asked[0], network)) for n in members(rules))
            self._known_ingress[key] = _by_action(first, self._sets.all)
        return self._known_ingress[key]

    def egress(self, kind: int, asked: AskedPort) -> KindsByAction:
        of, family = self._of["egress"], asked[0]
        if family not in self._columns:
            rows = [of.peers(number, family, "") for number in range(len(of.rules))]
            self._columns[family] = transpose(rows, len(self._sets.kinds))
        rules = self._columns[family][kind] & of.on_port(asked, kind)
        key = (rules, family)
        if key not in self._known_egress:
            if self._subjects is None:
                self._subjects = of.subjects()
            first = ((of.rules[n], self._subjects[n]) for n in members(rules))
            self._known_egress[key] = _by_action(first, self._sets.all)
        return self._known_egress[key]

    def reasons(self, direction: Direction, subject: Pod, asked: AskedPort, others: int) -> Iterator[TierReason]:
        of, left = self._of[direction], others
        own, there = (SOURCE, DESTINATION) if direction == "egress" else (DESTINATION, SOURCE)
        network = chosen_network(subject) if direction == "ingress" else ""
        for number in members(of.selecting(subject)):
            one = of.rules[number]
            here = left & of.peers(number, asked[0], network)
            if direction == "egress":
                here &= of.serving(number, asked)
            elif here and not port_matches(one.rule, *asked[1:], subject):
                here = 0
            if not here:
                continue
            left &= ~here
            if one.rule.action == "allow":
                yield TierReason("allow", one.ruling.allowed_by, here)
            elif one.rule.action == "deny":
                for comes_as, kinds in by_address(self._sets, here, asked[0], network):
                    denial = one.ruling.denial(f"{there}{comes_as} on {service_text(*asked[1:])}")
                    yield TierReason("deny", f"{direction} of {own}: {denial}", kinds)
            if not left:
                return


class TierRules:
    """The rules of a tier in one direction, by number, and the sets of kinds that they read."""

    def __init__(self, tier: Tier, sets: SetEvaluator, direction: Direction) -> None:
        self._tier, self._sets, self._cluster, self._direction = tier, sets, sets.cluster, direction
        self.rules: list[NumberedRule] = []
        self._of_policy: dict[int, int] = {}
        for policy in tier.policies(sets.cluster):
            first = len(self.rules)
            self.rules += [numbered(sets.cluster, policy, rule) for rule in policy.rules(direction)]
            self._of_policy[id(policy)] = (1 << len(self.rules)) - (1 << first)
        self._of_policies: dict[int, tuple[tuple[ClusterPolicy, ...], int]] = {}
        self._known_peers: dict[tuple[ClusterPeer, int, str], int] = {}
        self._known_rules: dict[tuple[int, int, str], int] = {}
        self._known_ports: dict[tuple[int, str, int | None], int] = {}
        self._known_serving: dict[tuple[int, str, int | None], int] = {}
        self._served: list[tuple[Endpoint, int]] = []
        self._pods: list[int] | None = None

    def selecting(self, subject: Endpoint) -> int:
        """Return the rules of the policies that select an endpoint."""
        if not isinstance(subject, Pod):
            return 0
        policies = self._tier.selecting(self._cluster, self._direction, subject)
        # By identity: the tier has one tuple for all pods that the same policies select. The entry keeps it alive.
        known = self._of_policies.get(id(policies))
        if known is None:
            rules = sum(self._of_policy[id(policy)] for policy in policies)
            known = self._of_policies[id(policies)] = (policies, rules)
        return known[1]

    def subjects(self) -> list[int]:
        """Return, by rule, the kinds that its policy selects."""
        alike: dict[int, int] = {}
        for number, (example, *_) in enumerate(self._sets.kinds):
            rules = self.selecting(example)
            alike[rules] = alike.get(rules, 0) | 1 << number
        found = [0] * len(self.rules)
        for rules, kinds in alike.items():
            for number in members(rules):
                found[number] |= kinds
        return found

    def on_port(self, asked: AskedPort, kind: int) -> int:
        """Return the rules that match a port of a kind of destination."""
        key = (self._sets.served[kind], *asked[1:])
        if key not in self._known_ports:
            end = self._sets.kinds[kind][0]
            self._known_ports[key] = _set(
                n for n, one in enumerate(self.rules) if port_matches(one.rule, *asked[1:], end)
            )
        return self._known_ports[key]

    def serving(self, number: int, asked: AskedPort) -> int:
        """Return the kinds of destinations on whose port a rule matches."""
        key = (number, *asked[1:])
        if key not in self._known_serving:
            if not self._served:
                alike: dict[int, list[int]] = {}
                for kind, served in self._sets.served.items():
                    alike.setdefault(served, []).append(kind)
                self._served = [(self._sets.kinds[kinds[0]][0], _set(kinds)) for kinds in alike.values()]
            rule, found = self.rules[number].rule, 0
            if not any(isinstance(port.port, str) for port in rule.ports):
                found = self._sets.all if port_matches(rule, *asked[1:], None) else 0
            else:
                for end, kinds in self._served:
                    found |= kinds if port_matches(rule, *asked[1:], end) else 0
            self._known_serving[key] = found
        return self._known_serving[key]

    def peers(self, number: int, family: int, network: str) -> int:
        """Return the kinds that a rule's peers match.

        ``network``: the addresses are those of sources, as other nodes' pods of this network see them; "" for their
        own addresses.
        """
        key = (number, family, network)
        if key not in self._known_rules:
            found = 0
            for peer in self.rules[number].rule.peers:
                found |= self._peer(peer, family, network)
            self._known_rules[key] = found
        return self._known_rules[key]

    def _peer(self, peer: ClusterPeer, family: int, network: str) -> int:
        if peer.pods is not None:
            if self._pods is None:
                self._pods = _pods_of_peers(self._sets)
            return self._pods[cluster_peers(self._cluster).numbers[peer.pods]]
        key = (peer, family, network)
        if key not in self._known_peers:
            found = 0
            for example, alike in self._places(family) if peer.networks else self._sets.others:
                address = address_to_network(self._cluster, example, network, family)
                if address is not None and peer_matches(self._cluster, peer, example, address):
                    found |= alike
            self._known_peers[key] = found
        return self._known_peers[key]

    def _places(self, family: int) -> Iterator[tuple[Endpoint, int]]:
        return ((example, alike) for (example, *_), alike in self._sets.places[family])


def _pods_of_peers(sets: SetEvaluator) -> list[int]:
    """Return, by the number of a subject or peer, the kinds of pods that it matches."""
    peers = cluster_peers(sets.cluster)
    alike: dict[int, int] = {}
    for examples in sets.pods.values():
        for example, kinds in examples:
            having = peers.of(example)
            alike[having] = alike.get(having, 0) | kinds
    found = [0] * len(peers.numbers)
    for having, kinds in alike.items():
        for number in members(having):
            found[number] |= kinds
    return found


def _by_action(first: Iterator[tuple[NumberedRule, int]], every: int) -> KindsByAction:
    """Return the kinds that rules allow and deny; of the rules that match a kind, the first decides."""
    allow = deny = 0
    left = every
    for one, kinds in first:
        here = kinds & left
        left &= ~here
        if one.rule.action == "allow":
            allow |= here
        elif one.rule.action == "deny":
            deny |= here
        if not left:
            break
    return KindsByAction(allow, deny)


def _set(numbers: Iterator[int] | Sequence[int]) -> int:
    found = 0
    for number in numbers:
        found |= 1 << number
    return found
