"""Which prefixes every node has and which addresses every pod has. Pure: the same input always gives the same."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice

from netlab.cluster.nodes import NodeDraft, topology_problem
from netlab.cluster.pods import PodDraft
from netlab.cluster.types import Placement
from netlab.errors import Problem
from netlab.objects.types import Address, Prefix, Topology, TopologyNetwork

SHARE = {4: 24, 6: 64}
"""The prefix length that a node takes of a podCIDR where it fits, by IP family (the contract, section 1)."""


def node_prefixes(
    topology: Topology, nodes: Sequence[NodeDraft]
) -> tuple[dict[str, dict[str, tuple[Prefix, ...]]], list[Problem]]:
    """Return the prefixes of every node by network name, for each node's name.

    In bridge mode that is the whole podCIDR. Elsewhere a Node object's podCIDRs come first, and the other nodes take
    equal shares of what is left, in node order: a /24 (IPv6: /64), or the largest that fits.
    """
    problems = _bad_overrides(topology, nodes)
    prefixes: dict[str, dict[str, tuple[Prefix, ...]]] = {node.name: {} for node in nodes}
    for network in topology.networks:
        for cidr in network.pod_cidrs:
            shares = {n.name: cidr for n in nodes} if network.mode == "bridge" else _shares(cidr, nodes)
            if shares is None:
                message = f"{cidr} is too small for {len(nodes)} nodes"
                problems.append(topology_problem(topology, f"{network.path}.podCIDRs", message))
                continue
            for name, share in shares.items():
                prefixes[name][network.name] = (*prefixes[name].get(network.name, ()), share)
    return prefixes, problems


def _bad_overrides(topology: Topology, nodes: Sequence[NodeDraft]) -> list[Problem]:
    """Return the podCIDRs of Node objects that no network holds or that overlap; bridge networks ignore them."""
    if all(network.mode == "bridge" for network in topology.networks):
        return []
    held = [cidr for network in topology.networks for cidr in network.pod_cidrs]
    problems: list[Problem] = []
    before: list[tuple[str, Prefix]] = []
    for node in nodes:
        for i, cidr in enumerate(node.pod_cidrs):
            path = f"spec.podCIDRs[{i}]"
            if not any(_within(cidr, network) for network in held):
                problems.append(node.problem(path, f"{cidr} is in no podCIDR of the lab: {_listed(held)}"))
            problems += [
                node.problem(path, f"{cidr} overlaps {other} of node {name}")
                for name, other in before
                if cidr.overlaps(other)
            ]
            before.append((node.name, cidr))
    return problems


def _shares(cidr: Prefix, nodes: Sequence[NodeDraft]) -> dict[str, Prefix] | None:
    """Return every node's part of a podCIDR, None when there are more nodes than parts."""
    stated = {n.name: own for n in nodes for own in n.pod_cidrs if _within(own, cidr)}
    rest = [n.name for n in nodes if n.name not in stated]
    for length in range(max(SHARE[cidr.version], cidr.prefixlen), cidr.max_prefixlen + 1):
        shares = list(islice(_free(cidr, length, list(stated.values())), len(rest)))
        if len(shares) == len(rest):
            given = stated | dict(zip(rest, shares, strict=True))
            return {n.name: given[n.name] for n in nodes}
    return None


def _free(cidr: Prefix, length: int, used: Sequence[Prefix]) -> Iterator[Prefix]:
    """Yield the parts of a prefix that have a length and overlap none of the used prefixes, in order."""
    size = 1 << (cidr.max_prefixlen - length)
    at = int(cidr.network_address)
    while at <= int(cidr.broadcast_address):
        part = type(cidr)((at, length))
        hit = next((u for u in used if u.overlaps(part)), None)
        if hit is None:
            yield part
        # A used prefix may hold 2**64 parts: step over it at once.
        at = max(at + size, int(hit.broadcast_address) + 1 if hit else 0)


