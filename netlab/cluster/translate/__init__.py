"""Translated destinations: their backends, the node that translates, and the source address that each hop sees.

Callers name no translation. A new one is a value (``target.Translation``) in a file of its own, and its name in
``TRANSLATIONS``.
"""

from __future__ import annotations

from netlab.cluster.flows import Flow
from netlab.cluster.translate.backend_flows import backend_flow, translating_node
from netlab.cluster.translate.hostport import HOST_PORT
from netlab.cluster.translate.target import (
    Backend,
    BackendFlow,
    JudgedFlow,
    SeenSources,
    Target,
    Translated,
    Translation,
    Variants,
)
from netlab.cluster.types import Cluster, Endpoint, Host, Pod
from netlab.objects.types import Address

__all__ = [
    "TRANSLATIONS",
    "Backend",
    "BackendFlow",
    "JudgedFlow",
    "SeenSources",
    "Target",
    "Translated",
    "Translation",
    "Variants",
    "stands_for",
    "target_of",
    "translate",
    "translating_node",
]


def _of_service(
    cluster: Cluster, destination: Endpoint | None, address: Address | None, protocol: str, port: int | None
) -> Target | None:
    if not cluster.services:
        return None
    from netlab.cluster.translate.services import find

    return find(cluster, destination, address, protocol, port)


TRANSLATIONS: tuple[Translation, ...] = (Translation("Service", _of_service), HOST_PORT)
"""All translations; the first that returns a target counts.

A nodePort is before a hostPort of the same number: the portmap plugin appends its chain to that of kube-proxy, "without
moving CNI-HOSTPORT-DNAT ahead of Kubernetes service rules" (containernetworking/plugins, portmap_iptables.go).
"""


def stands_for(
    cluster: Cluster, destination: Endpoint | None, address: Address | None, protocol: str, port: int | None
) -> Target | None:
    """Return what a destination stands for, None if no node translates it."""
    if isinstance(destination, Pod) and not destination.host_network:
        return None
    for translation in TRANSLATIONS:
        found = translation.find(cluster, destination, address, protocol, port)
        if found is not None:
            return found
    return None


def translate(cluster: Cluster, flow: Flow) -> Translated | None:
    """Return the flow to each backend of a flow's destination, None if no node translates the destination."""
    target = target_of(cluster, flow)
    if target is None:
        return None
    node = translating_node(cluster, flow.source, target)
    return Translated(
        target, node, tuple(backend_flow(cluster, flow, target, node, backend) for backend in target.backends)
    )


def target_of(cluster: Cluster, flow: Flow) -> Target | None:
    """Return what a flow's destination stands for, for its source; None if no node translates it."""
    if flow.service is not None:
        from netlab.cluster.translate.services import service_target

        target: Target | None = service_target(cluster, flow.service, flow.family, flow.protocol, flow.port)
    elif isinstance(flow.source, Host) and isinstance(flow.destination, Host):
        return None
    else:
        target = stands_for(cluster, flow.destination, flow.address, flow.protocol, flow.port)
    return None if target is None else target.for_source(flow.source)
