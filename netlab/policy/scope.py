"""Which pods policies and peers can mean, by namespace: what keeps questions about all pods from being asked of all."""

from __future__ import annotations

from collections.abc import Mapping

from netlab.cluster.types import Cluster, Pod
from netlab.objects.selectors import LabelSelector
from netlab.objects.types import NetworkPolicy, Peer
from netlab.policy.mismatch import namespace_mismatch


def pods_by_namespace(cluster: Cluster) -> Mapping[str, tuple[Pod, ...]]:
    """Return the pods of every namespace that has any, in the cluster's order."""
    known: dict[str, tuple[Pod, ...]] | None = cluster.memo.get("policy.pods")
    if known is None:
        found: dict[str, list[Pod]] = {}
        for pod in cluster.pods:
            found.setdefault(pod.namespace, []).append(pod)
        known = cluster.memo["policy.pods"] = {namespace: tuple(pods) for namespace, pods in found.items()}
    return known


def namespaces_meant(cluster: Cluster, policy: NetworkPolicy, peer: Peer) -> tuple[str, ...]:
    """Return the namespaces that a peer of selectors means, in the cluster's order."""
    if peer.namespace_selector is None:
        return (policy.meta.namespace,)
    known: dict[LabelSelector, tuple[str, ...]] = cluster.memo.setdefault("policy.namespaces", {})
    found = known.get(peer.namespace_selector)
    if found is None:
        found = known[peer.namespace_selector] = tuple(
            namespace for namespace in cluster.namespaces if not namespace_mismatch(cluster, policy, peer, namespace)
        )
    return found
