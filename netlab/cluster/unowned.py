"""Addresses that no endpoint has: gateways, unused addresses of the service range, special-purpose ones, and others.

A gateway is a node's address in the prefix of its pods, the first one (``netlab.dataplane.names.gateway_of``). The
prefix of a bridge network is the same on every node, so the node that has a gateway's address depends on the source.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address

from netlab.cluster.types import Cluster, Endpoint, Host, Network, Node, Pod
from netlab.objects.types import Address

_BROADCAST = IPv4Address("255.255.255.255")


def own_gateway(cluster: Cluster, source: Endpoint, address: Address) -> Node | None:
    """Return the source's own node if the address is the source's gateway, else None."""
    if isinstance(source, Host):
        return None
    node = cluster.node(source.node) if isinstance(source, Pod) else source
    # A node, and a host-network pod, has the addresses of all networks; another pod has the gateway of its network.
    own = source.network if isinstance(source, Pod) and not source.host_network else None
    for network, gateway in _gateways(cluster, node):
        if gateway == address and own in (None, network.name):
            return node
    return None


def gateway_hint(cluster: Cluster, address: Address) -> str:
    """Return which endpoint to name instead of an address that is a gateway, "" for any other address."""
    for node in cluster.nodes:
        for network, gateway in _gateways(cluster, node):
            if gateway == address and not network.traits.transport.node_ranges:
                return f"{address} is the gateway of network {network.name!r} on each node: ask node:NAME instead"
            if gateway == address:
                return f"{address} is the gateway of network {network.name!r} on its node: ask {node.ref} instead"
    return ""


def why_unowned(cluster: Cluster, address: Address) -> str:
    """Return why no endpoint has an address: no Service has it, it is a gateway, or the lab does not have it."""
    if any(address.version == cidr.version and address in cidr for cidr in cluster.service_cidrs):
        return f"{address} is in the service range, and no Service has it"
    return gateway_hint(cluster, address) or no_owner(address)


def no_owner(address: Address) -> str:
    """Return the message that no machine of the lab has an address."""
    return f"no machine of the lab has {address}"


def special_purpose(address: Address) -> str:
    """Return why an address names no other machine (loopback, multicast, link-local, …), "" if it can name one."""
    purposes = {
        "a loopback address": address.is_loopback,
        "a multicast address": address.is_multicast,
        "the unspecified address": address.is_unspecified,
        "the broadcast address": address == _BROADCAST,
        "a link-local address": address.is_link_local,
    }
    return next((f"{address} is {what}: it names no other machine" for what, is_so in purposes.items() if is_so), "")


def _gateways(cluster: Cluster, node: Node) -> Iterator[tuple[Network, Address]]:
    """Yield the networks whose pods have the node as their gateway, each with the gateway's address."""
    for network in cluster.networks:
        if network.traits.attachment.node_gateway:
            for prefix in node.pod_cidrs.get(network.name, ()):
                yield network, prefix[1]
