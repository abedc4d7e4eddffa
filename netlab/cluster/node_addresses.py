"""The addresses of nodes: those on the underlay, and those in the ranges of pods.

A node has the first address of its range on its tunnel device, and the next one as the gateway of its pods. No pod has
either of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from netlab.cluster.types import Cluster, Network, Node
from netlab.objects.types import Address


def addresses_of_nodes(networks: Iterable[Network], nodes: Iterable[Node]) -> Iterator[Address]:
    """Yield every address that some node has, once or more."""
    of = [(network.name, network.traits) for network in networks]
    for node in nodes:
        yield from node.addresses
        for name, traits in of:
            for prefix in node.pod_cidrs.get(name, ()):
                if traits.transport.tunnel:
                    yield prefix[0]
                if traits.attachment.node_gateway:
                    yield prefix[1]


def is_node_address(cluster: Cluster, address: Address) -> bool:
    """Say whether some node of a cluster has an address."""
    known: frozenset[Address] | None = cluster.memo.get("cluster.node_addresses")
    if known is None:
        found = frozenset(addresses_of_nodes(cluster.networks, cluster.nodes))
        known = cluster.memo["cluster.node_addresses"] = found
    return address in known
