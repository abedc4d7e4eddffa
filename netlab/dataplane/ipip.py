"""IPIP from node to node: one device for each node, as Calico's manifest makes it.

The device has no remote address. The next hop of a route is the outer destination: the other node's address on the
underlay (ip_tunnel_xmit, net/ipv4/ip_tunnel.c). Calico has the routes from BIRD, with the flag ``onlink``.
"""

from __future__ import annotations

from ipaddress import ip_interface

from netlab.cluster.types import Cluster, Network, address_of
from netlab.dataplane import names
from netlab.dataplane.build import Build
from netlab.dataplane.routes import source_of
from netlab.kernel.state import InterfaceAddress, Link, Route

HEADER = 20
"""The outer IPv4 header, in bytes."""


def join(cluster: Cluster, network: Network, build: Build) -> int:
    """Add an IPIP device to every node, with routes to all other nodes' pods; return the MTU of a pod's link."""
    name, mtu = names.tunnel_name(cluster, network), build.mtu - HEADER
    outside = names.outside_shares(cluster, network)
    for node in build.nodes(cluster):
        place = names.node_namespace(cluster.name, node.name)
        build.add(place, Link(name, "ipip", mtu=mtu, options={"local": str(address_of(node, 4))}))
        for prefix in node.pod_cidrs[network.name]:
            build.add(place, InterfaceAddress(name, ip_interface(names.single(names.tunnel_address(prefix)))))
        for other in cluster.nodes:
            if other is not node:
                to = (*other.pod_cidrs[network.name], *map(names.single, outside[other.name]))
                via = address_of(other, 4)
                source = source_of(node, network, 4)
                build.add(place, *(Route(prefix, name, via=via, source=source, onlink=True) for prefix in to))
    return mtu
