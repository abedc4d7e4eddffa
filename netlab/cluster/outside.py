"""Outside hosts that ``diff --outside`` adds: one address for each range of ipBlocks.

An input without outside hosts does not say what opens to the world. If the smallest range of an ipBlock around two
addresses is the same, every ipBlock has both or neither. So one address stands for all of them.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import replace
from ipaddress import IPv4Network, IPv6Network, ip_address
from itertools import chain, islice

from netlab.cluster.types import Cluster, Host
from netlab.cluster.unowned import special_purpose
from netlab.objects.types import Address, Prefix

_EVERYTHING: dict[int, Prefix] = {4: IPv4Network("0.0.0.0/0"), 6: IPv6Network("::/0")}
# Addresses that documents use as examples (RFC 5737, RFC 3849), before any others.
_EXAMPLES = {4: ("192.0.2.1", "198.51.100.1", "203.0.113.1"), 6: ("2001:db8::1",)}
# The most ranges of an IP family that get a host, and the most addresses that are tried in a range.
MOST_RANGES, _TRIED = 2_000, 1_000
# The most ports of rules that the hosts are asked about.
MOST_PORTS = 200
_LINK_LOCAL = IPv4Network("169.254.0.0/16")


def outside_hosts(clusters: Sequence[Cluster]) -> tuple[Host, ...]:
    """Return an outside host for each range of an ipBlock of the clusters, and one for all other addresses.

    A host is named after its range, as ``outside-10-0-0-0-8``. The one for all other addresses is ``outside``. A range
    without an address outside of the clusters has no host. At most ``MOST_RANGES`` of an IP family have a host; ranges
    that not all clusters have come first.
    """
    found: list[Host] = []
    taken = {address for cluster in clusters for address in cluster.by_address}
    for family in sorted({family for cluster in clusters for family in cluster.families}):
        inside = [prefix for cluster in clusters for prefix in _inside(cluster, family)]
        everything = _EVERYTHING[family]
        blocks = {everything, *ranges(clusters, family)[:MOST_RANGES]}
        nested = sorted({*blocks, *inside}, key=_order)
        starts = [int(one.network_address) for one in nested]
        for block in sorted(blocks):
            if any(block.subnet_of(one) for one in inside):  # type: ignore[arg-type]
                continue
            at, end = bisect_left(nested, _order(block), key=_order), int(block.broadcast_address)
            smaller = nested[at + 1 : bisect_right(starts, end)]
            address = next((one for one in _candidates(block, smaller) if one not in taken), None)
            if address is not None:
                found.append(Host(_name(block, everything), (address,)))
    return tuple(found)


def outside_ports(clusters: Sequence[Cluster]) -> list[tuple[str, int | None]]:
    """Return the ports to ask outside hosts about: 80, 443, and those of egress rules for addresses.

    Those of rules that not all clusters have come first. A range of ports stands for its first one.
    """
    of = [set(_rules_for_addresses(cluster)) for cluster in clusters]
    known = set.intersection(*of)
    every = sorted(set().union(*of), key=lambda one: (one in known, one[1:]))
    return list(dict.fromkeys((("TCP", 80), ("TCP", 443), *((protocol, port) for _, protocol, port in every))))


def _rules_for_addresses(cluster: Cluster) -> Iterator[tuple[Hashable, str, int]]:
    """Yield each port by number of egress rules for addresses, with what tells the rule from others."""
    for policy in cluster.policies:
        for rule in policy.rules("egress"):
            if not rule.peers or any(peer.ip_block is not None for peer in rule.peers):
                of = (policy.meta.key, policy.pod_selector, rule.peers, rule.ports)
                yield from ((of, item.protocol, item.port) for item in rule.ports if isinstance(item.port, int))


def ranges(clusters: Sequence[Cluster], family: int) -> list[Prefix]:
    """Return the ranges of all ipBlocks in an IP family; those that not all clusters have come first."""
    of = [{one for one in _blocks(cluster) if one.version == family} for cluster in clusters]
    every = sorted(set().union(*of), key=_order)
    return sorted(every, key=lambda one: all(one in own for own in of))


def with_hosts(cluster: Cluster, hosts: Sequence[Host]) -> Cluster:
    """Return a cluster with more outside hosts after its own; a host whose name it has is left out."""
    own = {host.name for host in cluster.hosts}
    more = tuple(host for host in hosts if host.name not in own)
    return replace(cluster, hosts=(*cluster.hosts, *more)) if more else cluster


def _name(block: Prefix, everything: Prefix) -> str:
    """Return the name of the host for a range: a DNS label, as labs need one."""
    of_block = "-".join(part for part in re.split("[.:/]+", str(block)) if part)
    return f"outside{'' if block == everything else f'-{of_block}'}{'-ipv6' if block.version == 6 else ''}"


def _order(prefix: Prefix) -> tuple[int, int]:
    """Sort by the first address, outer ranges before those inside of them."""
    return int(prefix.network_address), prefix.prefixlen


def _candidates(block: Prefix, smaller: Sequence[Prefix]) -> Iterator[Address]:
    """Yield addresses of a block that are in no smaller range, and can be those of a machine."""
    gaps = list(_gaps(block, smaller))
    examples = (ip_address(one) for one in _EXAMPLES[block.version])
    found = [one for one in examples if any(first <= int(one) <= last for first, last in gaps)]
    for address in islice(chain(found, _first_of(block, gaps)), _TRIED):
        # Metadata services have link-local IPv4 addresses.
        if address in _LINK_LOCAL or not special_purpose(address):
            yield address


def _gaps(block: Prefix, smaller: Sequence[Prefix]) -> Iterator[tuple[int, int]]:
    """Yield the first and the last address of each part of a block that is in no smaller range; these are sorted."""
    begin = int(block.network_address)
    for one in smaller:
        if int(one.network_address) > begin:
            yield begin, int(one.network_address) - 1
        begin = max(begin, int(one.broadcast_address) + 1)
    if begin <= int(block.broadcast_address):
        yield begin, int(block.broadcast_address)


def _first_of(block: Prefix, gaps: Iterable[tuple[int, int]]) -> Iterator[Address]:
    """Yield the first addresses of parts of a block."""
    for first, last in gaps:
        # The first address of a range names the network, and is no machine's in most of them.
        for at in (first + 1, first, first + 2):
            if at <= last:
                yield type(block.network_address)(at)


def _inside(cluster: Cluster, family: int) -> Iterator[Prefix]:
    """Yield the ranges of the cluster's own addresses."""
    ranges = [*cluster.underlay_cidrs, *cluster.service_cidrs, *cluster.load_balancer_cidrs]
    ranges += [prefix for network in cluster.networks for prefix in network.pod_cidrs]
    yield from (one for one in ranges if one.version == family)


def _blocks(cluster: Cluster) -> Iterator[Prefix]:
    """Yield the ranges of all ipBlocks, and those of Cilium's policies."""
    for policy in cluster.policies:
        for rule in (*policy.ingress, *policy.egress):
            for peer in rule.peers:
                if peer.ip_block is not None:
                    yield peer.ip_block.cidr
                    yield from peer.ip_block.excepts
    for read in cluster.cilium_policies:
        for spec in read.specs:
            for peer_of in (one for of in (*spec.ingress, *spec.egress) for one in of.peers):
                if peer_of.block is not None:
                    yield peer_of.block.cidr
                    yield from peer_of.block.excepts
