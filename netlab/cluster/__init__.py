"""Objects to a cluster: pods of workloads, their nodes, their addresses. The same input gives the same cluster.

``resolve_change`` is not exported here: only a running lab and a scenario need it.
"""

from netlab.cluster.resolve import resolve, resolve_input, try_resolve
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
    "resolve_input",
    "try_resolve",
]
