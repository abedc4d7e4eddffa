"""Cluster-wide policies of equal priority that decide differently about one flow: which of them wins is not defined.

Source: network-policy-api v0.3.0, ``apis/v1beta1/clusternetworkpolicy_types.go``: if two policies of one tier and
priority both match, which one decides is unpredictable. The flows are those between the endpoints of the lab.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from netlab.cluster.flows import FlowSelection
from netlab.cluster.node_sources import chosen_network
from netlab.cluster.types import Cluster, Pod
from netlab.errors import Problem
from netlab.frozen import NamedTuple
from netlab.objects.cluster_policies import ClusterPolicy
from netlab.objects.types import Direction
from netlab.policy.bitsets import members
from netlab.policy.endpoint_kinds import EndpointKinds
from netlab.policy.isolating import isolating
from netlab.policy.problems import warning
from netlab.policy.reasons import service_text
from netlab.policy.set_evaluator import SetEvaluator
from netlab.policy.tiers.cluster_policy import NumberedRule, is_left_to_network_policy, place_of
from netlab.policy.tiers.cluster_policy_sets import TierRules
from netlab.policy.tiers.tier import AskedPort, Tier
from netlab.verdicts import Action

_VERBS = {"allow": "allows it", "deny": "denies it", "pass": "passes it on"}


class _Taken(NamedTuple):
    """The kinds that a policy's rules decide about, by action, of those that no earlier place decides about."""

    policy: ClusterPolicy
    by_action: dict[Action, int]


def equal_priorities(cluster: Cluster, tier: Tier) -> Iterator[Problem]:
    """Yield a warning for each policy that decides differently than an earlier one of its priority."""
    sets = SetEvaluator(cluster, EndpointKinds(cluster, FlowSelection(nodes=True)))
    reported: set[int] = set()
    directions: tuple[Direction, ...] = ("ingress", "egress")
    for direction in directions:
        for policy, other, example in _Search(cluster, tier, sets, direction).conflicts():
            if id(policy) not in reported:
                reported.add(id(policy))
                message = (
                    f"{other.ref} has this priority too, and they decide differently about {example};"
                    " an implementation may take either: give them different priorities"
                )
                yield warning(policy, "spec.priority", message, "equal-priorities")


