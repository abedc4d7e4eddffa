"""The wiring of a lab: nodes, bridges, tunnels, pods and outside hosts, with addresses and MTU."""

from __future__ import annotations

from netlab.cluster import Cluster
from netlab.pictures.model import Box, Picture


def topology_picture(cluster: Cluster) -> Picture:
    """Return the picture of what netlab builds for a cluster."""
    boxes = tuple(Box(node.ref, "node", (node.name,)) for node in cluster.nodes)
    return Picture(f"{cluster.name}: wiring", boxes)
