"""Outside hosts that ``diff --outside`` adds: one address for each range of ipBlocks.

An input without outside hosts does not say what opens to the world. If the smallest range of an ipBlock around two
addresses is the same, every ipBlock has both or neither. So one address stands for all of them.
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


def outside_hosts(clusters: Sequence[Cluster]) -> tuple[Host, ...]:
    """Return an outside host for each range of an ipBlock of the clusters, and one for all other addresses.

    A host is named after its range, as ``outside-10-0-0-0-8``. The one for all other addresses is ``outside``. A range
    without an address outside of the clusters has no host.
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


def with_hosts(cluster: Cluster, hosts: Sequence[Host]) -> Cluster:
    """Return a cluster with more outside hosts after its own; a host whose name it has is left out."""
    own = {host.name for host in cluster.hosts}
    more = tuple(host for host in hosts if host.name not in own)
    return replace(cluster, hosts=(*cluster.hosts, *more)) if more else cluster


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
