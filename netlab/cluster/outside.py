"""Machines outside of the cluster that policies can tell apart: one address for each range of ipBlocks.

A cluster whose input has no outside host says nothing about what opens to the world. All addresses whose smallest
range of an ipBlock is the same are alike to every ipBlock, so one of them stands for all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from ipaddress import IPv4Network, IPv6Network, ip_address

from netlab.cluster.types import Cluster, Host
from netlab.cluster.unowned import special_purpose
from netlab.objects.types import Address, Prefix

_EVERYTHING: dict[int, Prefix] = {4: IPv4Network("0.0.0.0/0"), 6: IPv6Network("::/0")}
# Addresses that documents use as examples (RFC 5737, RFC 3849), before any others.
_EXAMPLES = {4: ("192.0.2.1", "198.51.100.1", "203.0.113.1"), 6: ("2001:db8::1",)}
# The most ranges of an IP family, and the most addresses that are tried in a range.
_MOST, _TRIED = 200, 1_000
# The most ports that the hosts are asked about.
_PORTS = 50


def outside_hosts(clusters: Sequence[Cluster]) -> tuple[Host, ...]:
    """Return a host for each range of addresses that ipBlocks of the clusters tell apart, and one for all others.

    A host is named after its range, as ``outside-10-0-0-0-8``. ``outside`` is in no ipBlock but that of all addresses.
    Ranges without an address outside of the clusters have no host.
    """
    found: list[Host] = []
    taken = {address for cluster in clusters for address in cluster.by_address}
    for family in sorted({family for cluster in clusters for family in cluster.families}):
        inside = [prefix for cluster in clusters for prefix in _inside(cluster, family)]
        blocks = sorted({one for cluster in clusters for one in _blocks(cluster) if one.version == family})[:_MOST]
        everything = _EVERYTHING[family]
        for block in dict.fromkeys((everything, *blocks)):
            smaller = [one for one in (*blocks, *inside) if one != block and one.subnet_of(block)]  # type: ignore[arg-type]
            if any(block.subnet_of(one) for one in inside):  # type: ignore[arg-type]
                continue
            address = next((one for one in _candidates(block, smaller) if one not in taken), None)
            if address is not None:
                found.append(Host(_name(block, everything), (address,)))
    return tuple(found)


def outside_ports(clusters: Sequence[Cluster]) -> tuple[tuple[str, int | None], ...]:
    """Return the ports that the hosts are asked about: 80, 443, and those of egress rules for addresses.

    A range of ports stands for its first one.
    """
    rules = (
        rule
        for cluster in clusters
        for policy in cluster.policies
        for rule in policy.rules("egress")
        if not rule.peers or any(peer.ip_block is not None for peer in rule.peers)
    )
    named = {(item.protocol, item.port) for rule in rules for item in rule.ports if isinstance(item.port, int)}
    return tuple(dict.fromkeys((("TCP", 80), ("TCP", 443), *sorted(named)[:_PORTS])))


def with_hosts(cluster: Cluster, hosts: Sequence[Host]) -> Cluster:
    """Return a cluster with further outside hosts, but for those whose names it has."""
    own = {host.name for host in cluster.hosts}
    every = (*cluster.hosts, *(host for host in hosts if host.name not in own))
    return replace(cluster, hosts=tuple(sorted(every, key=lambda host: host.name)))


def _name(block: Prefix, everything: Prefix) -> str:
    """Return the name of the host for a range: a DNS label, as labs need one."""
    of_block = "-".join(part for part in re.split("[.:/]+", str(block)) if part)
    return f"outside{'' if block == everything else f'-{of_block}'}{'-ipv6' if block.version == 6 else ''}"


def _candidates(block: Prefix, smaller: Sequence[Prefix]) -> Iterator[Address]:
    """Yield addresses of a block that are in no smaller range, and can be those of a machine."""
    left = _TRIED
    for address in (*map(ip_address, _EXAMPLES[block.version]), *_starts(block, smaller)):
        left -= 1
        if left < 0:
            return
        if address in block and not special_purpose(address) and not any(address in one for one in smaller):
            yield address


def _starts(block: Prefix, smaller: Iterable[Prefix]) -> Iterator[Address]:
    """Yield the first addresses of a block, and those after each smaller range."""
    ends = sorted({int(block.network_address), *(int(one.broadcast_address) + 1 for one in smaller)})
    last = int(block.broadcast_address)
    for end in ends:
        # The first address of a range names the network, and is no machine's in most of them.
        for at in (end + 1, end, end + 2):
            if at <= last:
                yield type(block.network_address)(at)


def _inside(cluster: Cluster, family: int) -> Iterator[Prefix]:
    """Yield the ranges of the cluster's own addresses."""
    ranges = [*cluster.underlay_cidrs, *cluster.service_cidrs, *cluster.load_balancer_cidrs]
    ranges += [prefix for network in cluster.networks for prefix in network.pod_cidrs]
    yield from (one for one in ranges if one.version == family)


def _blocks(cluster: Cluster) -> Iterator[Prefix]:
    """Yield the ranges of all ipBlocks."""
    for policy in cluster.policies:
        for rule in (*policy.ingress, *policy.egress):
            for peer in rule.peers:
                if peer.ip_block is not None:
                    yield peer.ip_block.cidr
                    yield from peer.ip_block.excepts
