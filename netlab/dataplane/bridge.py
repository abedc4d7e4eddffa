"""Pods on a bridge: one per node and network, as Docker's bridge driver and the CNI ``bridge`` plugin wire it.

The bridge has the gateway's address; every pod hangs on it by a veth whose other end is its ``eth0``.
"""

from __future__ import annotations

from ipaddress import ip_interface

from netlab.cluster.types import Cluster, Network
from netlab.dataplane import names
from netlab.dataplane.build import Build
from netlab.kernel.state import InterfaceAddress, Link, Neighbour, Route


def attach(cluster: Cluster, network: Network, build: Build, mtu: int) -> None:
    """Want the network's bridge on every node, and every pod of it attached; ``mtu`` is that of all their links."""
    bridge = names.bridge_name(network)
    for node in cluster.nodes:
        place = names.node_namespace(cluster.name, node.name)
        gateways = [names.gateway_of(prefix) for prefix in node.pod_cidrs[network.name]]
        mac = names.mac_of(gateways[0])
        options = {"forward_delay": 0, "stp_state": 0, "mcast_snooping": 0}
        build.add(place, Link(bridge, "bridge", mac=mac, mtu=mtu, options=options))
        for gateway, prefix in zip(gateways, node.pod_cidrs[network.name], strict=True):
            build.add(place, InterfaceAddress(bridge, ip_interface(f"{gateway}/{prefix.prefixlen}")))
        for pod in cluster.pods_on(node.name):
            if pod.network != network.name:
                continue
            inside = names.pod_namespace(cluster.name, pod)
            port, pod_mac = names.port_name(pod), names.mac_of(pod.addresses[0])
            # What a pod sends to its own published port comes back to it by the same port of the bridge.
            hairpin = any(p.host_port for p in pod.ports)
            build.veth(
                place,
                Link(port, "veth", mac=names.port_mac(pod.ref), mtu=mtu, master=bridge, hairpin=hairpin),
                inside,
                Link(names.POD_DEVICE, "veth", mac=pod_mac, mtu=mtu),
            )
            for address in pod.addresses:
                gateway, prefix = next(
                    (g, p)
                    for g, p in zip(gateways, node.pod_cidrs[network.name], strict=True)
                    if g.version == address.version
                )
                # Of no node's prefix, it has nobody on its link but the gateway, and a route of its own leads to it.
                alone = not node.holds(network.name, address)
                default = names.default_route(address.version)
                length = address.max_prefixlen if alone else prefix.prefixlen
                build.add(
                    inside,
                    InterfaceAddress(names.POD_DEVICE, ip_interface(f"{address}/{length}")),
                    Route(default, names.POD_DEVICE, via=gateway, onlink=alone),
                    Neighbour(names.POD_DEVICE, gateway, mac),
                )
                build.add(place, Neighbour(bridge, address, pod_mac))
                if alone:
                    build.add(place, Route(names.single(address), bridge))
