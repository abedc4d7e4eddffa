"""Peers as sets of pods: by the labels of the pod and of its namespace, whether they exist or not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from netlab.cluster.types import Cluster
from netlab.frozen import frozen
from netlab.objects.core_v1 import NAMESPACE_LABEL
from netlab.objects.policies import Peer
from netlab.policy.label_sets import ALL_LABELS, ALL_NAMESPACES, LabelSet, LabelValues, labels_of, namespace_named


@frozen
class PodPeers:
    """Pods by their labels, in namespaces by theirs, whether they exist or not."""

    namespaces: LabelSet
    pods: LabelSet

    @property
    def every_namespace(self) -> bool:
        """Whether they are in every namespace that may exist."""
        return ALL_NAMESPACES.within(self.namespaces)

    @property
    def everything(self) -> bool:
        """Whether they are every pod of every namespace that may exist."""
        return self.every_namespace and self.pods.everything

    @property
    def named(self) -> frozenset[str] | None:
        """The names of the namespaces, None if the labels are not names alone."""
        if not self.namespaces.without(NAMESPACE_LABEL).everything:
            return None
        return self.namespaces.condition(NAMESPACE_LABEL).only

    def within(self, other: PodPeers) -> bool:
        """Say whether the other peers have every pod of these."""
        return self.namespaces.within(other.namespaces) and self.pods.within(other.pods)

    def has(self, namespace: Mapping[str, str], labels: Mapping[str, str]) -> bool:
        """Say whether a pod with these labels, in a namespace with those, is one of them."""
        return self.namespaces.has(namespace) and self.pods.has(labels)

    def new_namespaces(self, cluster: Cluster) -> bool:
        """Say whether a namespace that does not exist can have such pods."""
        only = self.namespaces.condition(NAMESPACE_LABEL).only
        return only is None or any(name not in cluster.namespaces for name in only)

    def __str__(self) -> str:
        pods = "any pod" if self.pods.everything else f"any pod with {self.pods}"
        names = self.named
        if self.every_namespace:
            return f"{pods} in any namespace"
        if names is not None:
            return f"{pods} in namespace{'s' if len(names) > 1 else ''} {', '.join(sorted(names))}"
        spaces = self.namespaces
        if ALL_NAMESPACES.conditions[0] in spaces.conditions:
            spaces = spaces.without(NAMESPACE_LABEL)
        return f"{pods} in any namespace with {spaces}"


EVERY_POD = PodPeers(ALL_NAMESPACES, ALL_LABELS)


def peers_of(peer: Peer, namespace: str) -> PodPeers:
    """Return the pods that a peer with selectors means, in a policy of a namespace."""
    if peer.namespace_selector is None:
        spaces = namespace_named(namespace)
    else:
        spaces = ALL_NAMESPACES & labels_of(peer.namespace_selector)
    return PodPeers(spaces, labels_of(peer.pod_selector))


_EVERY = LabelValues()
_Key = tuple[bool, str]
"""A key of labels: of the namespace, or of the pod."""


class WiderPeers:
    """Finds, among many peers, those that may have all pods of some peers, without a comparison of each with each.

    Peers are found by the keys that they have conditions on, and by the values of one of these keys, as a policy may
    list thousands.
    """

    def __init__(self, found: Sequence[PodPeers]) -> None:
        alike: dict[frozenset[_Key], list[tuple[int, dict[_Key, LabelValues]]]] = {}
        for number, one in enumerate(found):
            conditions = _conditions(one)
            alike.setdefault(frozenset(conditions), []).append((number, conditions))
        self._alike = {keys: _SameKeys(keys, of) for keys, of in alike.items()}

    def candidates(self, peers: PodPeers) -> Iterator[int]:
        """Yield the numbers of those that may have all pods of the peers."""
        own = _conditions(peers)
        for keys, of in self._alike.items():
            if own.keys() >= keys:
                yield from of.candidates(own)


class _SameKeys:
    """Peers with conditions on the same keys, by their values of the key that tells most of them apart."""

    def __init__(self, keys: frozenset[_Key], found: Sequence[tuple[int, dict[_Key, LabelValues]]]) -> None:
        self._all = [number for number, _ in found]
        self._key = max(sorted(keys), key=lambda key: len({of[key] for _, of in found}), default=None)
        self._listing: dict[str, list[int]] = {}
        self._excluding: dict[str, list[int]] = {}
        self._others: list[int] = []
        for number, of in found:
            values = LabelValues() if self._key is None else of[self._key]
            if values.only:
                for value in values.only:
                    self._listing.setdefault(value, []).append(number)
            elif values.excluded:
                self._excluding.setdefault(min(values.excluded), []).append(number)
            else:
                self._others.append(number)

    def candidates(self, own: Mapping[_Key, LabelValues]) -> Iterator[int]:
        """Yield the numbers of those that may have all pods with these conditions."""
        values = LabelValues() if self._key is None else own[self._key]
        if values.only is not None and not values.only:
            yield from self._all
            return
        yield from self._others
        if values.only is None:
            for value in values.excluded:
                yield from self._excluding.get(value, ())
            return
        yield from self._listing.get(min(values.only), ())
        for numbers in self._excluding.values():
            yield from numbers


def _conditions(peers: PodPeers) -> dict[_Key, LabelValues]:
    """Return the conditions of peers by key, without those that every label satisfies."""
    return {
        (of_namespace, key): values
        for of_namespace, labels in ((True, peers.namespaces), (False, peers.pods))
        for key, values in labels.conditions
        if values != _EVERY and not (of_namespace and (key, values) == ALL_NAMESPACES.conditions[0])
    }
