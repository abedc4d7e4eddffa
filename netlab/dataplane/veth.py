"""Pods with a veth to their node: no bridge, one route for each pod, as Calico makes it.

A pod's only neighbour is its gateway 169.254.1.1, an address that no machine has. Calico answers for it by proxy ARP,
netlab adds a permanent neighbour (Calico, "Frequently asked questions": why can't I see the 169.254.1.1 address).
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_interface

from netlab.cluster.types import Cluster, Network, Node, Pod, address_of
from netlab.dataplane import names
from netlab.dataplane.build import Build
from netlab.kernel.state import InterfaceAddress, Link, Neighbour, Route
from netlab.objects.types import Address

GATEWAYS: dict[int, Address] = {4: IPv4Address("169.254.1.1"), 6: IPv6Address("fe80::1")}


def attach(cluster: Cluster, network: Network, build: Build, mtu: int) -> None:
    """Add a link and a route for every pod of the network; ``mtu`` is the MTU of all these links."""
    for node in cluster.nodes:
        for pod in cluster.pods_on(node.name):
            if pod.network == network.name:
                _attach(cluster, node, pod, build, mtu)


def _attach(cluster: Cluster, node: Node, pod: Pod, build: Build, mtu: int) -> None:
    place = names.node_namespace(cluster.name, node.name)
    inside = names.pod_namespace(cluster.name, pod)
    port, port_mac, pod_mac = names.port_name(pod), names.port_mac(pod.ref), names.mac_of(pod.addresses[0])
    build.veth(
        place,
        Link(port, "veth", mac=port_mac, mtu=mtu),
        inside,
        Link(names.POD_DEVICE, "veth", mac=pod_mac, mtu=mtu),
    )
    for address in pod.addresses:
        gateway = GATEWAYS[address.version]
        build.add(
            inside,
            InterfaceAddress(names.POD_DEVICE, ip_interface(names.single(address))),
            Route(names.default_route(address.version), names.POD_DEVICE, via=gateway, onlink=True),
            Neighbour(names.POD_DEVICE, gateway, port_mac),
        )
        # The node sends to its pods from its own address, not from one that the kernel finds on another link.
        own = address_of(node, address.version)
        build.add(place, Route(names.single(address), port, source=own), Neighbour(port, address, pod_mac))
