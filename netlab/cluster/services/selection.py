"""Which endpoints of a Service a node uses.

Source: Kubernetes, pkg/proxy/topology.go (CategorizeEndpoints).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from netlab.cluster.nodes import ZONE_LABEL
from netlab.cluster.services.endpoints import ServiceEndpoint, endpoints
from netlab.cluster.types import Cluster
from netlab.frozen import frozen
from netlab.objects.services import Service, ServicePort


@frozen
class NodeEndpoints:
    """The endpoints of a Service's port that one node uses, in order.

    ``cluster`` is for traffic policy Cluster, ``local`` for traffic policy Local. ``anywhere``: the port has a usable
    endpoint on some node. If it has none, nodes reject. If only ``local`` is empty, they drop.
    """

    cluster: tuple[ServiceEndpoint, ...]
    local: tuple[ServiceEndpoint, ...]
    anywhere: bool


def node_endpoints(cluster: Cluster, service: Service, port: ServicePort, family: int, node: str) -> NodeEndpoints:
    """Return the endpoints of a Service's port that a node uses, in an IP family (4 or 6).

    Ready endpoints are used. Without a ready one, those that serve while they terminate are used. Hints narrow the
    endpoints for traffic policy Cluster.
    """
    every = endpoints(cluster, service, port, family)
    ready = tuple(e for e in every if e.ready)
    terminating = () if len(ready) == len(every) else tuple(e for e in every if _serves_while_terminating(e))
    local = tuple(e for e in ready if e.node == node) or tuple(e for e in terminating if e.node == node)
    return NodeEndpoints(_hinted(cluster, ready, node) or terminating, local, bool(ready or terminating))


def _serves_while_terminating(endpoint: ServiceEndpoint) -> bool:
    return not endpoint.ready and endpoint.serving and endpoint.terminating


def _hinted(cluster: Cluster, ready: tuple[ServiceEndpoint, ...], node: str) -> tuple[ServiceEndpoint, ...]:
    """Return the ready endpoints that hints name for a node, else for its zone, else all."""
    if not any(e.zone_hints or e.node_hints for e in ready):
        return ready
    zone = cluster.node(node).labels.get(ZONE_LABEL, "")
    ways: Sequence[tuple[Callable[[ServiceEndpoint], tuple[str, ...]], str]] = (
        (lambda endpoint: endpoint.node_hints, node),
        (lambda endpoint: endpoint.zone_hints, zone),
    )
    for hints, name in ways:
        # Hints count only if every ready endpoint has them: on a cluster some may not be set yet.
        if all(map(hints, ready)) and (hinted := tuple(e for e in ready if name in hints(e))):
            return hinted
    return ready