def pod_addresses(
    topology: Topology,
    pods: Sequence[tuple[PodDraft, TopologyNetwork]],
    nodes: Mapping[str, str],
    prefixes: Mapping[str, Mapping[str, tuple[Prefix, ...]]],
    keep: Mapping[str, Placement],
    others: Mapping[tuple[str, int], Collection[int]] | None = None,
) -> tuple[dict[str, tuple[Address, ...]], list[Problem]]:
    """Return every pod's addresses, one per IP family of its network; ``nodes`` has each pod's node.

    Addresses that an exported pod states come first, then those that ``keep`` has, then the lowest free one. A
    bridge network's nodes share one prefix, and so one pool: an address of a network names one pod. ``others`` has, by
    network and IP family, the addresses that pods have besides, as numbers.
    """
    found: dict[str, dict[int, Address]] = {pod.ref: {} for pod, _ in pods}
    pools: dict[tuple[str, Prefix], _Pool] = {}
    problems: list[Problem] = []

    def pools_of(pod: PodDraft, network: TopologyNetwork) -> list[_Pool]:
        parts = prefixes[nodes[pod.ref]].get(network.name, ())
        for part in parts:
            if (network.name, part) not in pools:
                pools[network.name, part] = _Pool(network, part, (others or {}).get((network.name, part.version), ()))
        return [pools[network.name, part] for part in parts]

    for pod, network in pods:
        for pool in pools_of(pod, network):
            address = pool.first_held(pod.addresses)
            if address is None:
                continue
            if address in pool.taken:
                path = "status.podIPs"
                problems.append(pod.problem(path, f"{address} is also that of pod {pool.taken[address]}"))
            else:
                found[pod.ref][pool.family] = pool.take(address, pod.ref)

    for pod, network in pods:
        before = keep.get(pod.ref)
        if before is None or before.node != nodes[pod.ref]:
            continue
        for pool in pools_of(pod, network):
            address = pool.first_held(before.addresses)
            if pool.family not in found[pod.ref] and address is not None and address not in pool.taken:
                found[pod.ref][pool.family] = pool.take(address, pod.ref)

    for pod, network in pods:
        for pool in pools_of(pod, network):
            if pool.family in found[pod.ref]:
                continue
            drawn = pool.draw(pod.ref)
            if drawn is not None:
                found[pod.ref][pool.family] = drawn

    for pool in pools.values():
        if pool.unserved:
            message = f"{pool.prefix} has no address left for {pool.unserved} of {len(pool.taken) + pool.unserved} pods"
            problems.append(topology_problem(topology, f"{pool.network.path}.podCIDRs", message))
    return {ref: tuple(a for _, a in sorted(of.items())) for ref, of in found.items()}, problems


class _Pool:
    """The addresses of one prefix, less its first (the network), second (the gateway) and last (the broadcast)."""

    def __init__(self, network: TopologyNetwork, prefix: Prefix, others: Collection[int]) -> None:
        self.network = network
        self.prefix = prefix
        self.family = prefix.version
        self.taken: dict[Address, str] = {}
        self.unserved = 0
        self._first = int(prefix.network_address) + 2
        self._last = int(prefix.broadcast_address) - 1
        self._next = self._first
        # Numbers, as the hash of an address costs ten times theirs.
        self._numbers = set(others)

    def first_held(self, addresses: Iterable[Address]) -> Address | None:
        """Return the first of the addresses that a pod may have from here, taken or not."""
        return next((a for a in addresses if a.version == self.family and self._first <= int(a) <= self._last), None)

    def take(self, address: Address, owner: str) -> Address:
        self.taken[address] = owner
        self._numbers.add(int(address))
        return address

    def draw(self, owner: str) -> Address | None:
        """Take the lowest free address; count the pod as unserved when there is none."""
        kind = type(self.prefix.network_address)
        while self._next <= self._last:
            number = self._next
            self._next += 1
            if number not in self._numbers:
                return self.take(kind(number), owner)
        self.unserved += 1
        return None


def _within(inner: Prefix, outer: Prefix) -> bool:
    return inner.version == outer.version and inner.prefixlen >= outer.prefixlen and inner.network_address in outer


def _listed(cidrs: Iterable[Prefix]) -> str:
    return ", ".join(map(str, cidrs))
