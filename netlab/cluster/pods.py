"""Pods before they have a node: bare Pods as written, and the pods that workloads stand for.

Names follow the contract, section 1: ``NAME-0`` to ``NAME-(N-1)``, and ``NAME-NODE`` for a DaemonSet.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from netlab.cluster.nodes import NodeDraft
from netlab.errors import Problem
from netlab.objects.types import Address, Meta, Objects, PodSpec, Source, Workload

FINISHED = ("Succeeded", "Failed")


@dataclass(frozen=True, slots=True)
class PodDraft:
    """One pod before placement.

    ``object`` and the two paths say where it was written, for errors: ``KIND NAMESPACE/NAME``, its metadata and its
    pod spec. ``order`` sorts pods as users count them: by namespace, then owner, then ordinal. ``phase`` and
    ``addresses`` are those that an exported pod states.
    """

    meta: Meta
    spec: PodSpec
    object: str
    order: tuple[str, str, int, str]
    workload: str = ""
    phase: str = ""
    addresses: tuple[Address, ...] = ()
    meta_path: str = "metadata"
    spec_path: str = "spec"
    source: Source = field(default_factory=Source, compare=False)

    @property
    def ref(self) -> str:
        return self.meta.key

    @property
    def bound(self) -> bool:
        """Whether a cluster placed it: the node of a pod that has a status is a fact, and its selector no question."""
        return bool(self.spec.node_name and (self.phase or self.addresses))

    @property
    def publishes(self) -> bool:
        """Whether it publishes a port of its own on its node."""
        return not self.spec.host_network and any(port.host_port for port in self.spec.ports)

    def problem(self, path: str, message: str) -> Problem:
        """Return the problem of one of its fields, at the line of that field."""
        return Problem(self.source.file, self.source.line(path), path, self.object, message)


def pod_drafts(objects: Objects, nodes: Sequence[NodeDraft]) -> tuple[list[PodDraft], dict[str, str], list[Problem]]:
    """Return every pod that runs, the workload of each that has finished by its reference, and wrong names.

    What a cluster exported holds a Deployment, its ReplicaSet and their Pods: the pods are counted once, as exported.
    A workload makes pods only where neither a workload that made it nor a pod that it made is among the objects.
    Label changes of ``Objects.pod_labels`` are applied; those for pods that do not exist have no effect.
    """
    owners = _Owners(objects)
    drafts: dict[str, PodDraft] = {}
    finished: dict[str, PodDraft] = {}
    problems: list[Problem] = []
    for draft in (
        *_bare(objects, owners),
        *(d for w in objects.workloads if owners.makes_pods(w) for d in _of_workload(w, nodes)),
    ):
        other = drafts.get(draft.ref) or finished.get(draft.ref)
        if other is not None:
            line = other.source.line()
            where = f" ({other.source.file}:{line})" if line else ""
            message = f"makes pod {draft.ref}, and so does {other.object}{where}"
            problems.append(draft.problem("metadata.name", message))
        elif draft.phase in FINISHED:
            finished[draft.ref] = draft
        else:
            drafts[draft.ref] = _relabel(draft, objects.pod_labels.get(draft.ref, {}))
    over = {ref: finished[ref].workload for ref in sorted(finished)}
    return sorted(drafts.values(), key=lambda d: d.order), over, problems


class _Owners:
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


def _bare(objects: Objects, owners: _Owners) -> Iterator[PodDraft]:
    for pod in objects.pods:
        yield PodDraft(
            pod.meta,
            pod.spec,
            object=f"Pod {pod.meta.key}",
            order=(pod.meta.namespace, pod.meta.name, 0, ""),
            workload=owners.workload_of(pod.meta),
            phase=pod.phase,
            addresses=pod.addresses,
            source=pod.source,
        )


def _of_workload(workload: Workload, nodes: Sequence[NodeDraft]) -> Iterator[PodDraft]:
    owner = workload.meta
    base = PodDraft(
        workload.template_meta,
        workload.template,
        object=f"{workload.kind} {owner.key}",
        order=(owner.namespace, owner.name, 0, ""),
        workload=f"{workload.kind} {owner.key}",
        meta_path=f"{workload.template_path}.metadata",
        spec_path=f"{workload.template_path}.spec",
        source=workload.source,
    )
    if workload.replicas is not None:
        for ordinal in range(workload.replicas):
            yield _member(base, owner, str(ordinal), ordinal)
        return
    # A template's nodeName is kept as it is, so that one which does not fit is found by placement like any other.
    pinned = workload.template.node_name
    for node in [pinned] if pinned else [n.name for n in nodes if n.may_satisfy(workload.template.node_selector)]:
        member = _member(base, owner, node, 0)
        yield replace(member, spec=replace(member.spec, node_name=node))


def _member(base: PodDraft, owner: Meta, suffix: str, ordinal: int) -> PodDraft:
    meta = replace(base.meta, name=f"{owner.name}-{suffix}", namespace=owner.namespace)
    return replace(base, meta=meta, order=(owner.namespace, owner.name, ordinal, suffix))


def _relabel(draft: PodDraft, change: Mapping[str, str | None]) -> PodDraft:
    if not change:
        return draft
    labels = {k: v for k, v in {**draft.meta.labels, **change}.items() if v is not None}
    return replace(draft, meta=replace(draft.meta, labels=labels))
