"""Which endpoints of a Service a node's kube-proxy uses.

Source: Kubernetes, pkg/proxy/topology.go (CategorizeEndpoints).
"""

from __future__ import annotations

from netlab.cluster.services.endpoints import ServiceEndpoint, endpoints
from netlab.cluster.types import Cluster
from netlab.frozen import frozen
from netlab.objects.services import Service, ServicePort


@frozen
class NodeEndpoints:
    """The endpoints of a Service's port that one node uses, in order.

    ``cluster`` are those of traffic with policy Cluster, ``local`` those of traffic with policy Local. ``anywhere``:
    whether the port has a usable endpoint on any node. Without one, nodes reject. If only ``local`` is empty, they
    drop.
    """

    cluster: tuple[ServiceEndpoint, ...]
    local: tuple[ServiceEndpoint, ...]
    anywhere: bool


def node_endpoints(cluster: Cluster, service: Service, port: ServicePort, family: int, node: str) -> NodeEndpoints:
    """Return the endpoints of a Service's port that a node uses, in an IP family (4 or 6)."""
    ready = tuple(one for one in endpoints(cluster, service, port, family) if one.ready)
    return NodeEndpoints(ready, tuple(one for one in ready if one.node == node), bool(ready))
