"""The pods and namespaces that policies and peers match, for warnings. Pods that netlab added do not count.

The results are kept, so that no check compares all pods again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from netlab.cluster.types import Cluster, Pod
from netlab.objects.cluster_policies import ClusterPolicy
from netlab.objects.policies import NetworkPolicy, Peer
from netlab.objects.selectors import LabelSelector
from netlab.policy.bitsets import members, set_of
from netlab.policy.label_index import LabelIndex
from netlab.policy.matching import namespace_mismatch_text

_MOST_OF_A_LABEL = 20


def pods_by_namespace(cluster: Cluster) -> Mapping[str, tuple[Pod, ...]]:
    """Return the pods by namespace, in the cluster's order."""
    known: dict[str, tuple[Pod, ...]] | None = cluster.memo.get("policy.pods")
    if known is None:
        found: dict[str, list[Pod]] = {}
        for pod in cluster.asked_pods():
            found.setdefault(pod.namespace, []).append(pod)
        known = cluster.memo["policy.pods"] = {namespace: tuple(pods) for namespace, pods in found.items()}
    return known


def namespaces_matched(cluster: Cluster, policy: NetworkPolicy | ClusterPolicy, peer: Peer) -> tuple[str, ...]:
    """Return the namespaces that a peer with selectors matches, in the cluster's order."""
    if peer.namespace_selector is None:
        return (policy.meta.namespace,)
    known: dict[LabelSelector, tuple[str, ...]] = cluster.memo.setdefault("policy.namespaces", {})
    found = known.get(peer.namespace_selector)
    if found is None:
        found = known[peer.namespace_selector] = tuple(
            namespace
            for namespace in cluster.namespaces
            if not namespace_mismatch_text(cluster, policy, peer, namespace)
        )
    return found


def pods_selected(cluster: Cluster, policy: NetworkPolicy) -> tuple[Pod, ...]:
    """Return the pods that a policy selects, in the cluster's order; equal selections are one tuple."""
    # By identity, as a policy is not hashable. The cluster keeps the policy alive.
    known: dict[int, tuple[Pod, ...]] = cluster.memo.setdefault("policy.selected", {})
    found = known.get(id(policy))
    if found is None:
        sets = pod_sets(cluster)
        found = known[id(policy)] = sets.kept(sets.selected(policy))
    return found


def pods_matched(cluster: Cluster, policy: NetworkPolicy | ClusterPolicy, peer: Peer) -> tuple[Pod, ...]:
    """Return the pods that a peer's selectors match, including host-network pods; equal results are one tuple."""
    # Many policies have equal peers, so the result is kept by peer and not by policy.
    known: dict[tuple[str, Peer], tuple[Pod, ...]] = cluster.memo.setdefault("policy.meant", {})
    key = (policy.meta.namespace if peer.namespace_selector is None else "", peer)
    found = known.get(key)
    if found is None:
        sets = pod_sets(cluster)
        found = known[key] = sets.kept(sets.matched(policy, peer))
    return found


class PodSets:
    """Sets of the pods that commands ask about, as integers (``policy.bitsets``): the bit ``1 << place`` for each.

    ``selectable`` are the pods that policies apply to. ``labels`` is the index of all of them.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._pods = cluster.asked_pods()
        self.labels = LabelIndex([pod.labels for pod in self._pods])
        self.selectable = self.having(lambda pod: pod.selectable)
        numbers: dict[str, list[int]] = {}
        for number, pod in enumerate(self._pods):
            numbers.setdefault(pod.namespace, []).append(number)
        self._spaces = {namespace: set_of(of, len(self._pods)) for namespace, of in numbers.items()}
        self._known_spaces: dict[tuple[str, ...], int] = {}
        self._known_pods: dict[int, tuple[Pod, ...]] = {}
        self._places: dict[int, int] = {}

    def having(self, test: Callable[[Pod], bool]) -> int:
        """Return the set of the pods that pass a test."""
        return set_of((number for number, pod in enumerate(self._pods) if test(pod)), len(self._pods))

    def of(self, pods: Iterable[Pod]) -> int:
        """Return the set of some of the pods."""
        if not self._places:
            self._places = {id(pod): number for number, pod in enumerate(self._pods)}
        return set_of((self._places[id(pod)] for pod in pods), len(self._pods))

    def pods(self, found: int) -> tuple[Pod, ...]:
        """Return the pods of a set, in the cluster's order."""
        return tuple([self._pods[number] for number in members(found)])

    def kept(self, found: int) -> tuple[Pod, ...]:
        """Return the pods of a set, in the cluster's order: one tuple for equal sets."""
        if found not in self._known_pods:
            self._known_pods[found] = self.pods(found)
        return self._known_pods[found]

    def of_namespace(self, namespace: str) -> int:
        """Return the set of the pods of a namespace that policies apply to."""
        return self.selectable & self._spaces.get(namespace, 0)

    def labelled(self, namespace: str, selector: LabelSelector) -> int:
        """Return the set of the pods of a namespace that a selector matches, including host-network pods."""
        return self._spaces.get(namespace, 0) & self.labels.matching(selector)

    def selected(self, policy: NetworkPolicy) -> int:
        """Return the set of ``pods_selected``."""
        return self.selectable & self.labelled(policy.meta.namespace, policy.pod_selector)

    def matched(self, policy: NetworkPolicy | ClusterPolicy, peer: Peer) -> int:
        """Return the set of ``pods_matched``."""
        found = self._in(namespaces_matched(self._cluster, policy, peer))
        return found if peer.pod_selector is None else found & self.labels.matching(peer.pod_selector)

    def _in(self, namespaces: tuple[str, ...]) -> int:
        found = self._known_spaces.get(namespaces)
        if found is None:
            found = 0
            for namespace in namespaces:
                found |= self._spaces.get(namespace, 0)
            self._known_spaces[namespaces] = found
        return found


def pod_sets(cluster: Cluster) -> PodSets:
    """Return the sets of the pods of a cluster, which are made once."""
    found: PodSets | None = cluster.memo.get("policy.pod_sets")
    if found is None:
        found = cluster.memo["policy.pod_sets"] = PodSets(cluster)
    return found


def pods_elsewhere(cluster: Cluster, selector: LabelSelector) -> list[Pod]:
    """Return some pods of any namespace that a selector matches; none if the selector has no ``matchLabels``."""
    if not selector.match_labels:
        return []
    known: dict[tuple[str, str], list[Pod]] | None = cluster.memo.get("policy.labelled")
    if known is None:
        known = cluster.memo["policy.labelled"] = {}
        for pod in cluster.asked_pods():
            for label in pod.labels.items():
                pods = known.setdefault(label, [])
                if len(pods) < _MOST_OF_A_LABEL:
                    pods.append(pod)
    rarest = min((known.get(label, []) for label in selector.match_labels), key=len)
    return [pod for pod in rarest if selector.matches(pod.labels)]
