"""Default ranges of Services and of load balancers.

A service range holds the addresses that Services write. Both ranges avoid all others. They depend on the objects only,
so the same objects give the same ranges, whatever a lab runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TYPE_CHECKING

from netlab.cluster.nodes import topology_problem
from netlab.cluster.ranges import around, clear, groups
from netlab.errors import Problem
from netlab.objects.topology import Topology
from netlab.objects.types import Address, Prefix

if TYPE_CHECKING:
    from netlab.objects.services import Service

_V4, _V6 = IPv4Network, IPv6Network
# Candidates in order; the first free one is used.
SERVICE_DEFAULTS: dict[int, tuple[Prefix, ...]] = {
    4: tuple(map(_V4, ("10.96.0.0/16", "10.97.0.0/16", "172.29.0.0/16", "192.168.0.0/16", "198.19.0.0/16"))),
    6: tuple(map(_V6, ("fd00:10:96::/112", "fd00:10:97::/112", "fdff:10:96::/112", "2001:db8:10:96::/112"))),
}
BALANCER_DEFAULTS: dict[int, tuple[Prefix, ...]] = {
    4: tuple(map(_V4, ("198.18.0.0/24", "198.19.255.0/24", "192.0.2.0/24", "203.0.113.0/24", "10.254.254.0/24"))),
    6: tuple(map(_V6, ("fd00:198:18::/112", "fd00:198:19::/112", "fdff:198:18::/112", "2001:db8:198:18::/112"))),
}
_LENGTH = {4: 16, 6: 112}


def written_ranges(topology: Topology, services: Iterable[Service]) -> list[Prefix]:
    """Return the ranges that other defaults avoid: written ones, and blocks around written addresses of Services."""
    written: list[Prefix] = []
    if "serviceCIDRs" not in topology.unwritten:
        written += topology.service_cidrs
    if "loadBalancerCIDRs" not in topology.unwritten:
        written += topology.load_balancer_cidrs
    # Blocks, as it takes long to compare thousands of single addresses.
    blocks = {(address.version, int(address) >> 16) for service in services for address in service.cluster_ips}
    return [*written, *((_V4 if version == 4 else _V6)((at << 16, _LENGTH[version])) for version, at in sorted(blocks))]


def with_service_ranges(
    topology: Topology, machines: Iterable[Address], services: Sequence[Service]
) -> tuple[Topology, list[Problem]]:
    """Return a Topology with the ranges of Services and load balancers, one for each family of the default network.

    All other defaults of ``topology`` are filled in. ``machines`` has the addresses of nodes. There is a problem if no
    default range is free.
    """
    families = [cidr.version for cidr in topology.networks[0].pod_cidrs]
    avoid = [cidr for network in topology.networks for cidr in network.pod_cidrs]
    avoid += topology.underlay_cidrs
    avoid += map(ip_network, (a for host in topology.hosts for a in host.addresses))
    avoid += map(ip_network, machines)
    problems: list[Problem] = []
    balancers = () if "loadBalancerCIDRs" in topology.unwritten else topology.load_balancer_cidrs
    ranges = _ordered(topology.service_cidrs, families)
    if "serviceCIDRs" in topology.unwritten:
        chosen = [_default_range(family, [*avoid, *balancers], services) for family in families]
        ranges = tuple(cidr for cidr in chosen if cidr is not None)
        if None in chosen and services:
            problems.append(topology_problem(topology, "spec.serviceCIDRs", "no default range is free: write one"))
    balancers = _ordered(topology.load_balancer_cidrs, families)
    if "loadBalancerCIDRs" in topology.unwritten:
        external = [ip_network(address) for service in services for address in service.external_ips]
        taken = [*avoid, *ranges, *external]
        chosen = [next((c for c in BALANCER_DEFAULTS[f] if clear(c, taken)), None) for f in families]
        balancers = tuple(cidr for cidr in chosen if cidr is not None)
        if None in chosen and any(service.type == "LoadBalancer" for service in services):
            problems.append(topology_problem(topology, "spec.loadBalancerCIDRs", "no default range is free: write one"))
    return replace(topology, service_cidrs=ranges, load_balancer_cidrs=balancers), problems


def keeps_range(cidrs: Iterable[Prefix], addresses: Iterable[Address]) -> bool:
    """Say whether the default ranges stay if Services write some of these addresses and others not."""
    usual = [cidr for cidr in cidrs if cidr == SERVICE_DEFAULTS[cidr.version][0]]
    return all(any(a.version == cidr.version and a in cidr for cidr in usual) for a in addresses)


def _ordered(cidrs: Iterable[Prefix], families: Sequence[int]) -> tuple[Prefix, ...]:
    by_family = {cidr.version: cidr for cidr in cidrs}
    return tuple(by_family[family] for family in families if family in by_family)


def _default_range(family: int, avoid: Sequence[Prefix], services: Iterable[Service]) -> Prefix | None:
    """Return a free service range of an IP family that holds the written addresses if it can; None if none is free."""
    defaults = SERVICE_DEFAULTS[family]
    written = [address for service in services for address in service.cluster_ips if address.version == family]
    if written and not (clear(defaults[0], avoid) and all(a in defaults[0] for a in written)):
        for group in groups(written, family):
            wanted = [ip_network(group[0]), ip_network(group[-1])]
            edges = {group[0], group[-1]}
            for candidate in around(wanted, _LENGTH[family], family):
                if candidate.num_addresses < 16 or {candidate.network_address, candidate.broadcast_address} & edges:
                    continue
                if clear(candidate, avoid):
                    return candidate
    return next((c for c in defaults if clear(c, avoid)), None)
