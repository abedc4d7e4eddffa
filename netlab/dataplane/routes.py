"""Plain routes to the pods of each node, without a tunnel: the next hop is the node's address on the underlay.

Calico distributes them to nodes by BGP. Outside hosts have them with any transport, if the wiring says so.
"""

from __future__ import annotations

from collections.abc import Sequence

from netlab.cluster.node_sources import source_to_other_nodes
from netlab.cluster.types import Cluster, Host, Network, Node, address_of
from netlab.dataplane import names
from netlab.dataplane.build import Build
from netlab.kernel.state import Route
from netlab.objects.types import Address, Prefix


def join(cluster: Cluster, network: Network, build: Build) -> int:
    """Add routes to each node's pods on all other nodes; return the MTU of a pod's link."""
    add_routes(cluster, network, build, build.nodes(cluster))
    return build.mtu


def join_hosts(cluster: Cluster, network: Network, build: Build) -> None:
    """Add routes to each node's pods on outside hosts, if they have any; on the underlay the transport adds them."""
    if network.traits.outside_routes and not network.traits.transport.on_underlay:
        add_routes(cluster, network, build, build.hosts(cluster))


def add_routes(cluster: Cluster, network: Network, build: Build, machines: Sequence[Node | Host]) -> None:
    """Add routes to each node's pods by the node's address, on these machines but the node itself."""
    shares = _shares(cluster, network)
    for node in cluster.nodes:
        for prefix in shares[node.name]:
            via = address_of(node, prefix.version)
            for machine in machines:
                if machine is not node and via is not None and address_of(machine, prefix.version) is not None:
                    source = source_of(machine, network, prefix.version)
                    place = names.endpoint_namespace(cluster.name, machine)
                    build.add(place, Route(prefix, names.UNDERLAY_DEVICE, via=via, source=source))


def source_of(machine: Node | Host, network: Network, family: int) -> Address | None:
    """Return the source address of a route to other nodes' pods: the one that the wiring chooses, else the kernel's."""
    if isinstance(machine, Host) or network.traits.wiring.remote_node_source is None:
        return None
    return source_to_other_nodes(machine, network.traits, network.name, family)


def _shares(cluster: Cluster, network: Network) -> dict[str, list[Prefix]]:
    """Return the prefixes that each node has alone: its range and single addresses; only the latter without ranges."""
    outside = names.outside_shares(cluster, network)
    if network.traits.transport.node_ranges:
        return {n.name: [*n.pod_cidrs[network.name], *map(names.single, outside[n.name])] for n in cluster.nodes}
    pods = [pod for pod in cluster.pods if pod.network == network.name]
    return {
        node.name: [names.single(address) for pod in pods if pod.node == node.name for address in pod.addresses]
        for node in cluster.nodes
    }
