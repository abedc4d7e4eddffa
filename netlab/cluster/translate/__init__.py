"""Destinations that stand for others: which backends an address and port mean, where, and who sees which source.

Whatever asks what becomes of a flow asks here and names no translation. A new one is a value (``target.Translation``)
in a file of its own, and its name in ``TRANSLATIONS``.
"""

from __future__ import annotations

from netlab.cluster.flows import Flow
from netlab.cluster.translate.hostport import HOST_PORT
from netlab.cluster.translate.target import Backend, Seen, Target, Through, Translated, Translation, View
from netlab.cluster.translate.ways import through, translating_node
from netlab.cluster.types import Cluster, Endpoint, Pod
from netlab.objects.types import Address

__all__ = [
    "TRANSLATIONS",
    "Backend",
    "Seen",
    "Target",
    "Through",
    "Translated",
    "Translation",
    "View",
    "stands_for",
    "translate",
]

TRANSLATIONS: tuple[Translation, ...] = (HOST_PORT,)
"""All translations; the first that finds something counts."""


def stands_for(
    cluster: Cluster, destination: Endpoint | None, address: Address | None, protocol: str, port: int | None
) -> Target | None:
    """Return what a destination stands for, None where it is itself."""
    if isinstance(destination, Pod) and not destination.host_network:
        return None
    for translation in TRANSLATIONS:
        found = translation.find(cluster, destination, address, protocol, port)
        if found is not None:
            return found
    return None


def translate(cluster: Cluster, flow: Flow) -> Translated | None:
    """Return the backends of a flow's destination with the way to each, None where the destination is itself."""
    target = stands_for(cluster, flow.destination, flow.address, flow.protocol, flow.port)
    if target is None:
        return None
    node = translating_node(cluster, flow.source, target)
    return Translated(target, node, tuple(through(cluster, flow, target, node, backend) for backend in target.backends))
