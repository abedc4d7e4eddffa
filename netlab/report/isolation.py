"""In which directions policies isolate each pod of a cluster."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from netlab.cluster.types import Cluster, Endpoint
from netlab.pictures.isolation import isolation_of
from netlab.pictures.model import Isolation


def isolation(cluster: Cluster) -> Mapping[str, Isolation]:
    """Return ``none``, ``ingress``, ``egress`` or ``both`` for each pod that has a network, by reference."""
    return {pod.ref: found for pod in cluster.asked_pods() if (found := isolation_of(cluster, pod))}


NOT_ISOLATED = "not isolated"
"""The flag of a row whose pods no policy isolates."""


def flag_of(of: Mapping[str, str], members: Iterable[Endpoint]) -> str:
    """Return the flag of some endpoints: how many of their pods no policy isolates; "" if there are none."""
    pods = [member for member in members if member.ref in of]
    bare = sum(of[pod.ref] == "none" for pod in pods)
    if not bare:
        return ""
    return NOT_ISOLATED if bare == len(pods) else f"{bare:,} {NOT_ISOLATED}"


def isolation_text(of: Mapping[str, str], members: Iterable[Endpoint]) -> str:
    """Return how many of some endpoints policies isolate: ``isolated for ingress and egress``; "" without pods."""
    kinds: dict[str, int] = {}
    for member in members:
        if kind := of.get(member.ref):
            kinds[kind] = kinds.get(kind, 0) + 1
    words = {
        "none": NOT_ISOLATED,
        "ingress": "isolated for ingress only",
        "egress": "isolated for egress only",
        "both": "isolated for ingress and egress",
    }
    parts = [(words[kind], kinds[kind]) for kind in words if kind in kinds]
    if len(parts) == 1:
        return parts[0][0]
    return ", ".join(f"{count} {word}" for word, count in parts)
