"""New pods: what a pod would admit that starts in a namespace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from netlab.cluster.types import Cluster, Pod
from netlab.objects.types import Direction
from netlab.policy.exposed_sides import Side, side
from netlab.policy.openings import UNPROTECTED, Openings


def of_new_pod(
    cluster: Cluster, namespace: str, direction: Direction, labels: Mapping[str, str] | None = None
) -> Openings:
    """Return what one side of a new pod admits, on the network of the first pod that has one."""
    return side_of_new_pod(cluster, namespace, direction, labels).openings


def side_of_new_pod(
    cluster: Cluster, namespace: str, direction: Direction, labels: Mapping[str, str] | None = None
) -> Side:
    """Return one side of a new pod, on the network of the first pod that has one."""
    own = dict(labels or {})
    known: dict[tuple[str, tuple[tuple[str, str], ...]], Pod] = cluster.memo.setdefault("policy.new_pods", {})
    key = (namespace, tuple(sorted(own.items())))
    pod = known.get(key)
    if pod is None:
        attached = next((one for one in cluster.pods if one.selectable and one.traits.attachment.enforced), None)
        if attached is None:
            return Side(UNPROTECTED)
        # The cluster keeps the pod, as caches have pods by identity.
        pod = known[key] = replace(
            attached, namespace=namespace, name="(new)", labels=own, ports=(), workload="", addresses=()
        )
    return side(cluster, pod, direction)
