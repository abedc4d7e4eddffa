"""``--keep``: leaves out of today's policies what changes nothing.

A rule, a peer or a port is left out if all that passes today passes without it. A connection passes if both sides allow
it. So a rule is left out too if the other sides deny all that it allows. Nothing is added, so nothing else can pass.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from netlab.cluster.types import Cluster
from netlab.objects.policies import NetworkPolicy, Peer, PolicyPort
from netlab.objects.selectors import LabelSelector
from netlab.objects.types import DIRECTIONS, Direction
from netlab.policy.suggest.drafts import PolicyDraft, RuleDraft
from netlab.policy.suggest.universe import Port, Universe

_EVERY_POD = LabelSelector()
_Opened = tuple[dict[tuple[int, Port], int], ...]
"""What a rule opens, for each IP family."""


@dataclass(slots=True, eq=False)
class _Rule:
    policy: NetworkPolicy
    direction: Direction
    peers: tuple[Peer, ...]
    ports: tuple[PolicyPort, ...]
    origins: list[str] = field(default_factory=list)
    opened: _Opened = ()


def kept(cluster: Cluster) -> list[PolicyDraft]:
    """Return the fewest rules of today's policies with which the same connections pass."""
    return _Keeping(cluster).drafts()


class _Keeping:
    def __init__(self, cluster: Cluster) -> None:
        self._universes = [Universe(cluster, family) for family in cluster.families]
        self._policies = [policy for policy in cluster.policies if self._selects(policy)]
        self._rules: list[_Rule] = []
        for policy in self._policies:
            for direction in DIRECTIONS:
                for rule in policy.rules(direction):
                    place = policy.source.place(rule.path)
                    origin = f"keeps what NetworkPolicy {policy.meta.key} {rule.path} allows"
                    one = _Rule(policy, direction, rule.peers, rule.ports, [f"{origin} ({place})" if place else origin])
                    one.opened = self._opened(one)
                    self._rules.append(one)
        self._by_policy: dict[tuple[int, Direction], list[_Rule]] = {}
        for one in self._rules:
            self._by_policy.setdefault((id(one.policy), one.direction), []).append(one)

    def _selects(self, policy: NetworkPolicy) -> bool:
        """Say whether a policy selects a pod, or all pods that its namespace may have."""
        if policy.pod_selector == _EVERY_POD:
            return True
        for universe in self._universes:
            at = universe.place[id(policy)]
            if any(at in of for direction in DIRECTIONS for of in universe.isolating[direction].values()):
                return True
        return False

    def _opened(self, rule: _Rule) -> _Opened:
        return tuple(one.opened(rule.policy, rule.direction, rule.peers, rule.ports) for one in self._universes)

    def drafts(self) -> list[PolicyDraft]:
        self._leave_out_rules()
        for rule in self._rules:
            self._leave_out_items(rule)
        self._merge_rules()
        return self._policies_left()

    def _leave_out_rules(self) -> None:
        def size(rule: _Rule) -> int:
            return sum(found.bit_count() for opened in rule.opened for found in opened.values())

        for rule in sorted(self._rules, key=size):
            if self._is_enough(rule, tuple({} for _ in self._universes)):
                self._rules.remove(rule)
                self._by_policy[id(rule.policy), rule.direction].remove(rule)

    def _leave_out_items(self, rule: _Rule) -> None:
        """Leave out peers and ports of a rule. An empty list would stand for all, so one stays."""
        for peer in rule.peers:
            left = tuple(one for one in rule.peers if one is not peer)
            if left:
                self._try(rule, left, rule.ports)
        for port in rule.ports:
            ports = tuple(one for one in rule.ports if one is not port)
            if ports:
                self._try(rule, rule.peers, ports)

    def _try(self, rule: _Rule, peers: tuple[Peer, ...], ports: tuple[PolicyPort, ...]) -> None:
        smaller = replace(rule, peers=peers, ports=ports)
        opened = self._opened(smaller)
        if self._is_enough(rule, opened):
            rule.peers, rule.ports, rule.opened = peers, ports, opened

    def _is_enough(self, rule: _Rule, instead: _Opened) -> bool:
        """Say whether all that passes today passes if a rule opens ``instead`` only."""
        for at, universe in enumerate(self._universes):
            needed = universe.needed[rule.direction]
            for (number, asked), before in rule.opened[at].items():
                missing = needed[number][asked] & before & ~instead[at].get((number, asked), 0)
                for policy in universe.isolating[rule.direction][number] if missing else ():
                    for other in self._by_policy.get((id(universe.policies[policy]), rule.direction), ()):
                        if other is not rule:
                            missing &= ~other.opened[at].get((number, asked), 0)
                if missing:
                    return False
        return True

    def _merge_rules(self) -> None:
        """Merge rules of one policy that have the same ports, then those that have the same peers."""
        for rules in self._by_policy.values():
            for same, joined in (("ports", "peers"), ("peers", "ports")):
                found: dict[frozenset[object], _Rule] = {}
                for rule in list(rules):
                    first = found.setdefault(frozenset(getattr(rule, same)), rule)
                    # An empty list stands for everything.
                    if first is not rule and getattr(first, joined) and getattr(rule, joined):
                        both = dict.fromkeys((*getattr(first, joined), *getattr(rule, joined)))
                        setattr(first, joined, tuple(both))
                        first.origins += rule.origins
                        rules.remove(rule)

    def _policies_left(self) -> list[PolicyDraft]:
        """Return the policies with the rules that are left. Policies with rules and the same selector become one."""
        left = list(self._policies)
        types = {id(policy): {d for d in DIRECTIONS if policy.isolates(d)} for policy in left}
        for policy in sorted(left, key=lambda one: len(self._subjects(one))):
            for direction in DIRECTIONS:
                if self._isolation_is_redundant(policy, direction, types):
                    types[id(policy)].discard(direction)
        drafts: dict[tuple[str, object], PolicyDraft] = {}
        for policy in left:
            if types[id(policy)]:
                draft = self._draft(policy, tuple(d for d in DIRECTIONS if d in types[id(policy)]))
                # A default deny keeps its name: readers look for it.
                alone = policy.pod_selector == _EVERY_POD and not (draft.ingress or draft.egress)
                key = (policy.meta.namespace, policy.meta.name if alone else policy.pod_selector)
                drafts[key] = _joined(drafts[key], draft) if key in drafts else draft
        return list(drafts.values())

    def _subjects(self, policy: NetworkPolicy) -> set[tuple[int, int]]:
        return {
            (at, number)
            for at, universe in enumerate(self._universes)
            for direction in DIRECTIONS
            for number, of in universe.isolating[direction].items()
            if universe.place[id(policy)] in of
        }

    def _isolation_is_redundant(
        self, policy: NetworkPolicy, direction: Direction, types: dict[int, set[Direction]]
    ) -> bool:
        """Say whether a policy has no rules in a direction, and others isolate all its pods there.

        One default deny of a namespace stays: pods that come later need it.
        """
        if direction not in types[id(policy)] or self._by_policy.get((id(policy), direction)):
            return False
        if policy.pod_selector == _EVERY_POD:
            return any(
                one is not policy and one.pod_selector == _EVERY_POD and direction in types[id(one)]
                for one in self._policies
                if one.meta.namespace == policy.meta.namespace
            )
        for universe in self._universes:
            own = universe.place[id(policy)]
            for of in universe.isolating[direction].values():
                others = (universe.policies[at] for at in of if at != own)
                if own in of and not any(direction in types.get(id(one), ()) for one in others):
                    return False
        return True

    def _draft(self, policy: NetworkPolicy, types: tuple[Direction, ...]) -> PolicyDraft:
        rules = {d: tuple(self._rule_drafts(policy, d)) for d in DIRECTIONS}
        return PolicyDraft(
            *(policy.meta.namespace, policy.meta.name, policy.pod_selector, types, rules["ingress"], rules["egress"])
        )

    def _rule_drafts(self, policy: NetworkPolicy, direction: Direction) -> Iterator[RuleDraft]:
        for rule in self._by_policy.get((id(policy), direction), ()):
            yield RuleDraft(rule.peers, rule.ports, tuple(rule.origins))


def _joined(first: PolicyDraft, second: PolicyDraft) -> PolicyDraft:
    """Return one policy in place of two with the same selector; rules that both have count once."""
    rules: dict[Direction, tuple[RuleDraft, ...]] = {}
    for direction in DIRECTIONS:
        both = (*first.rules(direction), *second.rules(direction))
        rules[direction] = tuple({(frozenset(one.peers), frozenset(one.ports)): one for one in both}.values())
    types = tuple(d for d in DIRECTIONS if d in first.types or d in second.types)
    return replace(first, types=types, ingress=rules["ingress"], egress=rules["egress"])
