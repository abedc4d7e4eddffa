"""Stopped nodes: their links, and those of their pods, are not wanted.

The namespaces stay, with their loopback and their rulesets. All other machines keep their routes and neighbours, as
machines of a network do when one of them fails.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from netlab.cluster.types import Cluster
from netlab.dataplane import names
from netlab.kernel.state import Item, Link, Namespace, Queue, Sysctl

_LOOPBACK = "lo"


def namespaces_off(cluster: Cluster, lab: str) -> frozenset[str]:
    """Return the names of the namespaces of stopped nodes and of their pods in a lab."""
    stopped = cluster.stopped_nodes
    if not stopped:
        return frozenset()
    pods = (pod for pod in cluster.pods if pod.node in stopped)
    return frozenset(
        (*(names.node_namespace(lab, name) for name in stopped), *(names.pod_namespace(lab, pod) for pod in pods))
    )


def cut_off(cluster: Cluster, wanted: Mapping[str, Namespace]) -> dict[str, Namespace]:
    """Return the wanted namespaces without the links of stopped nodes and of their pods, and all that is on these."""
    off = namespaces_off(cluster, cluster.name)
    return {name: replace(one, items=_left(one, off, alone=name in off)) for name, one in wanted.items()}


def _left(namespace: Namespace, off: Collection[str], *, alone: bool) -> frozenset[Item]:
    """Return the items that stay in a namespace; ``alone``: it is one of those that are cut ``off``."""
    links = [item for item in namespace.items if isinstance(item, Link)]
    gone = {
        link.name
        for link in links
        if link.name != _LOOPBACK and (alone or (link.peer is not None and link.peer[0] in off))
    }
    if not gone:
        return namespace.items
    left = (_without_sources(item, gone) for item in namespace.items if _device(item) not in gone)
    return frozenset(item for item in left if item is not None)


def _device(item: Item) -> str:
    if isinstance(item, Link):
        return item.name
    return item.link if isinstance(item, Sysctl) else item.dev


def _without_sources(item: Item, gone: set[str]) -> Item | None:
    """Return a queue without the links that are gone among its sources, None if nothing is left of it."""
    if not isinstance(item, Queue) or not any(link in gone for link, _ in item.sources):
        return item
    sources = tuple(source for source in item.sources if source[0] not in gone)
    return replace(item, sources=sources) if sources or item.netem is not None else None
