"""The workload kinds of v1, apps/v1 and batch/v1: how many pods, of which template."""

from __future__ import annotations

from dataclasses import dataclass

from netlab.errors import Problem
from netlab.objects.bounds import MOST_PODS
from netlab.objects.controllers import JOB_NAMES
from netlab.objects.fields import Fields, invalid, required
from netlab.objects.meta import object_meta, open_document, read_annotations, read_labels
from netlab.objects.pods import pod_spec
from netlab.objects.types import Document, Meta, Workload

_INT32 = 2**31 - 1
COUNTS = (
    r"replicas|ordinals(\.start)?|suspend|jobTemplate(\.spec)?"
    r"|(jobTemplate\.spec\.)?(parallelism|completions|completionMode|suspend)"
)
"""The fields below ``spec`` that say how many pods a workload has and what they are called, as an expression."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Where a workload kind is served, and under which fields it keeps the pod template and what goes with it."""

    api_version: str
    path: tuple[str, ...] = ("spec",)

    @property
    def template_path(self) -> str:
        """Where the pod template stands in the object."""
        return ".".join((*self.path, "template"))


SHAPES: dict[str, Shape] = {
    "Deployment": Shape("apps/v1"),
    "ReplicaSet": Shape("apps/v1"),
    "ReplicationController": Shape("v1"),
    "StatefulSet": Shape("apps/v1"),
    "DaemonSet": Shape("apps/v1"),
    "Job": Shape("batch/v1"),
    "CronJob": Shape("batch/v1", ("spec", "jobTemplate", "spec")),
}


def workload(document: Document) -> tuple[Workload, list[Problem]]:
    """Decode a workload; a DaemonSet has one pod on every node (``replicas`` None)."""
    root = open_document(document)
    shape = SHAPES[document.kind]
    meta = object_meta(root)
    spec = root
    for name in shape.path:
        spec = spec.sub(name)
    template = spec.sub("template")
    metadata = template.sub("metadata")
    labels = read_labels(metadata)
    of_jobs = document.kind in ("Job", "CronJob")
    manual = of_jobs and spec.boolean("manualSelector")
    if of_jobs and not manual:
        _check_job_names(metadata, labels, meta, document.kind)
    found = Workload(
        document.kind,
        meta,
        _replicas(document.kind, root.sub("spec"), spec),
        Meta("", meta.namespace, labels, read_annotations(metadata)),
        pod_spec(template.sub("spec")),
        shape.template_path,
        document.source,
        first=_first(spec) if document.kind == "StatefulSet" else 0,
        indexed=of_jobs and spec.data.get("completionMode") == "Indexed",
        manual_selector=manual,
    )
    return found, root.report.problems


def _replicas(kind: str, own: Fields, spec: Fields) -> int | None:
    """Return how many pods a workload has at a time; ``own`` is its ``spec``, ``spec`` the one with the template."""
    match kind:
        case "DaemonSet":
            return None
        case "Job":
            return _of_job(spec)
        case "CronJob":
            # How many of its Jobs run at a time is a question of the hour: it is one pod, where a Job has any.
            suspended = own.boolean("suspend")
            return 0 if suspended else min(_of_job(spec), 1)
    return _bounded(spec, "replicas", _count(spec, "replicas", 1))


def _of_job(spec: Fields) -> int:
    """Return how many pods of a Job run at a time: its parallelism, and no more than it still has to complete.

    Source: ``manageJob`` of pkg/controller/job, for a Job of which no pod has ended yet.
    """
    parallelism = _count(spec, "parallelism", 1)
    completions = _count(spec, "completions", None)
    mode = spec.choice("completionMode", ("NonIndexed", "Indexed"), "NonIndexed")
    if mode == "Indexed" and not spec.has("completions"):
        spec.error("completions", required("when completion mode is Indexed"))
    at_once = parallelism if completions is None else min(parallelism or 0, completions)
    return 0 if spec.boolean("suspend") else _bounded(spec, "parallelism", at_once)


def _first(spec: Fields) -> int:
    start = spec.sub("ordinals")
    found = _count(start, "start", 0) or 0
    if found > _INT32 - MOST_PODS:
        start.error("start", invalid(found, f"must be less than or equal to {_INT32 - MOST_PODS} in a lab"))
        return 0
    return found


def _count(spec: Fields, name: str, default: int | None) -> int | None:
    count = spec.integer(name)
    if count is not None and count < 0:
        spec.error(name, invalid(count, "must be greater than or equal to 0"))
        return 0
    return default if count is None else count


def _bounded(spec: Fields, name: str, count: int | None) -> int:
    if count is not None and count > MOST_PODS:
        spec.error(name, invalid(count, f"must be less than or equal to {MOST_PODS} in a lab"))
        return 1
    return count or 0


def _check_job_names(metadata: Fields, labels: dict[str, str], meta: Meta, kind: str) -> None:
    """Report a name that the API server refuses: the template of a Job may only state the Job's own.

    A CronJob is accepted with one, and then its Jobs are refused, as their names differ.
    """
    for key in JOB_NAMES:
        path = f"{metadata.at('labels')}.{key}"
        if key not in labels or (kind == "Job" and labels[key] == meta.name):
            continue
        if kind == "Job":
            metadata.report.error(path, invalid(labels[key], f"must be '{meta.name}'"))
        else:
            message = "the API server refuses the Jobs of this CronJob: each has a name of its own"
            metadata.report.warn(path, message, "job-name-of-cronjob")
