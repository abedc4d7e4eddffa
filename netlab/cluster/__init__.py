"""Objects resolved: pods from workloads, placement, addresses. The same input always gives the same cluster.

Not exported here is ``follow``, which only a running lab and a scenario need.
"""

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
    "outline",
    "resolve",
    "settle",
]
