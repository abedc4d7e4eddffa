"""The pod prefixes of every node, and the addresses of every pod. The same input always gives the same result."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Mapping, Sequence

from netlab.cluster.node_cidrs import NodeByAddress, node_cidrs, reserved, within
from netlab.cluster.nodes import NodeDraft, topology_problem
from netlab.cluster.pods import PodDraft
from netlab.cluster.types import Placement
from netlab.errors import Problem
from netlab.objects.topology import Topology, TopologyNetwork
from netlab.objects.types import Address, Prefix

Prefixes = Mapping[str, Mapping[str, tuple[Prefix, ...]]]
"""Prefixes by node name, then by network name."""


def node_prefixes(
    topology: Topology,
    nodes: Sequence[NodeDraft],
    pods: Mapping[str, NodeByAddress],
    machines: Collection[Address] = (),
) -> tuple[dict[str, dict[str, tuple[Prefix, ...]]], list[Problem]]:
    """Return the prefixes of every node (see ``Prefixes``), and the problems.

    ``pods`` has, by network, the addresses that exported pods state. ``machines`` are the addresses of nodes. If the
    network's transport has no ranges of nodes, a prefix is the whole podCIDR, else a part of it. A part holds no
    address of a machine, and if there are enough parts, no address of a pod on another node.
    """
    problems = _bad_overrides(topology, nodes)
    prefixes: dict[str, dict[str, tuple[Prefix, ...]]] = {node.name: {} for node in nodes}
    own = dict.fromkeys(machines, "")
    for network in topology.networks:
        stated = {**pods.get(network.name, {}), **own}
        for cidr in network.pod_cidrs:
            if not network.traits.transport.node_ranges:
                given: dict[str, Prefix] | None = {n.name: cidr for n in nodes}
            else:
                around = stated if network.traits.transport.single_routes else own
                given = node_cidrs(cidr, nodes, around) or node_cidrs(cidr, nodes, own)
            if given is None:
                message = f"{cidr} is too small for {len(nodes)} nodes"
                problems.append(topology_problem(topology, f"{network.path}.podCIDRs", message))
                continue
            for name, share in given.items():
                prefixes[name][network.name] = (*prefixes[name].get(network.name, ()), share)
    return prefixes, problems


def _bad_overrides(topology: Topology, nodes: Sequence[NodeDraft]) -> list[Problem]:
    """Report the podCIDRs of Node objects that no network holds or that overlap, if any network has ranges of nodes.

    If the Topology has no podCIDRs, they follow the pods, and the podCIDRs of nodes may be elsewhere.
    """
    if not any(network.traits.transport.node_ranges for network in topology.networks):
        return []
    follows = any("podCIDRs" in network.unwritten for network in topology.networks)
    held = [cidr for network in topology.networks for cidr in network.pod_cidrs]
    problems: list[Problem] = []
    before: list[tuple[str, Prefix]] = []
    for node in nodes:
        for i, cidr in enumerate(node.pod_cidrs):
            path = f"spec.podCIDRs[{i}]"
            if not follows and not any(within(cidr, network) for network in held):
                problems.append(node.problem(path, f"{cidr} is in no podCIDR of the lab: {_listed(held)}"))
            problems += [
                node.problem(path, f"{cidr} overlaps {other} of node {name}")
                for name, other in before
                if cidr.overlaps(other)
            ]
            before.append((node.name, cidr))
    return problems


def pod_addresses(
    topology: Topology,
    pods: Sequence[tuple[PodDraft, TopologyNetwork]],
    nodes: Mapping[str, str],
    prefixes: Prefixes,
    keep: Mapping[str, Placement],
    machines: Collection[Address] = (),
    others: Mapping[tuple[str, int], Collection[int]] | None = None,
) -> tuple[dict[str, tuple[Address, ...]], list[Problem]]:
    """Return every pod's addresses, one per IP family of its network, and the problems.

    A pod gets the address that its exported status states, else the one in ``keep``, else the lowest free one of its
    node's prefix. No two pods of a network have the same address, and none has an address of ``machines``. ``nodes``
    has each pod's node. ``others`` has the addresses of further pods as numbers, by network and IP family.
    """
    found: dict[str, dict[int, Address]] = {pod.ref: {} for pod, _ in pods}
    problems: list[Problem] = []
    networks = {network.name: network for _, network in pods}
    by_network = {name: _NetworkAddresses(n, prefixes, machines, others or {}) for name, n in networks.items()}

    for pod, network in pods:
        of = by_network[network.name]
        for address in pod.addresses:
            if address.version in found[pod.ref] or not of.may_have(nodes[pod.ref], address):
                continue
            owner = of.owners.get(address)
            if owner is not None:
                problems.append(pod.problem("status.podIPs", f"pod {owner} has {address} as well"))
            else:
                found[pod.ref][address.version] = of.take(address, pod.ref)

    for pod, network in pods:
        before = keep.get(pod.ref)
        if before is None or before.node != nodes[pod.ref]:
            continue
        of = by_network[network.name]
        for address in before.addresses:
            if address.version not in found[pod.ref] and of.may_have(before.node, address) and not of.taken(address):
                found[pod.ref][address.version] = of.take(address, pod.ref)

    for pod, network in pods:
        for pool in by_network[network.name].pools(nodes[pod.ref]):
            if pool.family in found[pod.ref]:
                pool.served += 1
                continue
            drawn = pool.draw()
            if drawn is not None:
                found[pod.ref][pool.family] = by_network[network.name].take(drawn, pod.ref)

    for of in by_network.values():
        for pool in of.used_pools():
            if pool.unserved:
                message = f"{pool.prefix} has no address left for {pool.unserved} of {pool.served + pool.unserved} pods"
                problems.append(topology_problem(topology, f"{of.network.path}.podCIDRs", message))
    return {ref: tuple(a for _, a in sorted(of.items())) for ref, of in found.items()}, problems


class _NetworkAddresses:
    """The addresses of one network: which ones a pod of a node may have, and which ones are taken."""

    def __init__(
        self,
        network: TopologyNetwork,
        prefixes: Prefixes,
        machines: Collection[Address],
        others: Mapping[tuple[str, int], Collection[int]],
    ) -> None:
        self.network = network
        self.owners: dict[Address, str] = {}
        self._prefixes = prefixes
        self._machines = frozenset(machines)
        # Addresses as numbers: the hash of an IPv4Address takes ten times as long as that of an int.
        self._numbers = {family: {*others.get((network.name, family), ())} for family in (4, 6)}
        self._pools: dict[Prefix, _Pool] = {}
        parts = {part for of in prefixes.values() for part in of.get(network.name, ())}
        self._parts = {f: sorted((int(p.network_address), p) for p in parts if p.version == f) for f in (4, 6)}

    def may_have(self, node: str, address: Address) -> bool:
        """Say whether a pod of a node may have an address; the address may be taken.

        If the transport has routes to single pods, the address is in the node's prefix, or in no node's prefix. Else
        it is any address of the podCIDR. Reserved addresses are excluded.
        """
        cidr = next((c for c in self.network.pod_cidrs if address.version == c.version and address in c), None)
        if cidr is None or address in self._machines:
            return False
        own = next((p for p in self._prefixes[node].get(self.network.name, ()) if p.version == cidr.version), None)
        if own is None or not self.network.traits.transport.single_routes:
            return own is not None and int(address) not in reserved(cidr)
        if address in own:
            return int(address) not in reserved(own)
        parts = self._parts[cidr.version]
        index = bisect_right(parts, int(address), key=lambda part: part[0]) - 1
        return not (index >= 0 and address in parts[index][1])

    def pools(self, node: str) -> list[_Pool]:
        """Return the pools of new addresses for a node's pods, one for each IP family."""
        parts = self._prefixes[node].get(self.network.name, ())
        for part in parts:
            if part not in self._pools:
                self._pools[part] = _Pool(part, self._numbers[part.version])
        return [self._pools[part] for part in parts]

    def used_pools(self) -> Iterable[_Pool]:
        return self._pools.values()

    def taken(self, address: Address) -> bool:
        return int(address) in self._numbers[address.version]

    def take(self, address: Address, owner: str) -> Address:
        self.owners[address] = owner
        self._numbers[address.version].add(int(address))
        return address


class _Pool:
    """The free addresses of one prefix, without its network, gateway and broadcast address."""

    def __init__(self, prefix: Prefix, taken: Collection[int]) -> None:
        self.prefix = prefix
        self.family = prefix.version
        self.served = 0
        self.unserved = 0
        self._last = int(prefix.broadcast_address) - 1
        self._next = int(prefix.network_address) + 2
        self._taken = taken

    def draw(self) -> Address | None:
        """Return the lowest free address; if there is none, return None and count one pod as unserved."""
        kind = type(self.prefix.network_address)
        while self._next <= self._last:
            number = self._next
            self._next += 1
            if number not in self._taken:
                self.served += 1
                return kind(number)
        self.unserved += 1
        return None


def _listed(cidrs: Iterable[Prefix]) -> str:
    return ", ".join(map(str, cidrs))
