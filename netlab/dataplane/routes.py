"""Plain routes to the pods of each node, without a tunnel: the next hop is the node's address on the underlay.

Nodes and outside hosts have these routes. Calico distributes them by BGP.
"""

from __future__ import annotations

from netlab.cluster.types import Cluster, Host, Network, Node, address_of
from netlab.dataplane import names
from netlab.dataplane.build import MTU, Build
from netlab.kernel.state import Route


def join(cluster: Cluster, network: Network, build: Build) -> int:
    """Add routes to each node's pods on all other machines; return the MTU of a pod's link."""
    machines: list[Node | Host] = [*cluster.nodes, *cluster.hosts]
    outside = names.outside_shares(cluster, network)
    for node in cluster.nodes:
        for prefix in (*node.pod_cidrs[network.name], *map(names.single, outside[node.name])):
            via = address_of(node, prefix.version)
            for machine in machines:
                if machine is not node and via is not None and address_of(machine, prefix.version) is not None:
                    place = names.endpoint_namespace(cluster.name, machine)
                    build.add(place, Route(prefix, names.UNDERLAY_DEVICE, via=via))
    return MTU
