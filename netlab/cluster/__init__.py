"""Objects to a cluster: pods of workloads, their nodes, their addresses. The same input gives the same cluster."""

from netlab.cluster.resolve import resolve, resolve_input, try_resolve
from netlab.cluster.resolve_change import resolve_change
from netlab.cluster.types import Cluster, Endpoint, Host, Network, Node, Placement, Pod

__all__ = [
    "Cluster",
    "Endpoint",
    "Host",
    "Network",
    "Node",
    "Placement",
    "Pod",
    "resolve",
    "resolve_change",
    "resolve_input",
    "try_resolve",
]
