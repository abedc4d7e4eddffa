"""Which policy selects which pods, and which peers it allows."""

from __future__ import annotations

from netlab.cluster import Cluster
from netlab.pictures.model import Box, Picture


def policies_picture(cluster: Cluster) -> Picture:
    """Return the picture of the policies of a cluster and of the pods that they select."""
    boxes = tuple(Box(f"{p.meta.namespace}/{p.meta.name}", "policy", (p.meta.name,)) for p in cluster.policies)
    return Picture(f"{cluster.name}: policies", boxes)
