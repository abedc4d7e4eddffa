"""The source address of a node's packets to the pods of other nodes: ``remoteNodeSource`` of a network's wiring.

Policies take the address for the node's: ``ipBlockPods`` and selectors never take it for a pod's, though it is in the
range of pods.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from netlab import modes
from netlab.cluster.types import Cluster, Endpoint, Network, Node, Pod, address_of
from netlab.objects.types import Address


def tunnel_address(node: Node, network: str, family: int) -> Address | None:
    """Return the address of a node's tunnel device: the first of its pods' range, which no pod has."""
    return next((prefix[0] for prefix in node.pod_cidrs.get(network, ()) if prefix.version == family), None)


def bridge_address(node: Node, network: str, family: int) -> Address | None:
    """Return the address of a node's bridge, which is the gateway of its pods."""
    return next((prefix[1] for prefix in node.pod_cidrs.get(network, ()) if prefix.version == family), None)


def source_to_other_nodes(node: Node, traits: modes.Mode, network: str, family: int) -> Address | None:
    """Return the source address of a node's packets to other nodes' pods of a network with these traits.

    None if the node has no such address of the IP family (4 or 6).
    """
    if traits.remote_node_source == "tunnel":
        return tunnel_address(node, network, family)
    if traits.remote_node_source == "bridge":
        return bridge_address(node, network, family)
    return address_of(node, family)


def node_of(endpoint: Endpoint) -> str | None:
    """Return the node whose network namespace the endpoint is in, None for other pods and for outside hosts."""
    if isinstance(endpoint, Node):
        return endpoint.name
    if isinstance(endpoint, Pod) and endpoint.host_network:
        return endpoint.node
    return None


def source_address(cluster: Cluster, source: Endpoint, destination: Endpoint | None, family: int) -> Address | None:
    """Return the source address of an endpoint's packets to another one; None if it has none of the IP family.

    It is the endpoint's own address, but for packets of a node, or of its host-network pods, to pods of other nodes.
    """
    node = node_of(source)
    if node is None or not isinstance(destination, Pod) or not chosen_network(destination) or destination.node == node:
        return address_of(source, family)
    return address_to_network(cluster, source, destination.network, family)


def chosen_network(pod: Pod) -> str:
    """Return the network of a pod if other nodes send to it from another address than their own, else ""."""
    return pod.network if pod.traits.remote_node_source != "node" else ""


def address_to_network(cluster: Cluster, source: Endpoint, network: str, family: int) -> Address | None:
    """Return the source address of packets to pods of a network on other nodes; to other endpoints if it is ""."""
    node = node_of(source) if network else None
    if node is None:
        return address_of(source, family)
    return source_to_other_nodes(cluster.node(node), cluster.network(network).traits, network, family)


def further_addresses(networks: Iterable[Network], node: Node) -> Iterator[Address]:
    """Yield the addresses beside its own by which other nodes' pods see a node."""
    for network in networks:
        if network.traits.remote_node_source != "node":
            for family in (4, 6):
                found = source_to_other_nodes(node, network.traits, network.name, family)
                if found is not None:
                    yield found
