"""Rules across the fields of a Topology: names that are unique, and ranges and addresses that do not overlap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from ipaddress import IPv4Network, IPv6Network
from itertools import combinations

from netlab.frozen import mutable
from netlab.objects.addresses import parse_address
from netlab.objects.fields import Fields, duplicate, invalid
from netlab.objects.names import dns_subdomain
from netlab.objects.topology import TopologyHost, TopologyNetwork, TopologyNode
from netlab.objects.types import Address, Prefix

# The API server refuses --service-cluster-ip-range with more host bits. The tenth address is that of kube-dns.
MOST_SERVICE_BITS = 20
LEAST_SERVICE_BITS = 4

_NOT_FOR_PODS: tuple[IPv4Network | IPv6Network, ...] = (
    IPv4Network("127.0.0.0/8"),
    IPv4Network("224.0.0.0/3"),
    IPv6Network("::/127"),
    IPv6Network("fe80::/10"),
    IPv6Network("ff00::/8"),
)


@mutable
class WrittenAddresses:
    """The valid podCIDRs and host addresses of a Topology, each with the name of its network or host, and its path.

    ``virtual`` has the valid ranges of Services and load balancers, each with the name of its field and its path.
    ``hostnames`` has the DNS names of hosts, each with the name of its host and its path.
    """

    pod_cidrs: list[tuple[str, str, Prefix]] = field(default_factory=list)
    hosts: list[tuple[str, str, Address]] = field(default_factory=list)
    virtual: list[tuple[str, str, Prefix]] = field(default_factory=list)
    hostnames: list[tuple[str, str, str]] = field(default_factory=list)


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


def check_virtual_ranges(root: Fields, written: WrittenAddresses, underlay_cidrs: Sequence[Prefix]) -> None:
    """Report each range of Services or load balancers that overlaps another range, or holds a host's address."""
    error = root.report.error
    for number, (_, path, cidr) in enumerate(written.virtual):
        for network, _, pods in written.pod_cidrs:
            if _overlap(cidr, pods):
                error(path, invalid(str(cidr), f'overlaps podCIDR {pods} of network "{network}"'))
        for underlay in underlay_cidrs:
            if _overlap(cidr, underlay):
                error(path, invalid(str(cidr), f"overlaps underlay CIDR {underlay} (spec.underlayCIDRs)"))
        for name, _, other in written.virtual[:number]:
            if _overlap(cidr, other):
                error(path, invalid(str(cidr), f"overlaps {other} (spec.{name})"))
    for _, path, address in written.hosts:
        for name, _, cidr in written.virtual:
            if address.version == cidr.version and address in cidr:
                error(path, invalid(str(address), f"is inside {cidr} (spec.{name})"))


def check_service_size(root: Fields, path: str, cidr: Prefix) -> None:
    """Report a range of Services that is too large for the API server, or too small for kube-dns."""
    bits = cidr.max_prefixlen - cidr.prefixlen
    if not LEAST_SERVICE_BITS <= bits <= MOST_SERVICE_BITS:
        low, high = cidr.max_prefixlen - MOST_SERVICE_BITS, cidr.max_prefixlen - LEAST_SERVICE_BITS
        root.report.error(path, invalid(str(cidr), f"must be a range from /{low} to /{high}"))


def check_hostnames(root: Fields, written: WrittenAddresses, domain: str) -> None:
    """Report each hostname that is no DNS name, that an earlier host has, or that is in the cluster's domain."""
    owners: dict[str, str] = {}
    for host, path, name in written.hostnames:
        messages = list(dns_subdomain(name))
        if parse_address(name) is not None:
            messages = ["must be a DNS name, not an IP address"]
        elif f".{name}".endswith(f".{domain}"):
            messages.append(f"is in the cluster's domain, {domain}")
        for message in messages:
            root.report.error(path, invalid(name, message))
        if name in owners:
            root.report.error(path, f'{duplicate(name)}: host "{owners[name]}" has it')
        owners.setdefault(name, host)


def _overlap(one: Prefix, other: Prefix) -> bool:
    return one.version == other.version and one.overlaps(other)
