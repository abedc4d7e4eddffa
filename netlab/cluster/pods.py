"""Pods before they have a node: Pods of the input, and the pods that workloads make.

``objects.pod_names`` has the names, ``objects.controllers`` the labels that controllers add.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import field, replace
from functools import partial
from itertools import chain

from netlab.cluster.nodes import NodeDraft
from netlab.errors import Problem
from netlab.frozen import frozen
from netlab.objects import controllers
from netlab.objects.all_objects import Objects
from netlab.objects.bounds import MOST_PODS
from netlab.objects.kind import template_of
from netlab.objects.pod_names import Owners, pod_names
from netlab.objects.types import Address, Meta, PodSpec, Source, Workload

FINISHED = ("Succeeded", "Failed")


@frozen
class PodDraft:
    """One pod before placement.

    ``object`` (``KIND NAMESPACE/NAME``), ``meta_path`` and ``spec_path`` are its place in the input, for messages.
    ``order`` sorts pods by namespace, then owner, then ordinal. ``phase`` and ``addresses`` are those of an exported
    pod. ``renamed`` says that the pod's name does not begin with its workload's name. ``ready``, ``terminating`` and
    ``system`` are those of ``cluster.Pod``. ``moves`` says that the pod leaves a stopped node and keeps its name.
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
    renamed: bool = False
    ready: bool = True
    terminating: bool = False
    system: bool = False
    moves: bool = False

    @property
    def ref(self) -> str:
        return self.meta.key

    @property
    def bound(self) -> bool:
        """Whether a cluster bound it to its node: it has a nodeName and a status. Its nodeSelector does not count."""
        return bool(self.spec.node_name and (self.phase or self.addresses))

    @property
    def publishes(self) -> bool:
        """Whether it publishes a port on its node."""
        return not self.spec.host_network and any(port.host_port for port in self.spec.ports)

    def problem(self, path: str, message: str) -> Problem:
        """Return a problem of one of its fields, with the field's line."""
        return Problem(self.source.file, self.source.line(path), path, self.object, message)


def pod_drafts(objects: Objects, nodes: Sequence[NodeDraft]) -> tuple[list[PodDraft], dict[str, str], list[Problem]]:
    """Return the pods that run, the workloads of finished pods by pod reference, and the problems.

    An export of a cluster holds a Deployment, its ReplicaSet and their Pods. Each pod counts once, as exported: a
    workload makes no pods if its owner, or a pod that it made, is among the objects. Changes in ``Objects.pod_labels``
    are applied. A change for a pod that does not exist has no effect.
    """
    owners = Owners(objects)
    drafts: dict[str, PodDraft] = {}
    finished: dict[str, PodDraft] = {}
    problems: list[Problem] = []
    unready = {one.workload: one.unready for one in objects.workload_pods}
    made = (d for made in pod_names(objects, owners, partial(nodes_of, nodes)) for d in _of_workload(*made, unready))
    for count, draft in enumerate(chain(_bare(objects, owners), made)):
        if count == MOST_PODS:
            # One problem is enough, though earlier objects have too many pods as well.
            path = "spec.replicas" if draft.workload else ""
            problems.append(draft.problem(path, f"too many pods: a lab has at most {MOST_PODS:,} in all"))
            break
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


def _bare(objects: Objects, owners: Owners) -> Iterator[PodDraft]:
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
            ready=pod.ready,
            terminating=pod.terminating,
        )


def nodes_of(nodes: Sequence[NodeDraft], daemons: Workload) -> list[str]:
    """Return the nodes that a DaemonSet has pods on.

    A nodeName in the template is returned even if there is no such node. Placement reports it.
    """
    pinned = daemons.template.node_name
    return [pinned] if pinned else [n.name for n in nodes if n.may_satisfy(daemons.template.node_selector)]


def _of_workload(
    workload: Workload, stem: str, ends: Sequence[str], unready: Mapping[str, Collection[str]]
) -> Iterator[PodDraft]:
    """Yield the pods of a workload, named ``STEM-END`` for each of ``ends``.

    ``unready`` has, by workload, the ends of the names of pods that are not ready.
    """
    owner, template = workload.meta, workload.template_meta
    shared = replace(template, namespace=owner.namespace, labels=controllers.shared_labels(workload))
    base = PodDraft(
        shared,
        workload.template,
        object=f"{workload.kind} {owner.key}",
        order=(owner.namespace, owner.name, 0, ""),
        workload=f"{workload.kind} {owner.key}",
        meta_path=f"{workload.template_path}.metadata",
        spec_path=f"{workload.template_path}.spec",
        source=workload.source,
        renamed=stem != owner.name,
        moves=workload.indexed,
    )
    alike = not template_of(workload.kind).stable_names and not workload.indexed
    on_nodes = workload.replicas is None
    not_ready = unready.get(base.workload, ()) if unready else ()
    for place, end in enumerate(ends):
        name = f"{stem}-{end}"
        meta = replace(shared, name=name) if alike else _with_own_labels(shared, workload, name)
        spec = workload.template
        if on_nodes:
            spec = replace(spec, node_name=end)
        elif not alike:
            # The controllers of StatefulSets and of indexed Jobs set the hostname.
            spec = replace(spec, hostname=f"{owner.name}-{end}")
        order = (owner.namespace, owner.name, 0 if on_nodes else place, end)
        yield replace(base, meta=meta, spec=spec, order=order, ready=end not in not_ready)


def _with_own_labels(shared: Meta, workload: Workload, name: str) -> Meta:
    """Return the metadata of one pod, with the labels and annotations that its siblings do not have."""
    labels = {**shared.labels, **controllers.own_labels(workload, name)}
    return replace(
        shared,
        name=name,
        labels=labels,
        annotations={**shared.annotations, **controllers.own_annotations(workload, name)},
    )


def _relabel(draft: PodDraft, change: Mapping[str, str | None]) -> PodDraft:
    if not change:
        return draft
    labels = {k: v for k, v in {**draft.meta.labels, **change}.items() if v is not None}
    return replace(draft, meta=replace(draft.meta, labels=labels))
