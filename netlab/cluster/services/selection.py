"""Which endpoints of a Service a node's kube-proxy uses.

Source: Kubernetes, pkg/proxy/topology.go (CategorizeEndpoints).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from netlab.cluster.services.endpoints import ZONE_LABEL, ServiceEndpoint, endpoints
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
    """Return the endpoints of a Service's port that a node uses, in an IP family (4 or 6).

    They are the ready ones, else those that serve and terminate. Hints narrow those of policy Cluster.
    """
    every = endpoints(cluster, service, port, family)
    ready = tuple(one for one in every if one.ready)
    leaving = () if len(ready) == len(every) else tuple(one for one in every if _leaves(one))
    local = tuple(one for one in ready if one.node == node) or tuple(one for one in leaving if one.node == node)
    return NodeEndpoints(_near(cluster, ready, node) or leaving, local, bool(ready or leaving))


def _leaves(one: ServiceEndpoint) -> bool:
    """Say whether an endpoint still serves while it terminates."""
    return not one.ready and one.serving and one.terminating


def _near(cluster: Cluster, ready: tuple[ServiceEndpoint, ...], node: str) -> tuple[ServiceEndpoint, ...]:
    """Return the ready endpoints that hints name for a node, else for its zone, else all."""
    if not any(one.zone_hints or one.node_hints for one in ready):
        return ready
    zone = cluster.node(node).labels.get(ZONE_LABEL, "")
    ways: Sequence[tuple[Callable[[ServiceEndpoint], tuple[str, ...]], str]] = (
        (lambda one: one.node_hints, node),
        (lambda one: one.zone_hints, zone),
    )
    for hints, name in ways:
        # A hint counts only if every ready endpoint has one, as hints may be about to be set.
        if all(map(hints, ready)) and (found := tuple(one for one in ready if name in hints(one))):
            return found
    return ready
