"""The elements of tiers: the class of each pod that their policies select, and the action for each peer and port."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Set

from netlab.cluster.types import Cluster, Pod
from netlab.objects.topology import TopologyPolicy
from netlab.ruleset import tiers
from netlab.ruleset.address_space import AddressSpace
from netlab.ruleset.classes import PodClasses
from netlab.ruleset.comments import listing, sentence
from netlab.ruleset.element_store import ElementStore
from netlab.ruleset.elements import Element, Key, Span
from netlab.ruleset.numbers import numbers
from netlab.ruleset.peers import PolicyPeers, Signature
from netlab.ruleset.rule_settings import NameAndProtocol
from netlab.ruleset.tier_actions import PROTOCOLS, Actions, ClassRules, Decided, PortSpan, different
from netlab.ruleset.tier_chains import CLASSES, OWN_NODE, set_names
from netlab.ruleset.tier_classes import (
    DENIES,
    HAS_ANYWHERE,
    HAS_RANGES,
    NUMBER_BITS,
    OF_TIERS,
    PodTierClasses,
    TierClass,
    TierPolicies,
    tier_classes,
)
from netlab.ruleset.tiers import ACTION_NUMBERS

WAYS = {"ingress": ("in", "from"), "egress": ("eg", "to")}
"""By direction: the prefix of its sets, and the word for its peers in comments."""

_Elements = dict[str, dict[Key, Element]]


class TierElements:
    """The elements of all tiers on every node."""

    def __init__(self, settings: TopologyPolicy, nodes: Mapping[str, tuple[ElementStore, AddressSpace]]) -> None:
        self._settings = settings
        self._nodes = nodes
        self._own_node = settings.own_node != "enforce" and settings.directions != "ingress-only"
        # By node: the elements of maps of classes. NetworkPolicy has elements in some of these maps too.
        self._members: dict[str, _Elements] = {}
        self._on: dict[str, dict[TierClass, None]] = {}
        self._filled = False
        self._rules: dict[TierClass, ClassRules] = {}
        self._numbers: dict[str, int] = {}
        self.of: dict[str, PodTierClasses] = {}
        """The classes of the pods that policies of tiers select, by reference."""

    def classify(
        self,
        cluster: Cluster,
        peers: Mapping[str, PolicyPeers],
        isolated: Mapping[str, PodClasses],
        skipped: Set[NameAndProtocol],
    ) -> None:
        """Take the classes of a cluster; remove the elements of pods from maps of classes that have another one now.

        ``peers`` has the rules of all policies by key. ``isolated`` has the classes of NetworkPolicy. Egress rules of
        NetworkPolicy skip the named ports ``skipped``.
        """
        used: TierPolicies = [(tier, found) for tier in tiers.TIERS if (found := tier.policies(cluster))]
        self.of = tier_classes(cluster, used, isolated, own_node=self._own_node)
        if not self.of and not self._members:
            return
        policies = {policy.meta.key: policy for _, of_tier in used for policy in of_tier}
        classes = dict.fromkeys(one for of_pod in self.of.values() for one in _every(of_pod))
        self._rules = {one: ClassRules(one, peers, policies, skipped) for one in classes}
        self._numbers = numbers(map(str, classes), NUMBER_BITS)
        before, self._members = self._members, self._maps_of_classes(cluster)
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

    def _maps_of_classes(self, cluster: Cluster) -> dict[str, _Elements]:
        self._on = {}
        found: dict[str, _Elements] = {}
        for pod in cluster.pods if self.of else ():
            of_pod = self.of.get(pod.ref)
            if of_pod is None:
                continue
            of_node = found.setdefault(pod.node, {})
            on = self._on.setdefault(pod.node, {})
            for direction, one in of_pod.classes.items():
                self._add(of_node, WAYS[direction][0], pod, one)
                on[one] = None
            if of_pod.own_node is not None:
                self._add(of_node, OWN_NODE, pod, of_pod.own_node)
                on[of_pod.own_node] = None
        for node, on in self._on.items():
            found[node][CLASSES] = {(self._number(one),): Element(comment=listing(one.policies)) for one in on}
        return found

    def _add(self, of_node: _Elements, prefix: str, pod: Pod, one: TierClass) -> None:
        element = Element((self._number(one),), sentence([pod.ref], ("selected by", one.policies)))
        for a in pod.addresses:
            of_node.setdefault(f"{prefix}{a.version}", {})[a,] = element

    def _number(self, one: TierClass) -> int:
        rules = self._rules[one]
        flags = OF_TIERS | (DENIES if one.denies else 0)
        flags |= (HAS_RANGES if rules.has_ranges else 0) | (HAS_ANYWHERE if rules.anywhere else 0)
        return flags | self._numbers[str(one)]

    def _actions(self, one: TierClass, space: AddressSpace, number: Callable[[Signature], int]) -> _Elements:
        """Return the elements of a class for the identities of an address space.

        An identity has elements only where its actions differ from what else the packet would find.
        """
        rules, own = self._rules[one], self._number(one)
        way, word = WAYS[one.direction]
        found: _Elements = {}

        def put(suffix: str, key: Key, decided: Decided, peer: list[str]) -> None:
            comment = sentence([decided.action], (word, peer), ("by", [decided.by or "the default"]))
            found.setdefault(f"{way}_tiers_{suffix}", {})[key] = Element((ACTION_NUMBERS[decided.action],), comment)

        def put_ports(kinds: tuple[str, str], key: Key, protocol: str, spans: list[PortSpan], peer: list[str]) -> None:
            for first, last, decided in spans:
                if rules.has_ranges and first != last:
                    put(kinds[1], (*key, protocol.lower(), Span(first, last)), decided, peer)
                    continue
                for port in range(first, last + 1):
                    put(kinds[0], (*key, protocol.lower(), port), decided, peer)

        anywhere = rules.actions(frozenset())
        default = Decided("deny" if one.denies else "allow")
        whole = _every_port(default)
        if rules.anywhere:
            for protocol in PROTOCOLS:
                spans = different(anywhere.ports[protocol], whole)
                put_ports(("any_port", "any_ranges"), (own,), protocol, spans, ["anywhere"])
        known: dict[frozenset[object], Actions] = {}
        for signature in self._met(rules, space):
            members = rules.relevant(signature)
            if members not in known:
                known[members] = rules.actions(members)
            actions = known[members]
            key: Key = (own, number(signature))
            peer = list(space.names[signature])
            alone = actions.other.action != default.action
            if alone:
                put("all", key, actions.other, peer)
            for protocol in PROTOCOLS:
                base = _every_port(actions.other) if alone else anywhere.ports[protocol]
                put_ports(("port", "ranges"), key, protocol, different(actions.ports[protocol], base), peer)
        return found

    def _met(self, rules: ClassRules, space: AddressSpace) -> Iterator[Signature]:
        """Yield the identities of an address space that the rules can tell from others."""
        found: dict[Signature, None] = {}
        for text in sorted(rules.peers):
            found |= space.identities.get(text, {})
        for name, protocol in sorted(rules.named):
            found |= dict.fromkeys(signature for _, signature in space.resolved(name, protocol))
        yield from found


def _every_port(decided: Decided) -> tuple[PortSpan, ...]:
    return (PortSpan(0, 65535, decided),)


def _every(of_pod: PodTierClasses) -> Iterator[TierClass]:
    yield from of_pod.classes.values()
    if of_pod.own_node is not None:
        yield of_pod.own_node
