"""Routes to the addresses of Services.

A node translates a packet before it chooses a route, so these routes carry no packet to an endpoint. A node needs a
route to the service ranges for two reasons: without a route it sends no packet of its own, and it cannot reject packets
that it does not translate.
"""

from __future__ import annotations

from netlab.cluster.services.routes import balancer_node, services_by_outer_address
from netlab.cluster.types import Cluster, Host, Node, address_of
from netlab.dataplane import names
from netlab.dataplane.build import Build
from netlab.kernel.state import Route
from netlab.objects.types import Address


def add_routes(cluster: Cluster, build: Build) -> None:
    """Add routes to the service ranges on nodes, and to load balancers and external IPs on nodes and outside hosts."""
    for node in build.nodes(cluster):
        place = names.node_namespace(cluster.name, node.name)
        for cidr in cluster.service_cidrs:
            own = address_of(node, cidr.version)
            if own is not None and cidr.version in cluster.families:
                build.add(place, Route(cidr, names.UNDERLAY_DEVICE, source=own))
    for address, via in balancer_routes(cluster):
        machines: tuple[Node | Host, ...] = (*build.nodes(cluster), *build.hosts(cluster))
        for machine in machines:
            own, next_hop = address_of(machine, address.version), address_of(via, address.version)
            if own is None or next_hop is None:
                continue
            # The node translates its own packets before it routes them, so it needs no next hop.
            hop = None if machine is via else next_hop
            route = Route(names.single(address), names.UNDERLAY_DEVICE, via=hop, source=own)
            build.add(names.endpoint_namespace(cluster.name, machine), route)


def balancer_routes(cluster: Cluster) -> list[tuple[Address, Node]]:
    """Return the addresses of load balancers and external IPs that no machine or pod has, each with its node."""
    routes = []
    for address in services_by_outer_address(cluster):
        node = balancer_node(cluster, address)
        if node is not None and address not in cluster.by_address:
            routes.append((address, node))
    return routes
