"""The names of the pods that workloads stand for.

They are ``NAME-0`` to ``NAME-(N-1)``, and ``NAME-NODE`` for a DaemonSet. On a cluster only a StatefulSet's pods are
named so; the others end with random letters, and so never have another pod's name. Where ``NAME-0`` is another pod's
already, they have the kind in their names: ``NAME-job-0``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import count

from netlab.objects.all_objects import Objects
from netlab.objects.kind import template_of
from netlab.objects.types import Meta, Workload


class Owners:
    """Which workload made which object, of those that are there."""

    def __init__(self, objects: Objects) -> None:
        self._workloads = {(w.meta.namespace, f"{w.kind} {w.meta.name}"): w for w in objects.workloads}
        self._exported = {id(w) for pod in objects.pods for w in self._chain(pod.meta)}

    def _chain(self, meta: Meta) -> list[Workload]:
        """Return the workloads that an object comes from, nearest first."""
        found: list[Workload] = []
        while (owner := self._workloads.get((meta.namespace, meta.owner))) is not None and owner not in found:
            found.append(owner)
            meta = owner.meta
        return found

    def makes_pods(self, workload: Workload) -> bool:
        return id(workload) not in self._exported and not self._chain(workload.meta)

    def workload_of(self, meta: Meta) -> str:
        """Return ``KIND NAMESPACE/NAME`` of the workload that users wrote to have the pod, "" for none."""
        chain = self._chain(meta)
        return f"{chain[-1].kind} {chain[-1].meta.key}" if chain else ""


def pod_names(
    objects: Objects, owners: Owners, nodes_of: Callable[[Workload], Sequence[str]]
) -> Iterator[tuple[Workload, str, Sequence[str]]]:
    """Yield every workload that makes pods, what their names begin with, and what they end with after a hyphen.

    The order of the objects makes no difference. ``nodes_of`` says on which nodes a DaemonSet's pods run.
    """
    taken = {(pod.meta.namespace, pod.meta.name) for pod in objects.pods}
    stems: set[tuple[str, str]] = set()
    for workload in sorted(filter(owners.makes_pods, objects.workloads), key=_order):
        where, ends = workload.meta.namespace, _ends(workload, nodes_of)
        for stem in _candidates(workload):
            names = [(where, f"{stem}-{end}") for end in ends]
            # How many pods another workload of the name has just now makes no difference to what these are called.
            free = (where, stem) not in stems or workload.replicas is None
            if template_of(workload.kind).stable_names or (free and taken.isdisjoint(names)):
                break
        taken.update(names)
        if workload.replicas is not None:
            stems.add((where, stem))
        yield workload, stem, ends


def _order(workload: Workload) -> tuple[int, str, str]:
    return template_of(workload.kind).rank, workload.meta.namespace, workload.meta.name


def _ends(workload: Workload, nodes_of: Callable[[Workload], Sequence[str]]) -> Sequence[str]:
    if workload.replicas is None:
        return nodes_of(workload)
    return [str(ordinal) for ordinal in range(workload.first, workload.first + workload.replicas)]


def _candidates(workload: Workload) -> Iterator[str]:
    name = workload.meta.name
    kind = f"{name}-{workload.kind.lower()}"
    yield name
    yield kind
    # As many as there are names that clash, so the last one is always free.
    yield from (f"{kind}-{number}" for number in count(2))
