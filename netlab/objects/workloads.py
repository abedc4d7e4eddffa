"""The workload kinds of apps/v1 and batch/v1: how many pods, of which template."""

from __future__ import annotations

from dataclasses import dataclass

from netlab.errors import Problem
from netlab.objects.bounds import MOST_PODS
from netlab.objects.fields import Fields, invalid
from netlab.objects.meta import object_meta, open_document, read_annotations, read_labels
from netlab.objects.pods import pod_spec
from netlab.objects.types import Document, Meta, Workload


@dataclass(frozen=True, slots=True)
class Shape:
    """Where a workload kind keeps its number of pods ("" where it has none) and its template."""

    api_version: str
    count: str = "replicas"
    template: tuple[str, ...] = ("spec", "template")


SHAPES: dict[str, Shape] = {
    "Deployment": Shape("apps/v1"),
    "ReplicaSet": Shape("apps/v1"),
    "StatefulSet": Shape("apps/v1"),
    "DaemonSet": Shape("apps/v1", ""),
    "Job": Shape("batch/v1", "parallelism"),
    "CronJob": Shape("batch/v1", "", ("spec", "jobTemplate", "spec", "template")),
}


def workload(document: Document) -> tuple[Workload, list[Problem]]:
    """Decode a workload; a CronJob has one pod, a DaemonSet one on every node (``replicas`` None)."""
    root = open_document(document)
    shape = SHAPES[document.kind]
    meta = object_meta(root)
    replicas: int | None = None if document.kind == "DaemonSet" else 1
    if shape.count:
        replicas = _count(root.sub("spec"), shape.count)
    template = root
    for name in shape.template:
        template = template.sub(name)
    metadata = template.sub("metadata")
    found = Workload(
        document.kind,
        meta,
        replicas,
        Meta("", meta.namespace, read_labels(metadata), read_annotations(metadata)),
        pod_spec(template.sub("spec")),
        ".".join(shape.template),
        document.source,
    )
    return found, root.report.problems


def _count(spec: Fields, name: str) -> int:
    count = spec.integer(name)
    if count is not None and count < 0:
        spec.error(name, invalid(count, "must be greater than or equal to 0"))
    if count is not None and count > MOST_PODS:
        spec.error(name, invalid(count, f"must be less than or equal to {MOST_PODS} in a lab"))
        return 1
    return 1 if count is None else max(count, 0)
