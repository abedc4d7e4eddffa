"""The NetworkPolicies that select a pod and isolate it, each set of them once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from netlab.cluster.types import Cluster, Pod
from netlab.objects.policies import NetworkPolicy
from netlab.objects.types import Direction
from netlab.policy.meaning import policies_meant

if TYPE_CHECKING:
    from netlab.policy.policy_index import PolicyIndex

_MANY_POLICIES = 32
"""From this number of policies of a namespace on, an index is faster than a look at each policy for each pod."""


def isolating(cluster: Cluster, pod: Pod, direction: Direction) -> tuple[NetworkPolicy, ...]:
    """Return the policies that select a pod and isolate it in a direction, sorted by name.

    Pods with the same ones have one tuple, which the cluster keeps.
    """
    # By identity, as the hash of a name takes as long as the rest of a pair. The entry keeps its pod alive.
    known: dict[tuple[Direction, int], tuple[Pod, tuple[NetworkPolicy, ...]]]
    known = cluster.memo.setdefault("policy.isolating", {})
    found = known.get((direction, id(pod)))
    if found is None:
        found = known[direction, id(pod)] = (pod, _selecting(cluster, pod, direction))
    return found[1]


def _selecting(cluster: Cluster, pod: Pod, direction: Direction) -> tuple[NetworkPolicy, ...]:
    policies = _policies_of(cluster).get(pod.namespace, ()) if pod.selectable else ()
    if len(policies) >= _MANY_POLICIES:
        return _indexed(cluster, pod.namespace, policies).selecting(pod.labels, direction)
    found = tuple(p for p in policies if p.isolates(direction) and p.pod_selector.matches(pod.labels))
    known: dict[tuple[int, ...], tuple[NetworkPolicy, ...]] = cluster.memo.setdefault("policy.isolating.same", {})
    return known.setdefault(tuple(map(id, found)), found)


def _indexed(cluster: Cluster, namespace: str, policies: Sequence[NetworkPolicy]) -> PolicyIndex:
    known: dict[str, PolicyIndex] = cluster.memo.setdefault("policy.index", {})
    found = known.get(namespace)
    if found is None:
        from netlab.policy.policy_index import PolicyIndex

        found = known[namespace] = PolicyIndex(policies)
    return found


def _policies_of(cluster: Cluster) -> dict[str, list[NetworkPolicy]]:
    by_namespace: dict[str, list[NetworkPolicy]] | None = cluster.memo.get("policy.by_namespace")
    if by_namespace is None:
        by_namespace = cluster.memo["policy.by_namespace"] = {}
        for policy in policies_meant(cluster):
            by_namespace.setdefault(policy.meta.namespace, []).append(policy)
    return by_namespace
