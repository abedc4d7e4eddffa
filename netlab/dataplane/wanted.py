"""The wanted state of a cluster: every namespace of the lab with all its items.

A mode is an attachment and a transport (``netlab.modes``), and each has one module here. The module of an attachment
has a function ``attach``. The module of a transport has a function ``join``, which returns the MTU of the pods' links.
Nodes, outside hosts and the underlay are in this module, as all modes share them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ipaddress import ip_interface

from netlab.cluster.host_ports import published
from netlab.cluster.types import Cluster, Host, Network, Node, address_of
from netlab.dataplane import bridge, flat_vxlan, ipip, macvlan, names, routes, underlay, veth, vxlan
from netlab.dataplane.build import Build
from netlab.dataplane.part import Part
from netlab.errors import UsageError
from netlab.kernel.state import InterfaceAddress, Link, Namespace, Neighbour, Route, Sysctl
from netlab.modes import attachments, transports

Attach = Callable[[Cluster, Network, Build, int], None]
Join = Callable[[Cluster, Network, Build], int]


def _attach_nothing(cluster: Cluster, network: Network, build: Build, mtu: int) -> None:
    """Add nothing."""


ATTACHMENTS: Mapping[str, Attach] = {
    attachments.BRIDGE.name: bridge.attach,
    attachments.VETH.name: veth.attach,
    attachments.MACVLAN.name: macvlan.attach,
    # Plugins make the links (``lab/plugin_links.py``), and are no part of the wanted state.
    **dict.fromkeys((one.name for one in attachments.OF_PLUGINS), _attach_nothing),
}

TRANSPORTS: Mapping[str, Join] = {
    transports.NONE.name: lambda cluster, network, build: build.mtu,
    transports.VXLAN.name: vxlan.join,
    transports.IPIP.name: ipip.join,
    transports.FLAT_VXLAN.name: flat_vxlan.join,
    transports.ROUTES.name: routes.join,
    transports.UNDERLAY.name: underlay.join,
    transports.LINK.name: lambda cluster, network, build: build.mtu,
}

_UNDERLAY_BRIDGE = "underlay"


def wanted(cluster: Cluster, part: Part | None = None) -> dict[str, Namespace]:
    """Return the network namespaces of a lab by name, with all that they should hold but rulesets.

    With a ``part``, return those of one machine: its underlay, its nodes and outside hosts, and the pods of its nodes.

    Raises:
      UsageError: for a lab whose namespaces cannot have their names, and for a part that does not fit the lab.
    """
    names.check(cluster)
    if part is not None:
        check_part(cluster, part)
    build = Build(cluster.name, cluster.families, part)
    _add_underlay(cluster, build)
    for pod in build.pods(cluster):
        if not pod.host_network:
            build.endpoint(names.pod_namespace(cluster.name, pod))
    for network in cluster.networks:
        fitting = TRANSPORTS[network.traits.transport.name](cluster, network, build)
        routes.join_hosts(cluster, network, build)
        mtu = build.mtu_of_pods(network, fitting)
        ATTACHMENTS[network.traits.attachment.name](cluster, network, build, mtu)
    if cluster.services:
        from netlab.dataplane.services import add_routes

        add_routes(cluster, build)
    publishing = {one.pod.node for one in published(cluster)}
    for node in build.nodes(cluster):
        # A packet of a node to a published port of its 127.0.0.1 leaves by a link, and the answer comes back by it.
        local = Sysctl("ipv4/conf/all/route_localnet", str(int(node.name in publishing)))
        build.add(names.node_namespace(cluster.name, node.name), local)
    if cluster.links:
        from netlab.dataplane.queues import add_queues

        add_queues(cluster, build)
    found = build.namespaces()
    if cluster.stopped_nodes:
        from netlab.dataplane.stopped import cut_off

        found = cut_off(cluster, found)
    return found


def check_part(cluster: Cluster, part: Part) -> None:
    """Raise UsageError for a part that does not fit the cluster, or for what netlab does not join across machines."""
    part.check(cluster)
    wrong = [f"network {n.name!r}: plugins make its links" for n in cluster.networks if n.traits.attachment.by_plugins]
    # A queue tells packets by the port by which they came, and all other machines have one port.
    groups = (part.ends, *(peer.ends for peer in part.peers))
    apart = (
        link
        for link in cluster.links
        if len(link.ends) > 1 and not any(group.issuperset(link.ends) for group in groups)
    )
    wrong += [f"spec.links between two machines: {' and '.join(link.ends)}" for link in apart]
    if wrong:
        raise UsageError(*(f"a lab on several machines cannot have this: {one}" for one in wrong))


def _add_underlay(cluster: Cluster, build: Build) -> None:
    """Add a bridge that stands for the data centre's network, with a port for every node and outside host."""
    place = names.underlay_namespace(cluster.name)
    part = build.part
    # An encrypted tunnel between IPv6 addresses has its ends in this namespace.
    ends = part is not None and part.encrypted and part.peers and part.address.version == 6
    build.bare(place, families=(6,) if ends else ())
    build.add(place, Sysctl("bridge/bridge-nf-call-iptables", "0"), Sysctl("bridge/bridge-nf-call-ip6tables", "0"))
    build.add(
        place,
        Link(
            _UNDERLAY_BRIDGE,
            "bridge",
            mac=names.port_mac(place),
            mtu=build.mtu,
            options={"forward_delay": 0, "stp_state": 0},
        ),
    )
    machines: tuple[Node | Host, ...] = (*build.nodes(cluster), *build.hosts(cluster))
    for machine in machines:
        _add_machine(cluster, build, place, machine)
    if part is not None and part.peers:
        from netlab.dataplane import machine_tunnels

        machine_tunnels.add(cluster, part, build, _UNDERLAY_BRIDGE)


