"""What should exist for a cluster: every namespace of the lab with all that it holds.

A mode is an attachment and a transport (``netlab.modes``), and each of them is one module here: an attachment's has a
function ``attach``, a transport's a function ``join``, which returns the MTU that it leaves to the links of pods. What
all share (nodes, outside hosts, the underlay that joins them) is in this module.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from ipaddress import ip_interface

from netlab.cluster.published import published
from netlab.cluster.types import Cluster, Host, Network, Node, address_of
from netlab.dataplane import bridge, macvlan, names, routes, underlay, veth, vxlan
from netlab.dataplane.build import MTU, Build
from netlab.frozen import frozen_with_cache
from netlab.kernel.state import InterfaceAddress, Link, Namespace, Neighbour, Route, Sysctl
from netlab.modes import attachments, transports

Attach = Callable[[Cluster, Network, Build, int], None]
Join = Callable[[Cluster, Network, Build], int]

ATTACHMENTS: Mapping[str, Attach] = {
    attachments.BRIDGE.name: bridge.attach,
    attachments.VETH.name: veth.attach,
    attachments.MACVLAN.name: macvlan.attach,
}

TRANSPORTS: Mapping[str, Join] = {
    transports.NONE.name: lambda cluster, network, build: MTU,
    transports.VXLAN.name: vxlan.join,
    transports.ROUTES.name: routes.join,
    transports.UNDERLAY.name: underlay.join,
}

_UNDERLAY_BRIDGE = "underlay"


@frozen_with_cache
class Wanted:
    """Every namespace of a lab by name; ``ports`` tells the host-side interface of every pod that has one."""

    namespaces: Mapping[str, Namespace]
    ports: Mapping[str, tuple[str, str]] = field(default_factory=dict)


def wanted(cluster: Cluster) -> Wanted:
    """Return what should exist for the cluster, its rulesets aside; raises UsageError for names that cannot be."""
    names.check(cluster)
    build = Build(cluster.name, cluster.families)
    _underlay(cluster, build)
    for pod in cluster.pods:
        if not pod.host_network:
            build.endpoint(names.pod_namespace(cluster.name, pod))
    for network in cluster.networks:
        mtu = TRANSPORTS[network.traits.transport.name](cluster, network, build)
        ATTACHMENTS[network.traits.attachment.name](cluster, network, build, mtu)
    publishing = {one.pod.node for one in published(cluster)}
    for node in cluster.nodes:
        # What a node sends to a published port of its own 127.0.0.1 leaves by a link, and its answer comes in by it.
        local = Sysctl("ipv4/conf/all/route_localnet", str(int(node.name in publishing)))
        build.add(names.node_namespace(cluster.name, node.name), local)
    return Wanted(build.namespaces(), build.ports)


def _underlay(cluster: Cluster, build: Build) -> None:
    """One bridge that stands for the data centre's network, with a port for every node and outside host."""
    place = names.underlay_namespace(cluster.name)
    build.quiet(place, families=())
    build.add(place, Sysctl("bridge/bridge-nf-call-iptables", "0"), Sysctl("bridge/bridge-nf-call-ip6tables", "0"))
    build.add(
        place, Link(_UNDERLAY_BRIDGE, "bridge", mac=names.port_mac(place), options={"forward_delay": 0, "stp_state": 0})
    )
    for node in cluster.nodes:
        _join(cluster, build, place, node)
    for host in cluster.hosts:
        _join(cluster, build, place, host)


def _join(cluster: Cluster, build: Build, place: str, machine: Node | Host) -> None:
    """Give a machine its interface on the underlay, its addresses, and routes to every other machine."""
    name = names.endpoint_namespace(cluster.name, machine)
    if isinstance(machine, Node):
        build.router(name)
    else:
        build.machine(name, [address.version for address in machine.addresses])
    build.veth(
        place,
        Link(names.underlay_port_name(machine.ref), "veth", mac=names.port_mac(machine.ref), master=_UNDERLAY_BRIDGE),
        name,
        Link(names.UNDERLAY_DEVICE, "veth", mac=names.mac_of(machine.addresses[0])),
    )
    own = [*cluster.underlay_cidrs]
    for address in machine.addresses:
        prefix = next((p for p in own if p.version == address.version and address in p), None)
        length = prefix.prefixlen if prefix is not None else address.max_prefixlen
        build.add(name, InterfaceAddress(names.UNDERLAY_DEVICE, ip_interface(f"{address}/{length}")))
    for near in own:
        # A host with addresses of its own choosing still has the whole underlay on its link. The kernel keeps one route
        # to a destination, and that of an address in the underlay is its own.
        source = address_of(machine, near.version)
        if source is not None and not any(a.version == near.version and a in near for a in machine.addresses):
            build.add(name, Route(near, names.UNDERLAY_DEVICE, source=source))
    _know(cluster, build, machine)
    for host in cluster.hosts:
        if host is machine:
            continue
        for address in host.addresses:
            covered = any(p.version == address.version and address in p for p in own)
            family = any(a.version == address.version for a in machine.addresses)
            if family and not covered:
                build.add(name, Route(names.single(address), names.UNDERLAY_DEVICE))


def _know(cluster: Cluster, build: Build, machine: Node | Host) -> None:
    """Tell a machine the MACs of all others.

    A node asks for an IPv6 neighbour of what it forwards from its link-local address only (ndisc_send_ns,
    net/ipv6/ndisc.c), and it has none.
    """
    name = names.endpoint_namespace(cluster.name, machine)
    families = {address.version for address in machine.addresses}
    others: tuple[Node | Host, ...] = (*cluster.nodes, *cluster.hosts)
    for other in others:
        if other.ref != machine.ref:
            mac = names.mac_of(other.addresses[0])
            known = (a for a in other.addresses if a.version in families)
            build.add(name, *(Neighbour(names.UNDERLAY_DEVICE, address, mac) for address in known))
