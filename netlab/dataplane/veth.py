"""Pods with a veth to their node: no bridge, one route for each pod, as Calico makes it.

A pod's only neighbour is its gateway 169.254.1.1, an address that no machine has. Calico answers for it by proxy ARP,
netlab adds a permanent neighbour (Calico, "Frequently asked questions": why can't I see the 169.254.1.1 address).
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_interface

from netlab.cluster.types import Cluster, Network, Node, Pod, address_of
from netlab.dataplane import names
from netlab.dataplane.build import Build
from netlab.kernel.state import InterfaceAddress, Link, Neighbour, Route, Sysctl
from netlab.objects.types import Address
from netlab.ruleset.fragments.antispoof import link_local

GATEWAYS: dict[int, Address] = {4: IPv4Address("169.254.1.1"), 6: IPv6Address("fe80::1")}


def gateway_of(network: Network, family: int) -> Address:
    """Return the gateway of a network's pods. Where all links on nodes have one MAC, IPv6 has its link-local address.

    Calico's links have one MAC, and the gateway of IPv6 is the address that the kernel makes of it.
    """
    wiring = network.traits.wiring
    if family == 4:
        return IPv4Address(wiring.gateway) if wiring.gateway else GATEWAYS[4]
    return link_local(wiring.port_mac) if wiring.port_mac else GATEWAYS[6]


def attach(cluster: Cluster, network: Network, build: Build, mtu: int) -> None:
    """Add a link and a route for every pod of the network; ``mtu`` is their MTU."""
    for node in build.nodes(cluster):
        for pod in cluster.pods_on(node.name):
            if pod.network == network.name:
                _attach(cluster, network, node, pod, build, mtu)


def _attach(cluster: Cluster, network: Network, node: Node, pod: Pod, build: Build, mtu: int) -> None:
    place = names.node_namespace(cluster.name, node.name)
    inside = names.pod_namespace(cluster.name, pod)
    port, port_mac, pod_mac = names.port_name(pod), names.mac_of_port(pod), names.mac_of(pod.addresses[0])
    link_mtu, route_mtu = build.mtus(network, mtu)
    build.veth(
        place,
        Link(port, "veth", mac=port_mac, mtu=link_mtu),
        inside,
        Link(names.POD_DEVICE, "veth", mac=pod_mac, mtu=link_mtu),
    )
    asks = network.traits.wiring.proxy_arp or network.traits.wiring.default_route == "device"
    if asks and any(address.version == 4 for address in pod.addresses):
        _answer_for_all(build, place, port)
    for address in pod.addresses:
        gateway, default = gateway_of(network, address.version), names.default_route(address.version)
        build.add(
            inside,
            InterfaceAddress(names.POD_DEVICE, ip_interface(names.single(address))),
            Neighbour(names.POD_DEVICE, gateway, port_mac),
        )
        if address.version == 4 and network.traits.wiring.default_route == "device":
            _add_device_route(build, inside, gateway, route_mtu)
        else:
            build.add(inside, Route(default, names.POD_DEVICE, via=gateway, onlink=True, mtu=route_mtu))
        # The node sends to its pods from its own address, not from one that the kernel finds on another link.
        own = address_of(node, address.version)
        build.add(place, Route(names.single(address), port, source=own), Neighbour(port, address, pod_mac))


def _add_device_route(build: Build, inside: str, gateway: Address, mtu: int) -> None:
    """Add a default route without a next hop, as Romana has it: the pod asks by ARP for every address."""
    build.add(
        inside,
        Route(names.single(gateway), names.POD_DEVICE, mtu=mtu),
        Route(names.default_route(4), names.POD_DEVICE, mtu=mtu),
    )


def _answer_for_all(build: Build, place: str, port: str) -> None:
    """Let a node answer ARP on a pod's link for every address, by proxy ARP.

    The kernel answers after a random time, unless ``proxy_delay`` is 0 (arp_process, net/ipv4/arp.c).
    """
    build.add(place, Sysctl(f"ipv4/conf/{port}/proxy_arp", "1"), Sysctl(f"ipv4/neigh/{port}/proxy_delay", "0"))
