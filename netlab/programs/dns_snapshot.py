"""The JSON data of a cluster that its DNS answers follow from.

``services`` is by ``NAMESPACE/NAME``. A Service of type ExternalName has ``alias``. A headless Service has
``endpoints``, the addresses of each host name below it, and ``ports`` by ``NAME/PROTOCOL``, as pairs of host name and
number. Any other Service has ``addresses``, and ``ports`` as numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any

from netlab.cluster import Cluster
from netlab.cluster.services.endpoints import ANY_PORT, endpoints, ports_of
from netlab.objects.services import Service
from netlab.objects.types import Address
from netlab.programs import dns_records


def of(cluster: Cluster) -> dict[str, Any]:
    """Return the data of a cluster, which ``dns_records.Zone`` takes."""
    return {
        "version": dns_records.VERSION,
        "zone": cluster.cluster_domain.lower(),
        "namespaces": sorted({*cluster.namespaces, *(pod.namespace for pod in cluster.pods)}),
        "services": {one.meta.key: found for one in cluster.services if (found := _service(cluster, one))},
        "hosts": {name.lower().rstrip("."): [str(a) for a in addresses] for name, addresses in _hosts(cluster).items()},
    }


def _hosts(cluster: Cluster) -> Mapping[str, list[Address]]:
    found: dict[str, list[Address]] = {}
    for host in cluster.hosts:
        for name in host.hostnames:
            found.setdefault(name, []).extend(host.addresses)
    return found


def _service(cluster: Cluster, service: Service) -> dict[str, Any]:
    if service.type == "ExternalName":
        # DNS servers do not resolve a name that looks like an IPv4 address (Kubernetes, Service, type ExternalName).
        target = service.external_name.rstrip(".")
        return {} if not target or _is_address(target) else {"alias": target}
    if service.headless:
        return _headless(cluster, service)
    ports: dict[str, list[int]] = {}
    for port in service.ports:
        if port.name:
            ports.setdefault(f"{port.name.lower()}/{port.protocol.lower()}", []).append(port.port)
    return {"addresses": [str(address) for address in service.cluster_ips], "ports": ports}


def _headless(cluster: Cluster, service: Service) -> dict[str, Any]:
    hosts: dict[str, dict[str, None]] = {}
    ports: dict[str, dict[tuple[str, int], None]] = {}
    # An endpoint may lack a named port. Its address is a record all the same.
    for port in (*ports_of(cluster, service), ANY_PORT):
        for family in service.ip_families or cluster.families:
            for one in endpoints(cluster, service, port, family):
                if not one.ready:
                    continue
                host = one.hostname.lower() or dns_records.dashed(str(one.address))
                hosts.setdefault(host, {})[str(one.address)] = None
                if port.name:
                    ports.setdefault(f"{port.name.lower()}/{port.protocol.lower()}", {})[host, one.port] = None
    return {
        "endpoints": {host: list(addresses) for host, addresses in hosts.items()},
        "ports": {key: [list(one) for one in found] for key, found in ports.items()},
    }


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
