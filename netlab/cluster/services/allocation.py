"""What the API server allocates for Services: cluster addresses, node ports, and the addresses of load balancers.

The same Services and ``keep`` always give the same allocation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from netlab.errors import Problem
from netlab.objects.services import LoadBalancerIngress, Service
from netlab.objects.topology import Topology
from netlab.objects.types import Address, Prefix, Protocol

# The place of system Services in the service range. No other Service gets these addresses.
RESERVED = {"default/kubernetes": 1, "kube-system/kube-dns": 10}


def allocate(
    services: Iterable[Service], topology: Topology, keep: Mapping[str, Service]
) -> tuple[tuple[Service, ...], list[Problem]]:
    """Return the Services by namespace and name, with addresses and node ports; and the problems.

    ``topology`` has its defaults filled in. ``keep`` has the Services of a running lab by ``NAMESPACE/NAME``: each
    keeps what it has if the written fields still allow it.
    """
    services = sorted(services, key=lambda one: (one.meta.namespace, one.meta.name))
    families: list[int] = [cidr.version for cidr in topology.networks[0].pod_cidrs]
    ranges = {cidr.version: cidr for cidr in topology.service_cidrs}
    balancers = {cidr.version: cidr for cidr in topology.load_balancer_cidrs}
    taken = {address for one in services for address in one.cluster_ips}
    node_ports = {(port.protocol, port.node_port) for one in services for port in one.ports}
    found = []
    for one in services:
        if one.type == "ExternalName" or one.headless:
            found.append(one)
            continue
        own = families if one.ip_family_policy in ("PreferDualStack", "RequireDualStack") else families[:1]
        own = [*one.ip_families] or own
        place = RESERVED.get(one.meta.key)
        fixed = tuple(ranges[family][place] for family in own if family in ranges) if place else ()
        if any(address in taken for address in fixed):
            fixed = ()
        addresses = (
            one.cluster_ips or fixed or tuple(_free(ranges[family], taken, 10) for family in own if family in ranges)
        )
        ports = one.ports
        if one.type in ("NodePort", "LoadBalancer"):
            ports = tuple(
                port if port.node_port else replace(port, node_port=_free_port(topology, port.protocol, node_ports))
                for port in ports
            )
        status = one.load_balancer
        if one.type == "LoadBalancer" and not status:
            status = tuple(LoadBalancerIngress(_free(balancers[a.version], taken, 0)) for a in addresses)
        found.append(
            replace(
                one,
                cluster_ips=addresses,
                ip_families=tuple(a.version for a in addresses),
                ports=ports,
                load_balancer=status,
            )
        )
    return tuple(found), []


def _free(cidr: Prefix, taken: set[Address], reserved: int) -> Address:
    """Return the first free address after the first ``reserved`` ones, and take it."""
    address: Address = cidr[reserved + 1]
    while address in taken:
        address += 1
    taken.add(address)
    return address


def _free_port(topology: Topology, protocol: Protocol, taken: set[tuple[Protocol, int]]) -> int:
    low, _ = topology.node_ports
    while (protocol, low) in taken:
        low += 1
    taken.add((protocol, low))
    return low
