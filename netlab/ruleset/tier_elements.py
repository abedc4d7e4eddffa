"""The elements of tiers: the class that a tier gives each pod, and the action for each class, peer and port."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from netlab.cluster.types import Cluster, Pod
from netlab.objects.types import DIRECTIONS, Protocol
from netlab.ruleset.address_space import AddressSpace
from netlab.ruleset.allows import EVERY_PORT, Allow, allows_of
from netlab.ruleset.classes import PodClasses, PolicyClass, class_of
from netlab.ruleset.comments import sentence
from netlab.ruleset.element_store import ElementStore
from netlab.ruleset.elements import Element, Key, Span
from netlab.ruleset.numbers import CLASS_BITS, numbers
from netlab.ruleset.peers import PolicyPeers, Signature
from netlab.ruleset.tiers import ACTION_NUMBERS, Tier, TierPolicy
from netlab.verdicts import Action

WAYS = {"ingress": ("in", "from"), "egress": ("eg", "to")}
"""By direction: the prefix of its sets, and the word for its peers in comments."""

_Spans = list[tuple[int, int]]


class TierElements:
    """The elements of one tier on every node."""

    def __init__(self, tier: Tier, nodes: Mapping[str, tuple[ElementStore, AddressSpace]]) -> None:
        self.tier = tier
        self._nodes = nodes
        self._filled = False

    def update(
        self,
        cluster: Cluster,
        peers: Mapping[str, PolicyPeers],
        number: Callable[[Signature], int],
        isolated: Mapping[str, PodClasses],
    ) -> None:
        """Replace the elements by those of a cluster.

        ``peers`` has the rules of all policies by key, with their peers as texts. ``number`` returns the mark of an
        identity. ``isolated`` has, by pod, the directions in which NetworkPolicy decides.
        """
        policies = self.tier.policies(cluster)
        if not policies and not self._filled:
            return
        self._filled = bool(policies)
        members: dict[str, dict[PolicyClass, list[Pod]]] = {node: {} for node in self._nodes}
        for pod in cluster.pods if policies else ():
            for policy_class in self._classes(policies, pod, cluster, isolated.get(pod.ref, {})):
                members[pod.node].setdefault(policy_class, []).append(pod)
        classes = numbers({str(one) for of_node in members.values() for one in of_node}, CLASS_BITS)
        by_key = {policy.meta.key: policy for policy in policies}
        for node, (store, space) in self._nodes.items():
            elements: defaultdict[str, dict[Key, Element]] = defaultdict(dict)
            for policy_class, pods in members[node].items():
                own = classes[str(policy_class)]
                self._add_class(elements, policy_class, pods, own)
                for match, action, key in actions_of(policy_class, by_key, peers, space):
                    self._add_action(elements, policy_class, own, match, action, key, number, space)
            for name in self.set_names():
                store.replace(name, elements.get(name, {}))

    def set_names(self) -> list[str]:
        """Return the names of all sets that the tier may have."""
        suffixes = ("4", "6", "_all", "_port", "_ranges")
        return [f"{self.tier.prefix}_{way}{suffix}" for way, _ in WAYS.values() for suffix in suffixes]

    def _classes(
        self, policies: Sequence[TierPolicy], pod: Pod, cluster: Cluster, isolated: PodClasses
    ) -> Iterator[PolicyClass]:
        if not pod.traits.attachment.enforced:
            return
        selecting = [policy for policy in policies if policy.selects(pod, cluster)]
        for direction in DIRECTIONS:
            with_rules = [policy for policy in selecting if policy.rules(direction)]
            if with_rules and (self.tier.before_network_policy or direction not in isolated):
                yield class_of(direction, with_rules, pod.ports)

    def _add_class(
        self, elements: dict[str, dict[Key, Element]], policy_class: PolicyClass, pods: Iterable[Pod], number: int
    ) -> None:
        for pod in pods:
            for a in pod.addresses:
                element = Element((number,), sentence([pod.ref], ("selected by", policy_class.policies)))
                elements[f"{self.tier.prefix}_{WAYS[policy_class.direction][0]}{a.version}"][a,] = element

    def _add_action(
        self,
        elements: dict[str, dict[Key, Element]],
        policy_class: PolicyClass,
        own: int,
        match: Allow,
        action: Action,
        policy: str,
        number: Callable[[Signature], int],
        space: AddressSpace,
    ) -> None:
        assert match.peer is not None
        way, word = WAYS[policy_class.direction]
        key: Key = (own, number(match.peer))
        suffix = "_all"
        if match.protocol is not None:
            suffix = "_ranges" if match.is_range else "_port"
            key = (*key, match.protocol.lower(), Span(match.first, match.last) if match.is_range else match.first)
        comment = sentence([action], (word, list(space.names[match.peer])), ("by", [policy]))
        elements[f"{self.tier.prefix}_{way}{suffix}"][key] = Element((ACTION_NUMBERS[action],), comment)


def actions_of(
    policy_class: PolicyClass,
    policies: Mapping[str, TierPolicy],
    peers: Mapping[str, PolicyPeers],
    space: AddressSpace,
) -> Iterator[tuple[Allow, Action, str]]:
    """Yield the peers and ports of a class, each with the action of the first matching rule and its policy's key.

    No two overlap, with one exception: a peer without ports stands for the ports that no other item of the peer has.
    """
    whole: set[Signature | None] = set()
    taken: defaultdict[tuple[Signature | None, Protocol | None], _Spans] = defaultdict(list)
    for key in policy_class.policies:
        rules = zip(peers[key].rules(policy_class.direction), policies[key].rules(policy_class.direction), strict=True)
        for rule, written in rules:
            for match in dict.fromkeys(allows_of(rule, policy_class, space)):
                if match.peer in whole:
                    continue
                if match.protocol is None:
                    yield match, written.action, key
                    whole.add(match.peer)
                    continue
                spans = taken[match.peer, match.protocol]
                for first, last in _free((match.first, match.last), spans):
                    yield Allow(match.peer, match.protocol, first, last), written.action, key
                    spans.append((first, last))


def _free(wanted: tuple[int, int], taken: _Spans) -> Iterator[tuple[int, int]]:
    """Yield the parts of a span of ports that no taken span covers."""
    first, end = max(wanted[0], EVERY_PORT[0]), wanted[1]
    for low, high in sorted(taken):
        if high < first or low > end:
            continue
        if first < low:
            yield first, low - 1
        first = high + 1
    if first <= end:
        yield first, end
