"""Updates of Services: the API server keeps addresses and ports that the new document leaves out.

Source: kubernetes pkg/registry/core/service (``patchAllocatedValues``), ``ValidateServiceUpdate``. Only values that a
document states are seen here. Allocated ones are kept by ``cluster.services.allocation``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from netlab.errors import Problem
from netlab.objects.fields import forbidden, invalid
from netlab.objects.service_shapes import PortShape, ServiceRoot, SpecShape
from netlab.objects.services import Service
from netlab.objects.types import Document
from netlab.objects.updates import IMMUTABLE, ONCE_SET, problem

_ADDRESSES = (SpecShape.cluster_ip, SpecShape.cluster_ips)
_FAMILIES = (SpecShape.families, SpecShape.family_policy)
_WITH_NODE_PORTS = ("NodePort", "LoadBalancer")


def service_update(old: Service, new: Service, document: Document) -> tuple[Document, list[Problem]]:
    """Return the new document with what the API server keeps of the old Service, and what may not change."""
    spec: dict[str, Any] = {**(document.data.get(ServiceRoot.spec.name) or {})}
    found: list[Problem] = []

    def refuse(path: str, message: str) -> None:
        found.append(problem(document, f"spec.{path}", message))

    if "ExternalName" not in (old.type, new.type):
        _keep_addresses(old, new, spec)
        before, after = _primary(old), _primary(new)
        # A Service without a written address has one too, but no document says which.
        if after and before != after and (before or new.headless):
            refuse("clusterIPs[0]", invalid([after, *map(str, new.cluster_ips[1:])], ONCE_SET))
        if old.ip_families and new.ip_families and old.ip_families[0] != new.ip_families[0]:
            refuse("ipFamilies[0]", invalid(f"IPv{new.ip_families[0]}", ONCE_SET))
    if old.type == new.type == "LoadBalancer":
        if old.load_balancer_class != new.load_balancer_class:
            refuse("loadBalancerClass", invalid(new.load_balancer_class or None, ONCE_SET))
        if old.external_traffic_policy == new.external_traffic_policy == "Local":
            port = old.health_check_node_port
            if port and new.health_check_node_port not in (0, port):
                refuse("healthCheckNodePort", forbidden(IMMUTABLE))
            if port and not new.health_check_node_port:
                spec[SpecShape.health.name] = port
    if old.type in _WITH_NODE_PORTS and new.type in _WITH_NODE_PORTS:
        _keep_node_ports(old, new, spec)
    if spec == (document.data.get(ServiceRoot.spec.name) or {}):
        return document, found
    return Document({**document.data, ServiceRoot.spec.name: spec}, document.source, document.duplicates), found


def _primary(service: Service) -> str:
    return service.cluster_ip


def _keep_addresses(old: Service, new: Service, spec: dict[str, Any]) -> None:
    """Keep addresses and families if the new Service states none of them."""
    if _states(spec, *_ADDRESSES) or not old.cluster_ip:
        return
    texts = ["None"] if old.headless else [str(address) for address in old.cluster_ips]
    if new.ip_family_policy == "SingleStack":
        texts = texts[:1]
    spec[SpecShape.cluster_ip.name], spec[SpecShape.cluster_ips.name] = texts[0], texts
    if not _states(spec, *_FAMILIES):
        if old.ip_families:
            spec[SpecShape.families.name] = [f"IPv{family}" for family in old.ip_families]
        if old.ip_family_policy:
            spec[SpecShape.family_policy.name] = old.ip_family_policy


def _states(spec: Mapping[str, Any], *fields: Any) -> bool:
    return any(spec.get(field.name) for field in fields)


def _keep_node_ports(old: Service, new: Service, spec: dict[str, Any]) -> None:
    """Keep the node port of each port of the same number and protocol, unless the new Service uses it otherwise."""
    before = {(port.protocol, port.port): port.node_port for port in old.ports if port.node_port}
    taken = {(port.protocol, port.node_port) for port in new.ports}
    written = spec.get(SpecShape.ports.name) or []
    ports = []
    for port, fields in zip(new.ports, written, strict=True):
        kept = before.get((port.protocol, port.port), 0)
        free = kept and not port.node_port and (port.protocol, kept) not in taken
        ports.append({**(fields or {}), PortShape.node_port.name: kept} if free else fields)
    if ports != written:
        spec[SpecShape.ports.name] = ports
