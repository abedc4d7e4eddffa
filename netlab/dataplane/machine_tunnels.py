"""The tunnels between the underlays of the machines of one lab: one VXLAN device on each machine.

The device is a port of the underlay's bridge. Its packets leave by the machine's own network namespace. It does not
learn, and each MAC of another machine's node, outside host or pod on the underlay has a forwarding entry. A frame to an
unknown MAC is dropped. Machines of the underlay have permanent neighbours, so they send no broadcasts. Pods on the
underlay look for neighbours, so a lab with such pods sends a copy of a broadcast to every machine.
"""

from __future__ import annotations

from netlab.cluster.types import Cluster, Host, Node
from netlab.dataplane import names
from netlab.dataplane.build import Build
from netlab.dataplane.part import Part
from netlab.kernel.state import EVERY_MAC, ForwardingEntry, Link


def add(cluster: Cluster, part: Part, build: Build, bridge: str) -> None:
    """Add the device of a part with other machines to the bridge of its underlay."""
    place = names.underlay_namespace(cluster.name)
    options: dict[str, int | str] = {
        "id": part.number,
        "dstport": part.port,
        "learning": 0,
        "local" if part.address.version == 4 else "local6": str(part.address),
    }
    mac = names.port_mac(f"{place}:{names.TUNNEL}:{part.address}")
    build.add(place, Link(names.TUNNEL, "vxlan", mac, build.mtu, bridge, options=options, outer=True))
    stacked = [pod for pod in cluster.pods if pod.traits.attachment.on_underlay]
    machines: tuple[Node | Host, ...] = (*cluster.nodes, *cluster.hosts)
    floods = any(network.traits.attachment.on_underlay for network in cluster.networks)
    for peer in part.peers:
        there = [one for one in machines if one.ref in peer.ends]
        addresses = [one.addresses[0] for one in there]
        addresses += [pod.addresses[0] for pod in stacked if f"node:{pod.node}" in peer.ends]
        macs = [names.mac_of(address) for address in addresses]
        build.add(place, *(ForwardingEntry(names.TUNNEL, mac, peer.address) for mac in macs))
        if floods:
            build.add(place, ForwardingEntry(names.TUNNEL, EVERY_MAC, peer.address))