def _add_machine(cluster: Cluster, build: Build, place: str, machine: Node | Host) -> None:
    """Add a machine's interface on the underlay, its addresses, and routes to every other machine."""
    name = names.endpoint_namespace(cluster.name, machine)
    if isinstance(machine, Node):
        build.router(name, plugins=any(n.traits.attachment.by_plugins for n in cluster.networks))
    else:
        build.machine(name, [address.version for address in machine.addresses])
    build.veth(
        place,
        Link(
            names.underlay_port_name(machine.ref),
            "veth",
            mac=names.port_mac(machine.ref),
            mtu=build.mtu,
            master=_UNDERLAY_BRIDGE,
        ),
        name,
        Link(names.UNDERLAY_DEVICE, "veth", mac=names.mac_of(machine.addresses[0]), mtu=build.mtu),
    )
    own = [*cluster.underlay_cidrs]
    for address in machine.addresses:
        prefix = next((p for p in own if p.version == address.version and address in p), None)
        length = prefix.prefixlen if prefix is not None else address.max_prefixlen
        build.add(name, InterfaceAddress(names.UNDERLAY_DEVICE, ip_interface(f"{address}/{length}")))
    for near in own:
        # An address outside of the underlay's prefix gets a route to the prefix. An address inside gets it from the
        # kernel, which keeps one route to a destination.
        source = address_of(machine, near.version)
        if source is not None and not any(a.version == near.version and a in near for a in machine.addresses):
            build.add(name, Route(near, names.UNDERLAY_DEVICE, source=source))
    _add_neighbours(cluster, build, machine)
    for host in cluster.hosts:
        if host is machine:
            continue
        for address in host.addresses:
            covered = any(p.version == address.version and address in p for p in own)
            family = any(a.version == address.version for a in machine.addresses)
            if family and not covered:
                build.add(name, Route(names.single(address), names.UNDERLAY_DEVICE))


def _add_neighbours(cluster: Cluster, build: Build, machine: Node | Host) -> None:
    """Add permanent neighbours for all other machines.

    A node that forwards a packet looks for the IPv6 neighbour from its link-local address only (ndisc_send_ns,
    net/ipv6/ndisc.c), and it has no such address.
    """
    name = names.endpoint_namespace(cluster.name, machine)
    families = {address.version for address in machine.addresses}
    others: tuple[Node | Host, ...] = (*cluster.nodes, *cluster.hosts)
    for other in others:
        if other.ref != machine.ref:
            mac = names.mac_of(other.addresses[0])
            known = (a for a in other.addresses if a.version in families)
            build.add(name, *(Neighbour(names.UNDERLAY_DEVICE, address, mac) for address in known))