class _Search:
    def __init__(self, cluster: Cluster, tier: Tier, sets: SetEvaluator, direction: Direction) -> None:
        self._cluster, self._sets, self._direction = cluster, sets, direction
        self._rules = TierRules(tier, sets, direction)
        self._tier = tier.name
        places = {id(policy): place_of(cluster, policy) for policy in tier.policies(cluster)}
        self._places = places
        self._seen: set[tuple[int, int]] = set()

    def conflicts(self) -> Iterator[tuple[ClusterPolicy, ClusterPolicy, str]]:
        """Yield the later and the earlier policy of each pair that decides differently, with a flow as text."""
        done: set[tuple[int, int]] = set()
        for kind, (subject, *_) in enumerate(self._sets.kinds):
            chosen = self._rules.selecting(subject)
            key = (chosen, self._sets.served[kind] if self._direction == "ingress" else 0)
            if key in done or not isinstance(subject, Pod) or self._is_settled(subject):
                continue
            done.add(key)
            rules = [(number, self._rules.rules[number]) for number in members(chosen)]
            places = [
                [(policy, list(of_policy)) for policy, of_policy in groupby(list(same), key=lambda one: one[1].policy)]
                for _, same in groupby(rules, key=lambda one: self._places[id(one[1].policy)])
            ]
            if not any(len(place) > 1 and _differ(place) for place in places):
                continue
            for asked in self._ports([one for _, one in rules]):
                yield from self._on_port(kind, subject, places, asked)

    def _is_settled(self, subject: Pod) -> bool:
        """Say whether NetworkPolicy decides about a pod before the tier is asked."""
        if self._tier == "Admin":
            return False
        isolated = isolating(self._cluster, subject, self._direction)
        return bool(isolated) or is_left_to_network_policy(self._cluster, subject)

    def _on_port(
        self,
        kind: int,
        subject: Pod,
        places: Sequence[Sequence[tuple[ClusterPolicy, list[tuple[int, NumberedRule]]]]],
        asked: AskedPort,
    ) -> Iterator[tuple[ClusterPolicy, ClusterPolicy, str]]:
        alone = len(self._sets.kinds[kind]) == 1
        left = self._sets.all & ~(1 << kind) if alone else self._sets.all
        network = chosen_network(subject) if self._direction == "ingress" else ""
        for place in places:
            taken = [self._taken(policy, rules, left, kind, asked, network) for policy, rules in place]
            for at, later in enumerate(taken):
                for earlier in taken[:at]:
                    pair = (id(later.policy), id(earlier.policy))
                    if pair in self._seen:
                        continue
                    for one, other, both in _differing(earlier, later):
                        self._seen.add(pair)
                        every = not any(one.rule.ports for _, rules in place for _, one in rules)
                        flow = self._flow(
                            subject, kind, members(both)[0], "every port" if every else service_text(*asked[1:])
                        )
                        said = f"{earlier.policy.ref} {_VERBS[one]}, {later.policy.ref} {_VERBS[other]}"
                        yield later.policy, earlier.policy, f"{flow}: {said}"
                        break
            for found in taken:
                for kinds in found.by_action.values():
                    left &= ~kinds

    def _taken(
        self,
        policy: ClusterPolicy,
        rules: Sequence[tuple[int, NumberedRule]],
        left: int,
        kind: int,
        asked: AskedPort,
        network: str,
    ) -> _Taken:
        found: dict[Action, int] = {}
        for number, one in rules:
            here = left & self._rules.peers(number, asked[0], network)
            if self._direction == "egress":
                here &= self._rules.serving(number, asked)
            elif not self._rules.on_port(asked, kind) & 1 << number:
                here = 0
            left &= ~here
            if here:
                found[one.rule.action] = found.get(one.rule.action, 0) | here
        return _Taken(policy, found)

    def _flow(self, subject: Pod, kind: int, other: int, port: str) -> str:
        of_other = self._sets.kinds[other]
        end = of_other[1] if other == kind else of_other[0]
        ends = (subject, end) if self._direction == "egress" else (end, subject)
        return f"{self._direction} of {subject.ref}: {ends[0].ref} -> {ends[1].ref} on {port}"

    def _ports(self, rules: Sequence[NumberedRule]) -> list[AskedPort]:
        """Return an example of each range of ports that the rules can tell apart."""
        found: dict[tuple[str, int | None], None] = {("ICMP", None): None}
        names: set[str] = set()
        for port in (port for one in rules for port in one.rule.ports):
            if isinstance(port.port, str):
                names.add(port.port)
            elif port.port is not None:
                found[port.protocol, port.port] = None
                after = (port.end_port or port.port) + 1
                if after < 65536:
                    found[port.protocol, after] = None
        if names:
            for end in (examples[0] for examples in self._sets.kinds):
                for own in end.ports if isinstance(end, Pod) else ():
                    if own.name in names:
                        found[own.protocol, own.port] = None
        return [(family, *port) for family in self._cluster.families for port in found]


def _differing(one: _Taken, other: _Taken) -> Iterator[tuple[Action, Action, int]]:
    """Yield the different actions of two policies about the same kinds, and these kinds."""
    for action, kinds in one.by_action.items():
        for other_action, other_kinds in other.by_action.items():
            if action != other_action and kinds & other_kinds:
                yield action, other_action, kinds & other_kinds


def _differ(place: Sequence[tuple[ClusterPolicy, list[tuple[int, NumberedRule]]]]) -> bool:
    return len({one.rule.action for _, rules in place for _, one in rules}) > 1
