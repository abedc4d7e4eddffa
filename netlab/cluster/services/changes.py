"""Which Services a change touches. The next cluster takes over what is known of all others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from netlab.cluster.only_in import only_in
from netlab.cluster.services.pod_index import carry_index
from netlab.cluster.types import Cluster, Pod
from netlab.objects.services import Service

_T = TypeVar("_T")

_ByLabel = Mapping[tuple[str, str, str], Sequence[Service]]
"""Services by namespace and one label of their selector."""


def changed_services(before: Cluster, after: Cluster) -> set[str]:
    """Return the keys of Services that may differ between two clusters, themselves or in their endpoints.

    Services that are in one of the clusters only are among them. Objects that both clusters share are not compared.
    """
    every = {service.meta.key for service in (*before.services, *after.services)}
    if before.nodes != after.nodes or before.hosts != after.hosts:
        return every
    changed = {service.meta.key for service in _changed(before.services, after.services)}
    pods = _changed(before.pods, after.pods)
    changed |= _selecting(after, pods)
    changed |= {of.service_key for of in _changed(before.slices, after.slices) if of.service}
    changed |= {of.meta.key for of in _changed(before.endpoints, after.endpoints)}
    if pods and (after.slices or after.endpoints):
        changed |= _stating(after, {(a.version, int(a)) for pod in pods for a in pod.addresses}, {p.ref for p in pods})
    # A slice or an Endpoints object may name a Service that does not exist.
    return changed & every


def carry(before: Cluster, after: Cluster) -> None:
    """Give a cluster what an earlier one knows of the endpoints of Services that the change does not touch."""
    known = before.memo.get("services.endpoints")
    if known is not None:
        touched = changed_services(before, after)
        after.memo["services.endpoints"] = {
            number: kept for number, kept in known.items() if kept[0].meta.key not in touched
        }
    carry_index(before, after, *only_in(before.pods, after.pods))


def _changed(old: Sequence[_T], new: Sequence[_T]) -> list[_T]:
    """Return the objects that only one of two sequences has."""
    removed, added = only_in(old, new)
    return [*removed, *added]


def _selecting(cluster: Cluster, pods: Iterable[Pod]) -> set[str]:
    """Return the keys of the Services that select one of the pods."""
    by_label: _ByLabel | None = None
    keys: set[str] = set()
    for pod in pods:
        by_label = _by_label(cluster) if by_label is None else by_label
        labels = pod.labels.items()
        for key, value in labels:
            for service in by_label.get((pod.namespace, key, value), ()):
                if service.selector.items() <= labels:
                    keys.add(service.meta.key)
    return keys


def _by_label(cluster: Cluster) -> _ByLabel:
    by_label: dict[tuple[str, str, str], list[Service]] = {}
    for service in cluster.services:
        if service.selector:
            key, value = min(service.selector.items())
            by_label.setdefault((service.meta.namespace, key, value), []).append(service)
    return by_label


def _stating(cluster: Cluster, addresses: set[tuple[int, int]], pods: set[str]) -> set[str]:
    """Return the keys of Services whose slices or Endpoints state one of the addresses or name one of the pods."""
    keys: set[str] = set()
    stated = [(of.service_key, of.endpoints) for of in cluster.slices if of.service]
    stated += [
        (of.meta.key, (*subset.addresses, *subset.not_ready)) for of in cluster.endpoints for subset in of.subsets
    ]
    for key, endpoints in stated:
        if any(e.pod in pods or any((a.version, int(a)) in addresses for a in e.addresses) for e in endpoints):
            keys.add(key)
    return keys
