"""The elements of tiers: the class of each pod that their policies select, and the action for each peer and port."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from netlab.cluster.types import Cluster, Pod
from netlab.objects.topology import TopologyPolicy
from netlab.objects.types import Direction
from netlab.ruleset import tiers
from netlab.ruleset.address_space import AddressSpace
from netlab.ruleset.classes import PodClasses, PolicyClass
from netlab.ruleset.comments import listing, sentence
from netlab.ruleset.element_store import ElementStore
from netlab.ruleset.elements import Element, Key, Span
from netlab.ruleset.peers import PolicyPeers, Signature
from netlab.ruleset.tier_actions import PROTOCOLS, Actions, ClassRules, Decided, PortSpan, StepRules, different
from netlab.ruleset.tier_chains import CLASSES, OWN_NODE, set_names
from netlab.ruleset.tier_classes import (
    TIER_MASK,
    ClassNumbers,
    PodTierClasses,
    Step,
    TierClass,
    TierPolicies,
    tier_classes,
)
from netlab.ruleset.tiers import ACTION_NUMBERS, TierPolicy

WAYS: dict[Direction, tuple[str, str]] = {"ingress": ("in", "from"), "egress": ("eg", "to")}
"""By direction: the prefix of its sets, and the word for its peers in comments."""

_Elements = dict[str, dict[Key, Element]]


class TierElements:
    """The elements of all tiers on every node. ``judged`` has the classes of NetworkPolicy of the pods with tiers."""

    def __init__(self, settings: TopologyPolicy, nodes: Mapping[str, tuple[ElementStore, AddressSpace]]) -> None:
        self._nodes = nodes
        self._own_node = settings.own_node != "enforce" and settings.directions != "ingress-only"
        self._numbers = ClassNumbers((), (), ())
        self._rules: dict[TierClass, ClassRules] = {}
        # By node: its classes of tiers, and the elements of maps of classes that are no classes of NetworkPolicy too.
        self._on: dict[str, dict[TierClass, None]] = {}
        self._members: dict[str, _Elements] = {}
        self._filled = False
        self.judged: dict[str, PodClasses] = {}

    def classify(self, cluster: Cluster, peers: Mapping[str, PolicyPeers], isolated: Mapping[str, PodClasses]) -> None:
        """Take the classes of a cluster; remove the elements of pods from maps of classes that have another one now.

        ``peers`` has the rules of all policies by key. ``isolated`` has the classes of NetworkPolicy.
        """
        used: TierPolicies = [(tier, found) for tier in tiers.TIERS if (found := tier.policies(cluster))]
        of = tier_classes(cluster, used, isolated, own_node=self._own_node)
        if not of and not self._filled:
            return
        self._rules = _rules(dict.fromkeys(one for of_pod in of.values() for one in _every(of_pod)), used, peers)
        under = [one for ref in of for one in isolated.get(ref, {}).values() if isinstance(one, PolicyClass)]
        ranges = [one for one, rules in self._rules.items() if rules.has_ranges]
        self._numbers = ClassNumbers([*self._rules], [*dict.fromkeys(under)], ranges)
        known: dict[tuple[TierClass, PolicyClass], PolicyClass] = {}
        self.judged = {ref: self._judged(of_pod, isolated.get(ref, {}), known) for ref, of_pod in of.items()}
        before, self._members = self._members, self._maps_of_classes(cluster, of)
        for node, of_node in before.items():
            now = self._members.get(node, {})
            for name, elements in of_node.items():
                for key in elements.keys() - now.get(name, {}).keys():
                    self._nodes[node][0].remove(name, key)

    def put(self, number: Callable[[Signature], int]) -> None:
        """Put the elements of the classes that ``classify`` took; ``number`` returns the mark of an identity.

        Elements of NetworkPolicy must be removed from the maps of classes before.
        """
        if not self._members and not self._filled:
            return
        self._filled = bool(self._members)
        known: dict[tuple[int, TierClass], _Elements] = {}
        for node, (store, space) in self._nodes.items():
            for name, elements in self._members.get(node, {}).items():
                for key, element in elements.items():
                    store.put(name, key, element)
            found: defaultdict[str, dict[Key, Element]] = defaultdict(dict)
            for one in self._on.get(node, ()):
                at = id(space), one
                if at not in known:
                    known[at] = self._actions(one, space, number)
                for name, some in known[at].items():
                    found[name].update(some)
            for name in set_names():
                store.replace(name, found.get(name, {}))

    def _judged(
        self, of_pod: PodTierClasses, classes: PodClasses, known: dict[tuple[TierClass, PolicyClass], PolicyClass]
    ) -> PodClasses:
        """Return the classes of NetworkPolicy of a pod, with the numbers that they have together with tiers."""
        found: dict[Direction, PolicyClass | str] = {}
        for direction, one in classes.items():
            above = of_pod.classes.get(direction)
            if above is None:
                found[direction] = one
            elif isinstance(one, PolicyClass):
                if (above, one) not in known:
                    known[above, one] = replace(one, number=self._numbers.number(above, one), above=above.policies)
                found[direction] = known[above, one]
        return found

    def _maps_of_classes(self, cluster: Cluster, of: Mapping[str, PodTierClasses]) -> dict[str, _Elements]:
        self._on = {}
        found: dict[str, _Elements] = {}
        for pod in cluster.pods if of else ():
            of_pod = of.get(pod.ref)
            if of_pod is None:
                continue
            of_node, on = found.setdefault(pod.node, {}), self._on.setdefault(pod.node, {})
            on |= dict.fromkeys(_every(of_pod))
            for direction, one in of_pod.classes.items():
                if direction not in self.judged[pod.ref]:
                    self._add(of_node, WAYS[direction][0], pod, one)
            if of_pod.own_node is not None:
                self._add(of_node, OWN_NODE, pod, of_pod.own_node)
        for node, on in self._on.items():
            found[node][CLASSES] = {(self._key(one),): Element(comment=listing(one.policies)) for one in on}
        return found

    def _add(self, of_node: _Elements, prefix: str, pod: Pod, one: TierClass) -> None:
        element = Element((self._numbers.number(one),), sentence([pod.ref], ("selected by", one.policies)))
        for a in pod.addresses:
            of_node.setdefault(f"{prefix}{a.version}", {})[a,] = element

    def _key(self, one: TierClass) -> int:
        return self._numbers.number(one) & TIER_MASK

    def _actions(self, one: TierClass, space: AddressSpace, number: Callable[[Signature], int]) -> _Elements:
        """Return the elements of a class for the identities of an address space.

        An identity has elements only where its actions differ from what else the packet would find.
        """
        rules, own = self._rules[one], self._key(one)
        way, word = WAYS[one.direction]
        found: _Elements = {}

        def put(suffix: str, key: Key, decided: Decided, peer: Sequence[str]) -> None:
            by = [decided.by] if decided.by else ["no rule"]
            comment = sentence([decided.action], (word, peer), ("by", by))
            found.setdefault(f"{way}_tiers_{suffix}", {})[key] = Element((ACTION_NUMBERS[decided.action],), comment)

        def put_ports(key: Key, spans: Sequence[PortSpan], peer: Sequence[str]) -> None:
            for first, last, decided in spans:
                if rules.has_ranges and first != last:
                    put("ranges", (*key, Span(first, last)), decided, peer)
                    continue
                for port in range(first, last + 1):
                    put("port", (*key, port), decided, peer)

        known: dict[frozenset[object], Actions] = {}
        for signature in _met(rules, space):
            members = rules.relevant(signature)
            if members not in known:
                known[members] = rules.actions(members)
            actions = known[members]
            key: Key = (own, number(signature))
            peer = list(space.names[signature])
            if actions.other.action != rules.default:
                put("all", key, actions.other, peer)
            base = (PortSpan(0, 65535, actions.other),)
            for protocol in PROTOCOLS:
                put_ports((*key, protocol.lower()), different(actions.ports[protocol], base), peer)
        return found


def _rules(
    classes: Mapping[TierClass, None], used: TierPolicies, peers: Mapping[str, PolicyPeers]
) -> dict[TierClass, ClassRules]:
    policies: dict[str, TierPolicy] = {policy.meta.key: policy for _, of_tier in used for policy in of_tier}
    steps: dict[tuple[Direction, Step], StepRules] = {}
    for one in classes:
        for step in one.steps:
            if (one.direction, step) not in steps:
                steps[one.direction, step] = StepRules(step, one.direction, peers, policies)
    return {one: ClassRules(one, [steps[one.direction, step] for step in one.steps]) for one in classes}


def _met(rules: ClassRules, space: AddressSpace) -> Iterator[Signature]:
    """Yield the identities of an address space that the rules can tell from others."""
    found: dict[Signature, None] = {}
    for text in sorted(rules.peers):
        found |= space.identities.get(text, {})
    for name, protocol in sorted(rules.named):
        found |= dict.fromkeys(signature for _, signature in space.resolved(name, protocol))
    yield from found


def _every(of_pod: PodTierClasses) -> Iterator[TierClass]:
    yield from of_pod.classes.values()
    if of_pod.own_node is not None:
        yield of_pod.own_node
