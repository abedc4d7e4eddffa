"""What a pod would admit if it started in a namespace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from netlab.cluster.types import Cluster, Pod
from netlab.objects.types import Direction
from netlab.policy.exposed_sides import ExposedSide, exposed_side
from netlab.policy.openings import UNPROTECTED


def side_of_new_pod(
    cluster: Cluster, namespace: str, direction: Direction, labels: Mapping[str, str] | None = None
) -> ExposedSide:
    """Return one side of a new pod, on the network of the first pod that has one."""
    own = dict(labels or {})
    known: dict[tuple[str, tuple[tuple[str, str], ...]], Pod] = cluster.memo.setdefault("policy.new_pods", {})
    key = (namespace, tuple(sorted(own.items())))
    pod = known.get(key)
    if pod is None:
        attached = next((one for one in cluster.pods if one.selectable and one.traits.attachment.enforced), None)
        if attached is None:
            return ExposedSide(UNPROTECTED)
        # The cluster keeps the pod, as caches have pods by identity.
        pod = known[key] = replace(
            attached, namespace=namespace, name="(new)", labels=own, ports=(), workload="", addresses=()
        )
    return exposed_side(cluster, pod, direction)
