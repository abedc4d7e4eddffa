"""Pods on a bridge: one for each node and network, as Docker's bridge driver and the CNI ``bridge`` plugin make it.

The bridge has the gateway's address. Each pod has a veth: one end is a port of the bridge, the other its ``eth0``.
"""

from __future__ import annotations

from ipaddress import ip_interface

from netlab.cluster.types import Cluster, Network
from netlab.dataplane import names
from netlab.dataplane.build import Build
from netlab.kernel.state import InterfaceAddress, Link, Neighbour, Route
from netlab.objects.types import Prefix


def attach(cluster: Cluster, network: Network, build: Build, mtu: int) -> None:
    """Add the network's bridge to every node and attach its pods; ``mtu`` is their MTU."""
    bridge = names.bridge_name(network)
    link_mtu, route_mtu = build.mtus(network, mtu)
    for node in build.nodes(cluster):
        place = names.node_namespace(cluster.name, node.name)
        gateways = [names.gateway_of(prefix) for prefix in node.pod_cidrs[network.name]]
        mac = names.mac_of(gateways[0])
        options = {"forward_delay": 0, "stp_state": 0, "mcast_snooping": 0}
        build.add(place, Link(bridge, "bridge", mac=mac, mtu=link_mtu, options=options))
        for gateway, prefix in zip(gateways, node.pod_cidrs[network.name], strict=True):
            build.add(place, InterfaceAddress(bridge, ip_interface(f"{gateway}/{_on_link(network, prefix).prefixlen}")))
        for pod in cluster.pods_on(node.name):
            if pod.network != network.name:
                continue
            inside = names.pod_namespace(cluster.name, pod)
            port, pod_mac = names.port_name(pod), names.mac_of(pod.addresses[0])
            # A pod's packet to its own published port, or to a Service, may come back by the same port of the bridge.
            asked = bool(cluster.services or network.traits.wiring.hairpin_mode)
            hairpin = (asked and cluster.policy.hairpin != "unwired") or any(p.host_port for p in pod.ports)
            build.veth(
                place,
                Link(port, "veth", mac=names.mac_of_port(pod), mtu=link_mtu, master=bridge, hairpin=hairpin),
                inside,
                Link(names.POD_DEVICE, "veth", mac=pod_mac, mtu=link_mtu),
            )
            for address in pod.addresses:
                gateway, prefix = next(
                    (g, p)
                    for g, p in zip(gateways, node.pod_cidrs[network.name], strict=True)
                    if g.version == address.version
                )
                # An address outside of its node's prefix reaches only the gateway on its link, and needs a route of its
                # own.
                near = _on_link(network, prefix)
                outside = address not in near
                alone = outside or network.traits.prefix_length == "single"
                default = names.default_route(address.version)
                length = address.max_prefixlen if alone else _length(network, prefix, near)
                build.add(
                    inside,
                    InterfaceAddress(names.POD_DEVICE, ip_interface(f"{address}/{length}")),
                    Route(default, names.POD_DEVICE, via=gateway, onlink=alone, mtu=route_mtu),
                    Neighbour(names.POD_DEVICE, gateway, mac),
                )
                build.add(place, Neighbour(bridge, address, pod_mac))
                if outside:
                    build.add(place, Route(names.single(address), bridge))


def _on_link(network: Network, prefix: Prefix) -> Prefix:
    """Return what is on the link of a node's bridge: the node's prefix, or the podCIDR where one link joins nodes."""
    if not network.traits.transport.one_link:
        return prefix
    return next(cidr for cidr in network.pod_cidrs if cidr.version == prefix.version)


def _length(network: Network, prefix: Prefix, near: Prefix) -> int:
    """Return the prefix length of a pod's address."""
    return near.prefixlen if network.traits.prefix_length == "network" else prefix.prefixlen
