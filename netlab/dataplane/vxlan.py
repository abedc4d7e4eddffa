"""VXLAN from node to node: one device for each node and network, as flannel's vxlan backend makes it.

The device does not learn and does not flood. For each remote node it has a permanent neighbour, a forwarding entry and
an on-link route, so every frame goes to one node (flannel, pkg/backend/vxlan).
"""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_interface

from netlab.cluster.types import Cluster, Network, Node
from netlab.dataplane import names
from netlab.dataplane.build import Build
from netlab.dataplane.part import HEADERS
from netlab.dataplane.routes import source_of
from netlab.kernel.state import ForwardingEntry, InterfaceAddress, Link, Neighbour, Route
from netlab.objects.types import Address


def join(cluster: Cluster, network: Network, build: Build) -> int:
    """Add a VXLAN device to every node, with routes to all other nodes' pods; return the MTU of a pod's link."""
    name = names.tunnel_name(cluster, network)
    outside = names.outside_shares(cluster, network)
    mtu = build.mtu
    for node in build.nodes(cluster):
        place = names.node_namespace(cluster.name, node.name)
        link = device(cluster, network, node, build.mtu)
        mtu = link.mtu
        build.add(place, replace(link, mac=_mac(node, network)))
        for prefix in node.pod_cidrs[network.name]:
            build.add(place, InterfaceAddress(name, ip_interface(names.single(names.tunnel_address(prefix)))))
        for other in cluster.nodes:
            if other is node:
                continue
            mac = _mac(other, network)
            build.add(place, ForwardingEntry(name, mac, outer(other)))
            for prefix in other.pod_cidrs[network.name]:
                via = names.tunnel_address(prefix)
                source = source_of(node, network, prefix.version)
                build.add(place, Neighbour(name, via, mac), Route(prefix, name, via=via, source=source, onlink=True))
            for address in outside[other.name]:
                via = next(
                    names.tunnel_address(p) for p in other.pod_cidrs[network.name] if p.version == address.version
                )
                source = source_of(node, network, address.version)
                build.add(place, Route(names.single(address), name, via=via, source=source, onlink=True))
    return mtu


def device(cluster: Cluster, network: Network, node: Node, below: int) -> Link:
    """Return a node's VXLAN device of a network, without a MAC, on an underlay with the MTU ``below``."""
    own = outer(node)
    options: dict[str, int | str] = {
        "id": names.vni(cluster, network),
        "dstport": network.traits.tunnel_port,
        "learning": 0,
        "local" if own.version == 4 else "local6": str(own),
    }
    parent = (names.node_namespace(cluster.name, node.name), names.UNDERLAY_DEVICE)
    mtu = below - HEADERS[own.version]
    return Link(names.tunnel_name(cluster, network), "vxlan", mtu=mtu, parent=parent, options=options)


def outer(node: Node) -> Address:
    """Return the underlay address of a node's tunnels."""
    return node.addresses[0]


def _mac(node: Node, network: Network) -> str:
    return names.mac_of(names.tunnel_address(node.pod_cidrs[network.name][0]))
