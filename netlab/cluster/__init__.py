"""Objects resolved: pods from workloads, placement, addresses. The same input always gives the same cluster."""

from netlab.cluster.follow import follow
from netlab.cluster.resolve import outline, resolve, settle
from netlab.cluster.types import Cluster, Endpoint, Host, Network, Node, Placement, Pod

__all__ = [
    "Cluster",
    "Endpoint",
    "Host",
    "Network",
    "Node",
    "Placement",
    "Pod",
    "follow",
    "outline",
    "resolve",
    "settle",
]
