"""The pods and namespaces that policies and peers match, for warnings. Pods that netlab added do not count.

The results are kept, so that no check compares all pods again.
"""

from __future__ import annotations

from collections.abc import Mapping

from netlab.cluster.types import Cluster, Pod
from netlab.objects.cluster_policies import ClusterPolicy
from netlab.objects.policies import NetworkPolicy, Peer
from netlab.objects.selectors import LabelSelector
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
    """Return the pods that a policy selects, in the cluster's order."""
    # By identity, as a policy is not hashable. The cluster keeps the policy alive.
    known: dict[int, tuple[Pod, ...]] = cluster.memo.setdefault("policy.selected", {})
    found = known.get(id(policy))
    if found is None:
        here = pods_by_namespace(cluster).get(policy.meta.namespace, ())
        found = known[id(policy)] = tuple(
            pod for pod in here if pod.selectable and policy.pod_selector.matches(pod.labels)
        )
    return found


def pods_matched(cluster: Cluster, policy: NetworkPolicy | ClusterPolicy, peer: Peer) -> tuple[Pod, ...]:
    """Return the pods that a peer's selectors match, including host-network pods."""
    # Many policies have equal peers, so the result is kept by peer and not by policy.
    known: dict[tuple[str, Peer], tuple[Pod, ...]] = cluster.memo.setdefault("policy.meant", {})
    key = (policy.meta.namespace if peer.namespace_selector is None else "", peer)
    found = known.get(key)
    if found is None:
        pods = pods_by_namespace(cluster)
        found = known[key] = tuple(
            pod
            for namespace in namespaces_matched(cluster, policy, peer)
            for pod in pods.get(namespace, ())
            if peer.pod_selector is None or peer.pod_selector.matches(pod.labels)
        )
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
