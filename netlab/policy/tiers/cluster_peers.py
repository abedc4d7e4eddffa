"""Which pods the subjects and peers of cluster-wide policies match: one set of numbers for each pod.

Policies of a platform have few different subjects and peers, and pods have few different labels. So each selector is
evaluated once for all namespaces, or all pods, with the same labels.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from netlab.cluster.types import Cluster, Endpoint, Pod
from netlab.objects.cluster_policies import PodsPeer
from netlab.objects.selectors import LabelSelector


class ClusterPeers:
    """The subjects and peers of all cluster-wide policies, with numbers; ``of`` returns those that match a pod."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.numbers: dict[PodsPeer, int] = {}
        for policy in cluster.cluster_policies:
            self.numbers.setdefault(policy.subject, len(self.numbers))
            for rule in (*policy.ingress, *policy.egress):
                for peer in rule.peers:
                    if peer.pods is not None:
                        self.numbers.setdefault(peer.pods, len(self.numbers))
        self._keys = sorted({key for peer in self.numbers for key in _keys(peer.pods)})
        self._in_namespace: dict[str, int] = {}
        self._alike: dict[tuple[str, ...], int] = {}
        self._known: dict[int, tuple[Pod, int]] = {}

    def of(self, end: Endpoint | None) -> int:
        """Return the numbers of the subjects and peers that match an endpoint, as a set; they match pods only."""
        if not isinstance(end, Pod) or not end.selectable:
            return 0
        # By identity, as the hash of a name takes as long as the rest. The entry keeps its pod alive.
        known = self._known.get(id(end))
        if known is None:
            known = self._known[id(end)] = (end, self._of(end))
        return known[1]

    def _of(self, pod: Pod) -> int:
        labels = pod.labels
        # A label's value never begins with a blank.
        own = tuple(labels.get(key, " ") for key in self._keys)
        if own not in self._alike:
            self._alike[own] = _having(((n, peer.pods) for peer, n in self.numbers.items()), labels)
        space = pod.namespace
        if space not in self._in_namespace:
            spaces = ((n, peer.namespaces) for peer, n in self.numbers.items())
            self._in_namespace[space] = _having(spaces, self._cluster.namespaces[space])
        return self._alike[own] & self._in_namespace[space]


def _keys(selector: LabelSelector | None) -> Iterable[str]:
    if selector is not None:
        yield from (key for key, _ in selector.match_labels)
        yield from (requirement.key for requirement in selector.match_expressions)


def _having(selectors: Iterable[tuple[int, LabelSelector | None]], labels: Mapping[str, str]) -> int:
    found = 0
    for number, selector in selectors:
        if selector is None or selector.matches(labels):
            found |= 1 << number
    return found


def cluster_peers(cluster: Cluster) -> ClusterPeers:
    """Return the numbered subjects and peers of a cluster's policies."""
    known: ClusterPeers | None = cluster.memo.get("policy.cluster_peers")
    if known is None:
        known = cluster.memo["policy.cluster_peers"] = ClusterPeers(cluster)
    return known
