"""Where the API server may connect to in a lab: pods, nodes and Services, each from a node's network namespace.

Source: Kubernetes, apiserver egress selection; the API server asks pods and Services by the network of its node.
"""

from __future__ import annotations

import random
from ipaddress import ip_address

from netlab.cluster import Cluster, Node, Pod
from netlab.cluster.translate import services
from netlab.dataplane.names import node_namespace
from netlab.errors import NetlabError
from netlab.frozen import NamedTuple
from netlab.kernel.loopback import ADDRESS
from netlab.objects.types import Address

# Where kubelets listen, as Node objects say. Those of a lab have a free port of the host in its place.
KUBELET = 10250


class Unreachable(NetlabError):
    """The API server cannot connect there; the message says why."""


class Place(NamedTuple):
    """An address and port, and the network namespace from which to connect; "" is the host's own."""

    namespace: str
    address: str
    port: int


def place_of(cluster: Cluster, host: str, port: int, kubelet_port: int) -> Place:
    """Return where a host and a port of the API server are.

    A node's address with the port of kubelets, the lab's or the usual one, is netlab itself. A Service's address stands
    for one of its endpoints.
    Any address that the lab does not have is refused: this leads into the lab, and nowhere else.

    Raises:
      Unreachable: for an address that is not in the lab, or whose node is stopped, and for a Service without endpoint.
    """
    try:
        address: Address = ip_address(host)
    except ValueError as error:
        raise Unreachable(f"{host} is no IP address") from error
    found = cluster.by_address.get(address)
    if isinstance(found, Node) and port in (kubelet_port, KUBELET):
        if found.stopped:
            raise Unreachable(f"node {found.name} is stopped: its kubelet does not answer")
        return Place("", ADDRESS, kubelet_port)
    if found is None:
        address, port = _endpoint_of_service(cluster, address, port)
        found = cluster.by_address.get(address)
    node = found if isinstance(found, Node) else cluster.node(found.node) if isinstance(found, Pod) else None
    if node is None:
        raise Unreachable(f"no pod, node or Service of the lab has the address {address}")
    _check_runs(node)
    return Place(node_namespace(cluster.name, node.name), str(address), port)


def _check_runs(node: Node) -> None:
    if node.stopped:
        raise Unreachable(f"node {node.name} is stopped")


def _endpoint_of_service(cluster: Cluster, address: Address, port: int) -> tuple[Address, int]:
    """Return the address and port of an endpoint of a Service's address; the nodes are asked in turn for theirs."""
    target = services.find(cluster, None, address, "TCP", port)
    if target is None:
        raise Unreachable(f"no pod, node or Service of the lab has the address {address}")
    reason = target.reason
    for node in cluster.nodes:
        if not node.stopped:
            of_node = target.for_source(node)
            if of_node.backends:
                chosen = random.choice(of_node.backends)  # noqa: S311  as a node chooses
                return chosen.address, chosen.port if chosen.port is not None else port
            reason = reason or of_node.reason
    raise Unreachable(reason or "all nodes are stopped")
