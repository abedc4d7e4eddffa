"""VXLAN from node to node: one device for each node and network, as flannel's vxlan backend makes it.

The device does not learn and does not flood. For each remote node it has a permanent neighbour, a forwarding entry and
an on-link route, so every frame goes to one node (flannel, pkg/backend/vxlan).
"""

from __future__ import annotations

from ipaddress import ip_interface

from netlab.cluster.types import Cluster, Network, Node
from netlab.dataplane import names
from netlab.dataplane.build import MTU, Build
from netlab.dataplane.routes import source_of
from netlab.kernel.state import ForwardingEntry, InterfaceAddress, Link, Neighbour, Route
from netlab.objects.types import Address, Prefix
from netlab.ruleset.fragments.tunnels import DSTPORT

# Outer Ethernet, IP, UDP and VXLAN headers, by the IP family that carries them.
HEADERS = {4: 14 + 20 + 8 + 8, 6: 14 + 40 + 8 + 8}


def vni(cluster: Cluster, network: Network) -> int:
    """Return the VXLAN network identifier of a network; the first has 1, as in flannel."""
    return 1 + cluster.networks.index(network)


def device(cluster: Cluster, network: Network) -> str:
    """Return the name of a network's VXLAN device on every node."""
    return f"vxlan.{vni(cluster, network)}"


def join(cluster: Cluster, network: Network, build: Build) -> int:
    """Add a VXLAN device to every node, with routes to all other nodes' pods; return the MTU of a pod's link."""
    name = device(cluster, network)
    outside = names.outside_shares(cluster, network)
    mtu = MTU
    for node in cluster.nodes:
        place = names.node_namespace(cluster.name, node.name)
        outer = _outer(node)
        options: dict[str, int | str] = {"id": vni(cluster, network), "dstport": DSTPORT, "learning": 0}
        options["local" if outer.version == 4 else "local6"] = str(outer)
        below = (place, names.UNDERLAY_DEVICE)
        mtu = MTU - HEADERS[outer.version]
        build.add(place, Link(name, "vxlan", _mac(node, network), mtu, parent=below, options=options))
        for prefix in node.pod_cidrs[network.name]:
            build.add(place, InterfaceAddress(name, ip_interface(names.single(_endpoint(prefix)))))
        for other in cluster.nodes:
            if other is node:
                continue
            mac = _mac(other, network)
            build.add(place, ForwardingEntry(name, mac, _outer(other)))
            for prefix in other.pod_cidrs[network.name]:
                via = _endpoint(prefix)
                source = source_of(node, network, prefix.version)
                build.add(place, Neighbour(name, via, mac), Route(prefix, name, via=via, source=source, onlink=True))
            for address in outside[other.name]:
                via = next(_endpoint(p) for p in other.pod_cidrs[network.name] if p.version == address.version)
                source = source_of(node, network, address.version)
                build.add(place, Route(names.single(address), name, via=via, source=source, onlink=True))
    return mtu


def _outer(node: Node) -> Address:
    """Return the underlay address of a node's tunnels."""
    return node.addresses[0]


def _endpoint(prefix: Prefix) -> Address:
    """Return the address of a node's VXLAN device: the first of its pods' prefix. No pod has it."""
    return prefix[0]


def _mac(node: Node, network: Network) -> str:
    return names.mac_of(_endpoint(node.pod_cidrs[network.name][0]))
