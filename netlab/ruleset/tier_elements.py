"""The elements of tiers: which class a tier gives each pod, and the verdict of each class, peer and port."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from netlab.cluster.types import Cluster, Pod
from netlab.objects.types import Protocol
from netlab.ruleset.address_space import AddressSpace
from netlab.ruleset.allows import EVERY_PORT, Allow, allows_of
from netlab.ruleset.classes import DIRECTIONS, PodClasses, PolicyClass, class_of
from netlab.ruleset.comments import sentence
from netlab.ruleset.element_store import ElementStore
from netlab.ruleset.elements import Element, Key, Span
from netlab.ruleset.numbers import CLASS_BITS, numbers
from netlab.ruleset.peers import PolicyPeers, Signature
from netlab.ruleset.tiers import VERDICTS, Tier, TierPolicy, Verdict

WAY = {"ingress": ("in", "from"), "egress": ("eg", "to")}

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
        words: Mapping[str, PolicyPeers],
        number: Callable[[Signature], int],
        isolated: Mapping[str, PodClasses],
    ) -> None:
        """Replace the elements by those of a cluster.

        ``words`` has the rules of policies in the words of the identities, ``number`` returns the mark of an identity,
        ``isolated`` the directions in which NetworkPolicy decides, by pod.
        """
        policies = self.tier.policies(cluster)
        if not policies and not self._filled:
            return
        self._filled = bool(policies)
        members: dict[str, dict[PolicyClass, list[Pod]]] = {node: {} for node in self._nodes}
        for pod in cluster.pods if policies else ():
            for found in self._classes(policies, pod, cluster, isolated.get(pod.ref, {})):
                members[pod.node].setdefault(found, []).append(pod)
        classes = numbers({str(one) for of in members.values() for one in of}, CLASS_BITS)
        by_key = {policy.meta.key: policy for policy in policies}
        for node, (sets, view) in self._nodes.items():
            elements: defaultdict[str, dict[Key, Element]] = defaultdict(dict)
            for found, pods in members[node].items():
                self._enter(elements, found, pods, classes[str(found)])
                for allow, verdict, key in judged(found, by_key, words, view):
                    self._judge(elements, found, classes[str(found)], allow, verdict, key, number, view)
            for name in self.sets():
                sets.replace(name, elements.get(name, {}))

    def sets(self) -> list[str]:
        """Return the names of all sets that the tier may have."""
        kinds = ("4", "6", "_all", "_port", "_ranges")
        return [f"{self.tier.name}_{way}{kind}" for way, _ in WAY.values() for kind in kinds]

    def _classes(
        self, policies: Sequence[TierPolicy], pod: Pod, cluster: Cluster, isolated: PodClasses
    ) -> Iterator[PolicyClass]:
        if not pod.traits.attachment.enforced:
            return
        selecting = [policy for policy in policies if policy.selects(pod, cluster)]
        for direction in DIRECTIONS:
            judging = [policy for policy in selecting if policy.rules(direction)]
            if judging and (self.tier.before or direction not in isolated):
                yield class_of(direction, judging, pod.ports)

    def _enter(
        self, elements: dict[str, dict[Key, Element]], found: PolicyClass, pods: Iterable[Pod], number: int
    ) -> None:
        for pod in pods:
            for a in pod.addresses:
                element = Element((number,), sentence([pod.ref], ("selected by", found.policies)))
                elements[f"{self.tier.name}_{WAY[found.direction][0]}{a.version}"][a,] = element

    def _judge(
        self,
        elements: dict[str, dict[Key, Element]],
        found: PolicyClass,
        own: int,
        allow: Allow,
        verdict: Verdict,
        policy: str,
        number: Callable[[Signature], int],
        view: AddressSpace,
    ) -> None:
        assert allow.peer is not None
        way, word = WAY[found.direction]
        key: Key = (own, number(allow.peer))
        kind = "_all"
        if allow.protocol is not None:
            kind = "_ranges" if allow.is_range else "_port"
            key = (*key, allow.protocol.lower(), Span(allow.first, allow.last) if allow.is_range else allow.first)
        comment = sentence([verdict], (word, list(view.names[allow.peer])), ("by", [policy]))
        elements[f"{self.tier.name}_{way}{kind}"][key] = Element((VERDICTS[verdict],), comment)


def judged(
    found: PolicyClass, policies: Mapping[str, TierPolicy], words: Mapping[str, PolicyPeers], view: AddressSpace
) -> Iterator[tuple[Allow, Verdict, str]]:
    """Yield what a class judges, with the verdict of the first rule that matches, and its policy's key.

    No two overlap, but for a peer without ports, which stands for what no port of it says.
    """
    whole: set[Signature | None] = set()
    taken: defaultdict[tuple[Signature | None, Protocol | None], _Spans] = defaultdict(list)
    for key in found.policies:
        rules = zip(words[key].rules(found.direction), policies[key].rules(found.direction), strict=True)
        for rule, written in rules:
            for allow in dict.fromkeys(allows_of(rule, found, view)):
                if allow.peer in whole:
                    continue
                if allow.protocol is None:
                    yield allow, written.verdict, key
                    whole.add(allow.peer)
                    continue
                spans = taken[allow.peer, allow.protocol]
                for first, last in _free((allow.first, allow.last), spans):
                    yield Allow(allow.peer, allow.protocol, first, last), written.verdict, key
                    spans.append((first, last))


def _free(wanted: tuple[int, int], taken: _Spans) -> Iterator[tuple[int, int]]:
    """Yield the parts of a span that no other span has."""
    first, end = max(wanted[0], EVERY_PORT[0]), wanted[1]
    for low, high in sorted(taken):
        if high < first or low > end:
            continue
        if first < low:
            yield first, low - 1
        first = high + 1
    if first <= end:
        yield first, end
