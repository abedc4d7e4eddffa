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
)
from netlab.cluster.types import Cluster, Endpoint, Pod
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
    "stands_for",
    "translate",
]

TRANSLATIONS: tuple[Translation, ...] = (HOST_PORT,)
"""All translations; the first that returns a target counts."""


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
    target = stands_for(cluster, flow.destination, flow.address, flow.protocol, flow.port)
    if target is None:
        return None
    node = translating_node(cluster, flow.source, target)
    return Translated(
        target, node, tuple(backend_flow(cluster, flow, target, node, backend) for backend in target.backends)
    )
