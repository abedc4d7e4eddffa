"""Which Services a change touches; what is known of the others stays. The cost follows the change, not the cluster."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import compress
from operator import is_not
from typing import TypeVar

from netlab.cluster.services.pod_index import carry_index
from netlab.cluster.types import Cluster, Pod
from netlab.objects.services import Service

_T = TypeVar("_T")
_Selected = Mapping[tuple[str, str, str], Sequence[Service]]
"""Services by namespace and one label that they select by."""


def changed_services(before: Cluster, after: Cluster) -> set[str]:
    """Return the keys of the Services that differ between two clusters, or whose endpoints may differ.

    A Service that is in one of the clusters only is among them. Objects that are the same in both are not compared.
    """
    every = (*before.services, *after.services)
    if before.nodes != after.nodes or before.hosts != after.hosts:
        return {one.meta.key for one in every}
    gone, come = only_in(before.services, after.services)
    found = {one.meta.key for one in (*gone, *come)}
    pods = [pod for many in only_in(before.pods, after.pods) for pod in many]
    found |= _selecting(after, pods)
    slices = [one for many in only_in(before.slices, after.slices) for one in many]
    found |= {f"{one.meta.namespace}/{one.service}" for one in slices if one.service}
    found |= {one.meta.key for many in only_in(before.endpoints, after.endpoints) for one in many}
    if pods and (after.slices or after.endpoints):
        found |= _stating(after, {(a.version, int(a)) for pod in pods for a in pod.addresses}, {p.ref for p in pods})
    # Slices of the input do not count for a Service with a selector.
    return found & {one.meta.key for one in every}


def carry(before: Cluster, after: Cluster) -> None:
    """Give a cluster what an earlier one knows of the endpoints of Services that the change did not touch."""
    known = before.memo.get("services.endpoints")
    if known is not None:
        touched = changed_services(before, after)
        after.memo["services.endpoints"] = {
            number: kept for number, kept in known.items() if kept[0].meta.key not in touched
        }
    carry_index(before, after, *only_in(before.pods, after.pods))


def only_in(old: Sequence[_T], new: Sequence[_T]) -> tuple[Sequence[_T], Sequence[_T]]:
    """Return the objects that only the first, and only the second of two sequences has, by identity."""
    if old is new:
        return (), ()
    # Most changes leave the beginning and the end of a sequence as they are.
    least = min(len(old), len(new))
    first = next(compress(range(least), map(is_not, old, new)), least)
    most = least - first
    last = next(compress(range(most), map(is_not, reversed(old), reversed(new))), most)
    gone, come = old[first : len(old) - last], new[first : len(new) - last]
    before, after = set(map(id, gone)), set(map(id, come))
    return [one for one in gone if id(one) not in after], [one for one in come if id(one) not in before]


def _selecting(cluster: Cluster, pods: Iterable[Pod]) -> set[str]:
    """Return the keys of the Services that select one of the pods."""
    selected: _Selected | None = None
    found: set[str] = set()
    for pod in pods:
        selected = _by_label(cluster) if selected is None else selected
        labels = pod.labels.items()
        for key, value in labels:
            for service in selected.get((pod.namespace, key, value), ()):
                if service.selector.items() <= labels:
                    found.add(service.meta.key)
    return found


def _by_label(cluster: Cluster) -> _Selected:
    found: dict[tuple[str, str, str], list[Service]] = {}
    for service in cluster.services:
        if service.selector:
            key, value = min(service.selector.items())
            found.setdefault((service.meta.namespace, key, value), []).append(service)
    return found


def _stating(cluster: Cluster, addresses: set[tuple[int, int]], pods: set[str]) -> set[str]:
    """Return the keys of Services whose slices or Endpoints state one of the addresses, or name one of the pods."""
    found: set[str] = set()
    stated = [(f"{one.meta.namespace}/{one.service}", one.endpoints) for one in cluster.slices if one.service]
    stated += [
        (one.meta.key, (*subset.addresses, *subset.not_ready)) for one in cluster.endpoints for subset in one.subsets
    ]
    for key, endpoints in stated:
        if any(e.pod in pods or any((a.version, int(a)) in addresses for a in e.addresses) for e in endpoints):
            found.add(key)
    return found
