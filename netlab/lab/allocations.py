"""The allocations of Services in a record: addresses, families and node ports, which a running lab keeps."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any, get_args

from netlab.cluster import Cluster
from netlab.objects.services import FamilyPolicy, LoadBalancerIngress, Service, ServicePort, ServiceType
from netlab.objects.types import Meta, Protocol

Allocation = tuple[Any, ...]
"""A Service's type, whether it is headless, its addresses, families, family policy, ports, health check port, and
load-balancer addresses.

Addresses are texts. A port is its name, number, protocol and node port.
"""


def allocations(cluster: Cluster) -> dict[str, Allocation]:
    """Return the allocation of every Service of a cluster, by ``NAMESPACE/NAME``."""
    return {
        one.meta.key: (
            one.type,
            one.headless,
            tuple(map(str, one.cluster_ips)),
            one.ip_families,
            one.ip_family_policy,
            tuple((port.name, port.port, port.protocol, port.node_port) for port in one.ports),
            one.health_check_node_port,
            tuple(str(item.address) for item in one.load_balancer if item.address is not None),
        )
        for one in cluster.services
    }


def from_json(data: Mapping[str, Any]) -> dict[str, Allocation]:
    """Return the allocations in JSON data; raises TypeError or ValueError for data of another form."""
    return {key: (allocation := _tuple(of), stored(key, allocation))[0] for key, of in data.items()}


def stored(key: str, allocation: Allocation) -> Service:
    """Return the Service of an allocation, as ``resolve`` takes it; raises TypeError, ValueError as ``from_json``."""
    kind, headless, addresses, families, policy, ports, health, balancers = allocation
    namespace, name = key.split("/")
    if kind not in get_args(ServiceType) or policy not in get_args(FamilyPolicy):
        raise ValueError(key)
    if not all(type(port) is int for _, *numbers, protocol, node in ports for port in (*numbers, node)):
        raise TypeError(key)
    if type(headless) is not bool or type(health) is not int or not {*families} <= {4, 6}:
        raise TypeError(key)
    return Service(
        Meta(name, namespace),
        type=kind,
        headless=headless,
        cluster_ips=tuple(map(ip_address, addresses)),
        ip_families=families,
        ip_family_policy=policy,
        ports=tuple(ServicePort(port, 0, _protocol(protocol), str(text), node) for text, port, protocol, node in ports),
        health_check_node_port=health,
        load_balancer=tuple(LoadBalancerIngress(ip_address(address)) for address in balancers),
    )


def _protocol(text: Any) -> Protocol:
    if text not in get_args(Protocol):
        raise ValueError(text)
    return text  # type: ignore[no-any-return]


def _tuple(value: Any) -> Any:
    """Return lists of JSON as tuples."""
    return tuple(map(_tuple, value)) if isinstance(value, list) else value
