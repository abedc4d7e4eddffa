"""The names of the pods that workloads make.

They are ``NAME-0`` to ``NAME-(N-1)``, or ``NAME-NODE`` for a DaemonSet. On a cluster only pods of StatefulSets have
such names; other names end with random letters and never clash. If another pod has the name ``NAME-0``, the kind is
added: ``NAME-job-0``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import TYPE_CHECKING

from netlab.objects.all_objects import Objects
from netlab.objects.kind import template_of
from netlab.objects.types import Meta, Workload

if TYPE_CHECKING:
    from netlab.objects.workload_pods import WorkloadPods


class Owners:
    """The workloads that own the objects of an input."""

    def __init__(self, objects: Objects) -> None:
        self._workloads = {(w.meta.namespace, f"{w.kind} {w.meta.name}"): w for w in objects.workloads}
        self._exported = {id(w) for pod in objects.pods for w in self._chain(pod.meta)}

    def _chain(self, meta: Meta) -> list[Workload]:
        """Return the workload that owns an object, then the owner of that workload, and so on."""
        found: list[Workload] = []
        while (owner := self._workloads.get((meta.namespace, meta.owner))) is not None and owner not in found:
            found.append(owner)
            meta = owner.meta
        return found

    def makes_pods(self, workload: Workload) -> bool:
        """Say whether netlab makes the workload's pods: not if it has an owner or pods in the input."""
        return id(workload) not in self._exported and not self._chain(workload.meta)

    def workload_of(self, meta: Meta) -> str:
        """Return ``KIND NAMESPACE/NAME`` of the topmost workload that owns an object, "" if none does."""
        chain = self._chain(meta)
        return f"{chain[-1].kind} {chain[-1].meta.key}" if chain else ""


def pod_names(
    objects: Objects, owners: Owners, nodes_of: Callable[[Workload], Sequence[str]]
) -> Iterator[tuple[Workload, str, Sequence[str]]]:
    """Yield every workload that makes pods, with the two parts of their names: ``STEM`` and the list of ``END``.

    The names are ``STEM-END``. They do not depend on the order of the objects. ``nodes_of`` returns the nodes of a
    DaemonSet's pods.
    """
    about = {one.workload: one for one in objects.workload_pods}
    taken = {(pod.meta.namespace, pod.meta.name) for pod in objects.pods}
    stems: set[tuple[str, str]] = set()
    for workload in sorted(filter(owners.makes_pods, objects.workloads), key=_order):
        where = workload.meta.namespace
        own = about.get(f"{workload.kind} {workload.meta.key}") if about else None
        ends = _ends(workload, nodes_of) if own is None else ends_of(workload, own, nodes_of)
        for stem in _candidates(workload):
            names = [(where, f"{stem}-{end}") for end in ends]
            # Compare stems too, so that the names do not depend on the number of pods of the other workload.
            free = (where, stem) not in stems or workload.replicas is None
            if template_of(workload.kind).stable_names or (free and taken.isdisjoint(names)):
                break
        taken.update(names)
        if workload.replicas is not None:
            stems.add((where, stem))
        yield workload, stem, ends
        if own is not None and own.previous is not None:
            previous = ends_of_previous(workload, own, nodes_of)
            taken.update((where, f"{stem}-{end}") for end in previous)
            yield own.previous, stem, previous


def _order(workload: Workload) -> tuple[int, str, str]:
    return template_of(workload.kind).rank, workload.meta.namespace, workload.meta.name


def _ends(workload: Workload, nodes_of: Callable[[Workload], Sequence[str]]) -> Sequence[str]:
    if workload.replicas is None:
        return nodes_of(workload)
    return [str(ordinal) for ordinal in range(workload.first, workload.first + workload.replicas)]


def keeps_names(workload: Workload) -> bool:
    """Say whether a replaced pod of a workload has the name of the pod before it.

    On a cluster only pods of StatefulSets have the same name. netlab names a pod of a DaemonSet by its node, and one of
    an indexed Job by its index.
    """
    return template_of(workload.kind).stable_names or workload.indexed or workload.replicas is None


def ends_of(workload: Workload, own: WorkloadPods, nodes_of: Callable[[Workload], Sequence[str]]) -> list[str]:
    """Return the ends of the names of a workload's pods after kills and in a rolling update.

    In a rolling update, those of the pods that have its new template.
    """
    if not keeps_names(workload):
        ends = own.numbers(workload.replicas or 0) if own.pods is None else list(own.pods)
    else:
        ends = [end for end in _ends(workload, nodes_of) if own.pods is None or end in own.pods]
    return [end for end in ends if end not in own.missing]


def ends_of_previous(workload: Workload, own: WorkloadPods, nodes_of: Callable[[Workload], Sequence[str]]) -> list[str]:
    """Return the ends of the names of the pods that still have the template from before a rolling update."""
    known = set(_ends(workload, nodes_of)) if keeps_names(workload) else None
    return [end for end in own.previous_pods if end not in own.missing and (known is None or end in known)]


def _candidates(workload: Workload) -> Iterator[str]:
    name = workload.meta.name
    kind = f"{name}-{workload.kind.lower()}"
    yield name
    yield kind
    # Endless, so one is always free.
    yield from (f"{kind}-{number}" for number in count(2))
