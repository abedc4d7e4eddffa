"""Defaults of a Topology: the mode and podCIDRs of the first network, and the underlay's ranges.

They hold the addresses of exported pods and nodes, and avoid the ranges that the input states. They depend on the
objects only: the same objects give the same ranges, whatever a lab runs.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from ipaddress import IPv4Network, IPv6Network, ip_network

from netlab import modes
from netlab.cluster.node_cidrs import NodeByAddress, node_cidrs, reserved
from netlab.cluster.nodes import NodeDraft, topology_problem
from netlab.cluster.pods import PodDraft
from netlab.cluster.wiring_problems import without_misfits
from netlab.errors import Problem
from netlab.frozen import frozen
from netlab.objects.topology import Topology, TopologyNetwork
from netlab.objects.types import Address, Prefix

NETWORK_ANNOTATION = "netlab/network"

_V4, _V6 = IPv4Network, IPv6Network
# Candidates in order; the first free one is used. The later ones are ranges that clusters and clouds seldom use.
POD_DEFAULTS: dict[int, tuple[Prefix, ...]] = {
    4: tuple(map(_V4, ("10.244.0.0/16", "10.245.0.0/16", "172.30.0.0/16", "192.168.0.0/16", "198.19.0.0/16"))),
    6: tuple(map(_V6, ("fd00:10:244::/56", "fd00:10:245::/56", "fdff:10:244::/56", "2001:db8:10:200::/56"))),
}
UNDERLAY_DEFAULTS: dict[int, tuple[Prefix, ...]] = {
    4: tuple(map(_V4, ("100.64.0.0/16", "100.127.0.0/16", "172.31.0.0/16", "10.255.0.0/16", "198.18.0.0/16"))),
    6: tuple(map(_V6, ("fd00:100:64::/64", "fd00:100:127::/64", "fdff:100:64::/64", "2001:db8:100:64::/64"))),
}
# The usual prefix length of a range that is made around exported addresses, by IP family.
_PODS_LENGTH = {4: 16, 6: 56}
_UNDERLAY_LENGTH = {4: 24, 6: 64}
# The widest range that is made. Addresses that need a wider one are unrelated.
_WIDEST = {4: 8, 6: 32}


@frozen
class StatedAddresses:
    """The addresses that exported objects state: those of ``pods`` by network, with their nodes, and of ``nodes``.

    ``load`` has the number of pods by network and node.
    """

    pods: Mapping[str, NodeByAddress]
    load: Mapping[str, Counter[str]]
    nodes: frozenset[Address]

    def by_node(self, network: str) -> NodeByAddress:
        """Return the stated addresses of a network, and of nodes, each with the pod's node, "" for a node's address."""
        return {**self.pods.get(network, {}), **dict.fromkeys(self.nodes, "")}


def network_of(topology: Topology, draft: PodDraft) -> str:
    """Return the name of a pod's network, as annotated or the first one; "" for a host-network pod."""
    if draft.spec.host_network:
        return ""
    return draft.meta.annotations.get(NETWORK_ANNOTATION, topology.networks[0].name)


def stated_addresses(
    topology: Topology, nodes: Sequence[NodeDraft], drafts: Iterable[PodDraft], node_of: Mapping[str, str]
) -> StatedAddresses:
    """Return the addresses of exported pods and nodes, without those that no machine can have."""
    pods: dict[str, dict[Address, str]] = {}
    load: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for draft in drafts:
        if draft.ref in node_of and not draft.spec.host_network:
            load[network_of(topology, draft)][node_of[draft.ref]] += 1
        if draft.addresses and draft.ref in node_of and not draft.spec.host_network:
            of = pods.setdefault(network_of(topology, draft), {})
            for address in draft.addresses:
                if _usable(address):
                    of.setdefault(address, node_of[draft.ref])
    own = (node.first(family) for node in nodes for family in (4, 6))
    return StatedAddresses(pods, load, frozenset(a for a in own if a is not None and _usable(a)))


