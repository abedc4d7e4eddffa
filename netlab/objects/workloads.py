"""What workload kinds share: how many pods, of which template."""

from __future__ import annotations

from dataclasses import replace

from netlab.errors import Problem
from netlab.objects import sound
from netlab.objects.bounds import MOST_PODS
from netlab.objects.fields import Fields, invalid, required
from netlab.objects.kind import Kind, Template, template_of
from netlab.objects.meta import object_meta, open_document, read_annotations, read_labels
from netlab.objects.pods import pod_spec
from netlab.objects.types import Document, Meta, Workload

_INT32 = 2**31 - 1


def workload_kind(
    name: str, api_version: str, template: Template, *, retired: tuple[str, ...] = (), short: tuple[str, ...] = ()
) -> Kind:
    """Return a kind that makes pods of a template."""
    return Kind(
        name,
        api_version,
        Workload,
        workload,
        retired=retired,
        plural=f"{name.lower()}s",
        short=short,
        template=template,
        doubts=sound.POD_DOUBTS,
        sound=_sound,
    )


def workload(document: Document) -> tuple[Workload, list[Problem]]:
    """Decode a workload; a DaemonSet has one pod on every node (``replicas`` None)."""
    root = open_document(document)
    made = template_of(document.kind)
    meta = object_meta(root)
    spec = root
    for name in made.path:
        spec = spec.sub(name)
    template = spec.sub("template")
    metadata = template.sub("metadata")
    labels = read_labels(metadata)
    manual = made.job and spec.boolean("manualSelector")
    if not manual:
        made.check(metadata, labels, meta)
    found = Workload(
        document.kind,
        meta,
        made.replicas(root.sub("spec"), spec),
        Meta("", meta.namespace, labels, read_annotations(metadata)),
        pod_spec(template.sub("spec")),
        ".".join((*made.path, "template")),
        document.source,
        first=_first(spec) if made.stable_names else 0,
        indexed=made.job and spec.data.get("completionMode") == "Indexed",
        manual_selector=manual,
    )
    return found, root.report.problems


def as_stated(own: Fields, spec: Fields) -> int:
    """Return how many pods a workload has that states ``replicas``."""
    return _bounded(spec, "replicas", _count(spec, "replicas", 1))


def of_job(own: Fields, spec: Fields) -> int:
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


def _sound(workload: Workload, wrong: list[str]) -> Workload:
    path = workload.template_path
    meta = sound.pod_meta(workload.template_meta, f"{path}.metadata", f"{path}.spec", wrong)
    return replace(workload, template_meta=meta, template=sound.pod_spec(workload.template, f"{path}.spec", wrong))
