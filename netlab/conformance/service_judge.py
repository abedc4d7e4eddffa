"""Traces a packet to a Service through rulesets: that of the node that translates, then that of the endpoint's node.

``cluster.translate`` says which node translates and whether the wiring connects the ends. The rulesets decide which
endpoint the packet reaches, with which source address, and whether it passes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from netlab.cluster.flows import Flow
from netlab.cluster.node_sources import bridge_address, tunnel_address
from netlab.cluster.paths import node_of, path
from netlab.cluster.translate import Backend, Translated
from netlab.cluster.types import Cluster, Host, Node, Pod, address_of
from netlab.dataplane.names import UNDERLAY_DEVICE, mac_of, port_name
from netlab.objects.types import Address
from netlab.ruleset.service_hash import PROBE_DSCP, chosen
from netlab.testing.tracer import Link, Packet, Tracer
from netlab.verdicts import Certain

_PORTS = range(20_000, 60_000)
_SERVICES = frozenset({"services4", "services6"})


def translates(tracers: Mapping[str, Tracer], translated: Translated) -> bool:
    """Say whether rulesets translate the destination of a flow as a Service."""
    return translated.target.listed and any(one.tables.sets.keys() & _SERVICES for one in tracers.values())


def traced(
    cluster: Cluster, tracers: Mapping[str, Tracer], flow: Flow, to: Translated
) -> Iterator[tuple[str, Certain]]:
    """Yield the address of each endpoint, and the verdict on a packet with a source port that leads to it.

    Without an endpoint there is one packet. Its verdict is ``allow`` only if it reaches the node itself.
    """
    if flow.address is None or to.node is None:
        yield str(flow.address), "deny"
        return
    seen = path(cluster, flow.source, to.node, flow.family).seen_as or address_of(flow.source, flow.family)
    if seen is None:
        yield str(flow.address), "deny"
        return
    if not to.flows:
        found = tracers[to.node.name].verdict(_packet(cluster, flow, to.node, seen, 20_000))
        reached = flow.address in to.node.addresses or found.destination != flow.address
        yield str(flow.address), "allow" if found.verdict == "accept" and reached else "deny"
        return
    for index, way in enumerate(to.flows):
        port = next(one for one in _PORTS if chosen(seen, one, len(to.flows)) == index)
        passes = way.path.connected and _passes(cluster, tracers, flow, to.node, seen, port, way.backend)
        yield str(way.backend.address), "allow" if passes else "deny"


def _passes(
    cluster: Cluster, tracers: Mapping[str, Tracer], flow: Flow, node: Node, seen: Address, port: int, to: Backend
) -> bool:
    """Say whether a packet passes the source's node, the node that translates, and the endpoint's node."""
    source, end = flow.source, to.endpoint
    own = address_of(source, flow.family)
    if isinstance(source, Pod) and node_of(source) is None and source.node != node.name and own is not None:
        before = cluster.node(source.node)
        if tracers[before.name].verdict(_packet(cluster, flow, before, own, port)).verdict == "drop":
            return False
    found = tracers[node.name].verdict(_packet(cluster, flow, node, seen, port))
    if found.verdict == "drop" or (found.destination, found.port) != (to.address, to.port):
        return False
    if not isinstance(end, Pod) or node_of(end) is not None or end.node == node.name:
        return True
    new_source = _masquerade_address(node, end, flow.family) if found.masqueraded else seen
    if new_source is None:
        return False
    after = Packet(new_source, to.address, flow.protocol, to.port, source_port=port)
    return tracers[end.node].verdict(after).verdict == "accept"


def _masquerade_address(node: Node, pod: Pod, family: int) -> Address | None:
    """Return the address that a node masquerades with: over a tunnel its end of the tunnel, on one link its bridge."""
    if not pod.traits.transport.tunnel:
        return address_of(node, family)
    return (bridge_address if pod.traits.transport.one_link else tunnel_address)(node, pod.network, family)


def _packet(cluster: Cluster, flow: Flow, node: Node, seen: Address, port: int) -> Packet:
    """Return the packet as a node first sees it."""
    if flow.address is None:
        raise ValueError(f"{flow.target} has no address")
    source = flow.source
    home = None if isinstance(source, Host) else node_of(source)
    link: Link | None = None
    if isinstance(source, Pod) and home is None and source.node == node.name and source.traits.attachment.node_link:
        link = Link(
            port_name(source), mac_of(source.addresses[0]), "a bridge" if source.traits.attachment.bridged else ""
        )
    elif home != node.name:
        link = Link(UNDERLAY_DEVICE)
    dscp = {f"{'ip' if flow.family == 4 else 'ip6'} dscp": str(PROBE_DSCP)}
    return Packet(
        seen,
        flow.address,
        flow.protocol,
        flow.port,
        for_node=flow.address in node.addresses,
        from_node=home == node.name,
        came_by=link,
        fields=dscp,
        source_port=port,
        node_addresses=node.addresses,
    )
