"""Which pods a workload has after kills and in a rolling update: documents of netlab's own kind WorkloadPods.

A workload without such a document has the pods that follow from its own fields. The end of a pod's name is its number,
or the name of its node for a DaemonSet: ``web-3`` ends with ``3``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from hashlib import sha1
from typing import Any

from netlab.frozen import frozen
from netlab.objects.document_changes import WORKLOAD_PODS
from netlab.objects.kind import NETLAB_VERSION
from netlab.objects.meta import Key, key_of
from netlab.objects.types import Document, Meta, Source, Workload

_LONGEST = 253


@frozen
class WorkloadPods:
    """Which pods a workload has: the one that ``meta.owner`` names.

    - ``start``, ``replaced``: numbers that no pod gets, as pods with these numbers ended: all below ``start``, and
      those in ``replaced``.
    - ``missing``: the ends of the names of pods that ended and are not replaced yet.
    - ``unready``: the ends of the names of pods that are not ready: they just began, or end soon.
    - ``pods``: in a rolling update, the ends of the names of the pods that have the workload's template; else None.
    - ``previous``, ``previous_pods``: in a rolling update, the workload before it, and the pods with its template.
    """

    meta: Meta
    start: int = 0
    replaced: frozenset[int] = frozenset()
    missing: frozenset[str] = frozenset()
    unready: frozenset[str] = frozenset()
    pods: tuple[str, ...] | None = None
    previous: Workload | None = None
    previous_pods: tuple[str, ...] = ()

    @property
    def workload(self) -> str:
        """The workload, as ``KIND NAMESPACE/NAME``."""
        kind, _, name = self.meta.owner.partition(" ")
        return f"{kind} {self.meta.namespace}/{name}"

    def numbers(self, count: int) -> list[str]:
        """Return the first numbers that pods of the workload get."""
        found: list[str] = []
        number = self.start
        while len(found) < count:
            if number not in self.replaced:
                found.append(str(number))
            number += 1
        return found


def key_for(workload: Key) -> Key:
    """Return the key of the document about a workload."""
    name = f"{workload.kind.lower()}.{workload.name}"
    if len(name) > _LONGEST:
        name = f"{workload.kind.lower()}.{sha1(workload.name.encode(), usedforsecurity=False).hexdigest()}"
    return Key(NETLAB_VERSION, WORKLOAD_PODS, workload.namespace, name)


def fields_about(documents: Iterable[Document], workload: Key) -> dict[str, Any]:
    """Return the fields of the document about a workload; empty if there is none."""
    key = key_for(workload)
    for one in documents:
        if one.kind == WORKLOAD_PODS and key_of(one) == key:
            return {name: value for name, value in one.data.items() if name not in ("apiVersion", "kind", "metadata")}
    return {}


def with_fields(documents: Iterable[Document], workload: Key, fields: Mapping[str, Any]) -> list[Document]:
    """Return the documents with other fields in the one about a workload; without it if no field says anything."""
    key = key_for(workload)
    said = {name: value for name, value in fields.items() if name == "pods" or value not in ([], 0)}
    left = [one for one in documents if not (one.kind == WORKLOAD_PODS and key_of(one) == key)]
    if not said:
        return left
    owner = {"kind": workload.kind, "name": workload.name, "controller": True}
    metadata = {"namespace": key.namespace, "name": key.name, "ownerReferences": [owner]}
    data = {"apiVersion": NETLAB_VERSION, "kind": WORKLOAD_PODS, "metadata": metadata, **said}
    return [*left, Document(data, Source("netlab"))]


def with_ended(fields: Mapping[str, Any], numbers: Collection[int]) -> dict[str, Any]:
    """Return the fields after pods with some numbers ended: no other pod of the workload gets these numbers."""
    start, ended = int(fields.get("start", 0)), {int(one) for one in fields.get("replaced", ())} | {*numbers}
    while start in ended:
        start += 1
    return {**fields, "start": start, "replaced": [str(one) for one in sorted(ended) if one >= start]}


def settled(documents: Sequence[Document], changed: Collection[Key]) -> list[Document]:
    """Return the documents; rolling updates of changed workloads are at their end, and no pod is missing."""
    found = list(documents)
    for key in changed:
        fields = fields_about(found, key)
        if fields:
            kept: dict[str, Any] = {name: fields[name] for name in fields if name in ("start", "replaced")}
            found = with_fields(found, key, kept)
    return found
