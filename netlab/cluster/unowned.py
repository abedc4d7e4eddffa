"""Addresses that no endpoint of the cluster has: gateways, which are their nodes, and what there is to say of the rest.

A node's gateway is its own address in its pods' prefix, the first (``netlab.dataplane.names.gateway_of``). A bridge
network's prefix repeats on every node, so who it is depends on who asks.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address

from netlab.cluster.types import Cluster, Endpoint, Host, Network, Node, Pod
from netlab.objects.types import Address

_EVERYBODY = IPv4Address("255.255.255.255")


def own_gateway(cluster: Cluster, source: Endpoint, address: Address) -> Node | None:
    """Return the source's own node where the address is its gateway there, None else."""
    if isinstance(source, Host):
        return None
    node = cluster.node(source.node) if isinstance(source, Pod) else source
    # Who lives in the node's namespace has all its addresses; another pod knows those of its network.
    own = source.network if isinstance(source, Pod) and not source.host_network else None
    for network, gateway in _gateways(cluster, node):
        if gateway == address and own in (None, network.name):
            return node
    return None


def gateway_hint(cluster: Cluster, address: Address) -> str:
    """Return what to ask instead of an address that is a gateway, "" where it is none."""
    for node in cluster.nodes:
        for network, gateway in _gateways(cluster, node):
            if gateway == address and not network.traits.transport.node_ranges:
                return f"{address} is the gateway of network {network.name!r} on each node: ask node:NAME instead"
            if gateway == address:
                return f"{address} is the gateway of network {network.name!r} on its node: ask {node.ref} instead"
    return ""


def why_unowned(cluster: Cluster, address: Address) -> str:
    """Return in words who has an address that no endpoint has."""
    service = next((s for s in cluster.services if s.cluster_ip == str(address)), None)
    if service is not None:
        return f"{address} is the ClusterIP of Service {service.meta.key}, which netlab does not emulate: ask its pods"
    return gateway_hint(cluster, address) or no_owner(address)


def no_owner(address: Address) -> str:
    """Return that no machine has an address, which a host of the Topology could have."""
    return f"no machine of the lab has {address}"


def special_purpose(address: Address) -> str:
    """Return why an address cannot be that of another machine, "" where it can."""
    kinds = {
        "a loopback address": address.is_loopback,
        "a multicast address": address.is_multicast,
        "the unspecified address": address.is_unspecified,
        "the broadcast address": address == _EVERYBODY,
        "a link-local address": address.is_link_local,
    }
    return next((f"{address} is {kind}: it names no other machine" for kind, is_one in kinds.items() if is_one), "")


def _gateways(cluster: Cluster, node: Node) -> Iterator[tuple[Network, Address]]:
    """Yield a node's own addresses in the prefixes of its networks, where they are gateways of pods."""
    for network in cluster.networks:
        if network.traits.attachment.node_gateway:
            for prefix in node.pod_cidrs.get(network.name, ()):
                yield network, prefix[1]
