"""One link for the pods of all nodes: each node's bridge has a VXLAN device as a port, as Weave Net's has.

The devices do not learn. A device has a forwarding entry for each pod and bridge of another node, so a frame to one of
them goes to one node. Broadcasts and neighbour discovery go to every node. Weave Net's own switch learns instead.
"""

from __future__ import annotations

from dataclasses import replace

from netlab.cluster.types import Cluster, Network
from netlab.dataplane import names
from netlab.dataplane.build import Build
from netlab.dataplane.routes import source_of
from netlab.dataplane.vxlan import device, outer
from netlab.kernel.state import EVERY_MAC, ForwardingEntry, Neighbour, Route


def join(cluster: Cluster, network: Network, build: Build) -> int:
    """Add a VXLAN device to the bridge of every node; return the MTU of a pod's link."""
    bridge, name = names.bridge_name(network), names.tunnel_name(cluster, network)
    pods = {node.name: [p for p in cluster.pods_on(node.name) if p.network == network.name] for node in cluster.nodes}
    mtu = build.mtu
    for node in build.nodes(cluster):
        place = names.node_namespace(cluster.name, node.name)
        link = device(cluster, network, node, build.mtu)
        mtu = link.mtu
        build.add(place, replace(link, mac=names.port_mac(f"{node.ref}:{name}"), master=bridge))
        for other in cluster.nodes:
            if other is node:
                continue
            to = outer(other)
            gateways = [names.gateway_of(prefix) for prefix in other.pod_cidrs[network.name]]
            build.add(place, ForwardingEntry(name, EVERY_MAC, to))
            for prefix in other.pod_cidrs[network.name]:
                # Without a choice the kernel takes the address of the bridge, whose prefix holds all pods.
                if (source := source_of(node, network, prefix.version)) is not None:
                    build.add(place, Route(prefix, bridge, source=source))
            for addresses in (gateways, *(pod.addresses for pod in pods[other.name])):
                mac = names.mac_of(addresses[0])
                build.add(place, ForwardingEntry(name, mac, to))
                build.add(place, *(Neighbour(bridge, address, mac) for address in addresses))
    return mtu