def with_defaults(
    topology: Topology, nodes: Sequence[NodeDraft], known: StatedAddresses, avoid: Sequence[Prefix] = ()
) -> tuple[Topology, list[Problem]]:
    """Return the Topology with the defaults of networks and underlay; and a problem for each that has no free range.

    A network whose choices of wiring do not fit is a problem too.

    ``avoid`` has the ranges of Services and load balancers that the input writes.
    """
    mode = modes.ONE_NODE if len(nodes) == 1 else modes.SEVERAL_NODES
    networks = [replace(n, mode=mode) if "mode" in n.unwritten else n for n in topology.networks]
    topology, problems = without_misfits(replace(topology, networks=tuple(networks)), len(nodes))
    networks = [*topology.networks]
    first = networks[0]
    if "podCIDRs" in first.unwritten:
        found = _pod_cidrs(topology, first, nodes, known, avoid)
        if not found:
            problems.append(topology_problem(topology, f"{first.path}.podCIDRs", "no default range is free: write one"))
        networks[0] = replace(first, pod_cidrs=found or first.pod_cidrs)
        topology = replace(topology, networks=tuple(networks))
    if "underlayCIDRs" in topology.unwritten:
        cidrs = [_underlay(topology, nodes, known, family, avoid) for family in (4, 6)]
        if None in cidrs:
            problems.append(topology_problem(topology, "spec.underlayCIDRs", "no default range is free: write one"))
        whole = tuple(c or UNDERLAY_DEFAULTS[family][0] for c, family in zip(cidrs, (4, 6), strict=True))
        topology = replace(topology, underlay_cidrs=whole)
    return topology, problems


def _pod_cidrs(
    topology: Topology,
    network: TopologyNetwork,
    nodes: Sequence[NodeDraft],
    known: StatedAddresses,
    also: Sequence[Prefix],
) -> tuple[Prefix, ...]:
    """Return the default podCIDRs of a network, one per IP family that pods or nodes have; none if no range is free."""
    pods = known.pods.get(network.name, {})
    written = [*also, *(cidr for other in topology.networks[1:] for cidr in other.pod_cidrs)]
    written += [] if "underlayCIDRs" in topology.unwritten else topology.underlay_cidrs
    written += map(_single, (a for host in topology.hosts for a in host.addresses))
    machines = [*map(_single, known.nodes)]
    cidrs = {cidr for node in nodes for cidr in node.pod_cidrs}
    load = known.load.get(network.name, Counter())
    transport = network.traits.transport
    families = {a.version for a in pods} | {cidr.version for cidr in cidrs}
    if network.profile:
        families |= {cidr.version for cidr in network.pod_cidrs}
    found: list[Prefix] = []
    for family in sorted(families.intersection(network.families) or network.families[:1]):
        addresses = {a: node for a, node in pods.items() if a.version == family}
        held = _ranges_in_use([c for c in cidrs if c.version == family], addresses)

        def fits(cidr: Prefix, own: NodeByAddress) -> bool:
            if not transport.single_routes and any(a in cidr and int(a) in reserved(cidr) for a in own):
                return False
            if not transport.node_ranges:
                return _roomy(cidr, load.total())
            parts = node_cidrs(cidr, nodes, own if transport.single_routes else {})
            return parts is not None and all(_roomy(part, load[node]) for node, part in parts.items())

        best = None
        for group in [*groups(addresses, family)] or [[]]:
            wanted = [*map(_single, group), *(c for c in held if len(group) == len(addresses))]
            candidates = [*around(wanted, _PODS_LENGTH[family], family)]
            # In some clouds pods have addresses of the nodes' network. Then the podCIDR may hold nodes' addresses.
            for avoid in (written + machines, written) if transport.single_routes else (written + machines,):
                own = {a: node for a, node in known.by_node(network.name).items() if a.version == family}
                best = best or next((c for c in candidates if clear(c, avoid) and fits(c, own)), None)
        usual = (*(c for c in network.pod_cidrs if c.version == family), *POD_DEFAULTS[family])
        best = best or next((c for c in usual if clear(c, written + machines)), None)
        found += [best] if best is not None else []
    return tuple(found)


