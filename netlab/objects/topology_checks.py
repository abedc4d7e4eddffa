"""Rules across the fields of a Topology: names that are unique, and ranges and addresses that do not overlap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from itertools import combinations

from netlab.objects.fields import Fields, duplicate, invalid
from netlab.objects.topology import TopologyHost, TopologyNetwork, TopologyNode
from netlab.objects.types import Address, Prefix

_NOT_FOR_PODS: tuple[IPv4Network | IPv6Network, ...] = (
    IPv4Network("127.0.0.0/8"),
    IPv4Network("224.0.0.0/3"),
    IPv6Network("::/127"),
    IPv6Network("fe80::/10"),
    IPv6Network("ff00::/8"),
)


@dataclass(slots=True)
class WrittenAddresses:
    """The valid podCIDRs and host addresses of a Topology, each with the name of its network or host, and its path."""

    pod_cidrs: list[tuple[str, str, Prefix]] = field(default_factory=list)
    hosts: list[tuple[str, str, Address]] = field(default_factory=list)


def fits_pods(cidr: Prefix) -> bool:
    """Say whether pods can have all addresses of a range: none is loopback, link-local, multicast or reserved."""
    return not any(_overlap(cidr, other) for other in _NOT_FOR_PODS)


def fits_hosts(address: Address) -> bool:
    """Say whether a machine outside the cluster can have an address."""
    # 169.254.0.0/16 is allowed: policies often block the metadata service of a cloud, 169.254.169.254.
    return not (
        address.is_multicast
        or address.is_loopback
        or address.is_unspecified
        or (address.is_reserved if address.version == 4 else address.is_link_local)
    )


def check_names(root: Fields, items: Sequence[TopologyNetwork | TopologyNode | TopologyHost]) -> None:
    """Report each item that has the name of an earlier one."""
    seen = set()
    for item in items:
        if item.name and item.name in seen:
            root.report.error(f"{item.path}.name", duplicate(item.name))
        seen.add(item.name)


def check_pod_cidrs(root: Fields, written: WrittenAddresses, underlay_cidrs: Sequence[Prefix]) -> None:
    """Report each podCIDR that overlaps one of another network, or a range of the underlay."""
    for (name, _, cidr), (other, path, later) in combinations(written.pod_cidrs, 2):
        if name != other and _overlap(cidr, later):
            root.report.error(path, invalid(str(later), f'overlaps podCIDR {cidr} of network "{name}"'))
    for _, path, cidr in written.pod_cidrs:
        for underlay in underlay_cidrs:
            if _overlap(cidr, underlay):
                root.report.error(path, invalid(str(cidr), f"overlaps underlay CIDR {underlay} (spec.underlayCIDRs)"))


def check_host_addresses(root: Fields, written: WrittenAddresses) -> None:
    """Report each host address that an earlier host has, or that is inside a podCIDR."""
    owners: dict[Address, str] = {}
    for host, path, address in written.hosts:
        if address in owners:
            root.report.error(path, f'{duplicate(str(address))}: host "{owners[address]}" has it')
        owners.setdefault(address, host)
        for network, _, cidr in written.pod_cidrs:
            if address.version == cidr.version and address in cidr:
                root.report.error(path, invalid(str(address), f'is inside podCIDR {cidr} of network "{network}"'))


def _overlap(one: Prefix, other: Prefix) -> bool:
    return one.version == other.version and one.overlaps(other)
