"""Peers as sets of pods: by the labels of the pod and of its namespace, whether they exist or not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from netlab.cluster.types import Cluster
from netlab.frozen import frozen
from netlab.objects.core_v1 import NAMESPACE_LABEL
from netlab.objects.policies import Peer
from netlab.policy.label_sets import ALL_LABELS, ALL_NAMESPACES, LabelSet, labels_of, namespace_named


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


_Key = tuple[bool, str]
"""A key of labels: of the namespace, or of the pod."""


class WiderPeers:
    """Finds, among many peers, those that may have all pods of some peers, without a comparison of each with each.

    Peers with one value for each key are found by these values, as a policy may list thousands. All others are
    compared.
    """

    def __init__(self, found: Sequence[PodPeers]) -> None:
        self._by_values: dict[tuple[_Key, ...], dict[tuple[str, ...], list[int]]] = {}
        self._others: list[int] = []
        for number, one in enumerate(found):
            values = _single_values(one)
            if values is None:
                self._others.append(number)
            else:
                self._by_values.setdefault(tuple(values), {}).setdefault(tuple(values.values()), []).append(number)

    def candidates(self, peers: PodPeers) -> Iterator[int]:
        """Yield the numbers of those that may have all pods of the peers."""
        yield from self._others
        own: dict[_Key, str | None] = {}
        for of_namespace, labels in ((True, peers.namespaces), (False, peers.pods)):
            for key, values in labels.conditions:
                if values.only is not None and len(values.only) == 1 and not values.absent:
                    own[of_namespace, key] = next(iter(values.only))
        for keys, by_values in self._by_values.items():
            wanted = tuple(own.get(key) for key in keys)
            yield from by_values.get(wanted, ())  # type: ignore[arg-type]


def _single_values(peers: PodPeers) -> dict[_Key, str] | None:
    """Return the value of each key that peers have conditions on; None if some condition is of another form."""
    found: dict[_Key, str] = {}
    for of_namespace, labels in ((True, peers.namespaces), (False, peers.pods)):
        for key, values in labels.conditions:
            if of_namespace and (key, values) == ALL_NAMESPACES.conditions[0]:
                continue
            if values.only is None or len(values.only) != 1 or values.absent:
                return None
            found[of_namespace, key] = next(iter(values.only))
    return found