def _roomy(cidr: Prefix, pods: int) -> bool:
    """Say whether a prefix has enough addresses for a number of pods: network, gateway, broadcast; at least 16."""
    return cidr.num_addresses >= max(16, pods + 3)


def _ranges_in_use(cidrs: Sequence[Prefix], addresses: NodeByAddress) -> list[Prefix]:
    """Return the nodes' podCIDRs, none if no pod has an address of them, as some CNIs do not use them."""
    used = not addresses or any(address in cidr for cidr in cidrs for address in addresses)
    return [*cidrs] if used else []


def _underlay(
    topology: Topology, nodes: Sequence[NodeDraft], known: StatedAddresses, family: int, also: Sequence[Prefix]
) -> Prefix | None:
    """Return the default underlay range of an IP family, None if no range is free."""
    networks = [(n, c) for n in topology.networks for c in n.pod_cidrs if c.version == family]
    pods = [*also, *(cidr for _, cidr in networks)]
    exported = {a for of in known.pods.values() for a in of}
    own = {a: "" for a in known.nodes if a.version == family and a not in exported} if networks else {}
    shared = [*also, *(cidr for network, cidr in networks if not network.traits.transport.single_routes)]

    def fits(cidr: Prefix) -> bool:
        if cidr.num_addresses < len(nodes) + len(topology.hosts) + 2:
            return False
        beside = [(n, c) for n, c in networks if c.overlaps(cidr)]
        return not {cidr.network_address, cidr.broadcast_address} & own.keys() and all(
            node_cidrs(c, nodes, {**known.pods.get(n.name, {}), **own}) is not None for n, c in beside
        )

    for group in groups(own, family):
        candidates = [*around([*map(_single, group)], _UNDERLAY_LENGTH[family], family)]
        for avoid in (pods, shared):
            best = next((c for c in candidates if clear(c, avoid) and fits(c)), None)
            if best is not None:
                return best
    hosts = [_single(a) for host in topology.hosts for a in host.addresses]
    avoid = [*pods, *hosts, *map(_single, known.nodes)]
    return next((c for c in UNDERLAY_DEFAULTS[family] if clear(c, avoid)), None)


def groups(addresses: Iterable[Address], family: int) -> Iterator[list[Address]]:
    """Yield all addresses, then those in the range that holds most of them, to be kept if not all can be."""
    everything = sorted(addresses)
    if not everything:
        return
    yield everything
    width = everything[0].max_prefixlen - _PODS_LENGTH[family]
    counts = Counter(int(a) >> width for a in everything)
    most = max(sorted(counts), key=counts.__getitem__)
    yield [a for a in everything if int(a) >> width == most]


def around(wanted: Sequence[Prefix], length: int, family: int) -> Iterator[Prefix]:
    """Yield prefixes that hold all wanted ones: first one of the usual length, then narrower, then wider ones."""
    if not wanted:
        return
    low = min(int(p.network_address) for p in wanted)
    high = max(int(p.broadcast_address) for p in wanted)
    first = wanted[0]
    narrowest = first.max_prefixlen - (low ^ high).bit_length()
    usual = min(length, narrowest)
    for size in (*range(usual, narrowest + 1), *range(usual - 1, _WIDEST[family] - 1, -1)):
        if size >= _WIDEST[family]:
            yield type(first)((low, size), strict=False)


def clear(cidr: Prefix, others: Iterable[Prefix]) -> bool:
    """Say whether a prefix overlaps none of the others."""
    return not any(cidr.version == other.version and cidr.overlaps(other) for other in others)


def _single(address: Address) -> Prefix:
    return ip_network(address)


def _usable(address: Address) -> bool:
    return not (address.is_loopback or address.is_multicast or address.is_unspecified or address.is_link_local)
