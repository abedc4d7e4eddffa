"""The tunnels between the underlays of the machines of one lab: one VXLAN device on each machine.

The device is a port of the underlay's bridge. Its packets leave by the machine's own network namespace. It does not
learn, and each MAC of another machine's node, outside host or pod on the underlay has a forwarding entry. A frame to an
unknown MAC is dropped. Machines of the underlay have permanent neighbours, so they send no broadcasts. Pods on the
underlay look for neighbours, so a lab with such pods sends a copy of a broadcast to every machine.

In an encrypted lab the packets of a WireGuard device leave by the machine's own network namespace, and the VXLAN device
is inside: its packets are routed in the underlay's namespace, which has routes to the other machines by the WireGuard
device only. The device has the machine's own address there, so both tunnels have the same ends. Keys are no part of the
wanted state (``machines/encryption.py``). A device without keys sends nothing.
"""

from __future__ import annotations

from ipaddress import ip_interface

from netlab.cluster.types import Cluster, Host, Node
from netlab.dataplane import names
from netlab.dataplane.build import Build
from netlab.dataplane.part import Part
from netlab.kernel.state import EVERY_MAC, ForwardingEntry, InterfaceAddress, Link, Route, Sysctl


def add(cluster: Cluster, part: Part, build: Build, bridge: str) -> None:
    """Add the device of a part with other machines to the bridge of its underlay."""
    place = names.underlay_namespace(cluster.name)
    options: dict[str, int | str] = {
        "id": part.number,
        "dstport": part.port,
        "learning": 0,
        "local" if part.address.version == 4 else "local6": str(part.address),
    }
    tunnel = names.ENCRYPTED_TUNNEL if part.encrypted else names.TUNNEL
    mac = names.port_mac(f"{place}:{names.TUNNEL}:{part.address}")
    build.add(place, Link(tunnel, "vxlan", mac, build.mtu, bridge, options=options, outer=not part.encrypted))
    if part.encrypted:
        _add_wireguard(place, part, build)
    stacked = [pod for pod in cluster.pods if pod.traits.attachment.on_underlay]
    machines: tuple[Node | Host, ...] = (*cluster.nodes, *cluster.hosts)
    floods = any(network.traits.attachment.on_underlay for network in cluster.networks)
    for peer in part.peers:
        there = [one for one in machines if one.ref in peer.ends]
        addresses = [one.addresses[0] for one in there]
        addresses += [pod.addresses[0] for pod in stacked if f"node:{pod.node}" in peer.ends]
        macs = [names.mac_of(address) for address in addresses]
        build.add(place, *(ForwardingEntry(tunnel, mac, peer.address) for mac in macs))
        if floods:
            build.add(place, ForwardingEntry(tunnel, EVERY_MAC, peer.address))


def _add_wireguard(place: str, part: Part, build: Build) -> None:
    """Add the WireGuard device with this machine's address, and a route by it to each other machine."""
    build.add(place, Link(names.WIREGUARD, "wireguard", mtu=part.wireguard_mtu, outer=True))
    build.add(place, InterfaceAddress(names.WIREGUARD, ip_interface(part.address)))
    build.add(place, *(Route(names.single(peer.address), names.WIREGUARD) for peer in part.peers))
    if part.address.version == 4:
        # A node may have the address of a machine. So the bridge must not answer for that of the device.
        build.add(place, Sysctl("ipv4/conf/all/arp_ignore", "1"), Sysctl("ipv4/ip_forward", "0"))
    else:
        # No address of its own on the bridge and its ports.
        build.add(place, Sysctl("ipv6/conf/default/addr_gen_mode", "1"), Sysctl("ipv6/conf/all/forwarding", "0"))
