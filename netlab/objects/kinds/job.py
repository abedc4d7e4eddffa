"""Job: it has as many pods as run at a time, with the Job's name as a label."""

from __future__ import annotations

from collections.abc import Mapping

from netlab.objects.controllers import JOB_NAMES, job_labels
from netlab.objects.field_types import Part, Root
from netlab.objects.fields import Fields, invalid
from netlab.objects.kind import Template
from netlab.objects.meta import METADATA, TemplateMeta
from netlab.objects.types import Meta, Workload
from netlab.objects.workloads import JobSpec, check_indexed, of_job, workload_kind


class _Root(Root):
    """Pods that run until enough of them have succeeded."""

    metadata = METADATA
    spec = Part("spec", "How many pods run at a time, and their template.", shape=JobSpec)


def _labels(workload: Workload) -> Mapping[str, str]:
    return job_labels(workload, workload.meta.name)


def _check(metadata: Fields, labels: Mapping[str, str], meta: Meta) -> None:
    """Report a label of the template with the name of another Job, which the API server refuses."""
    for key in JOB_NAMES:
        if labels.get(key, meta.name) != meta.name:
            metadata.report.error(
                f"{TemplateMeta.labels.at(metadata)}.{key}", invalid(labels[key], f"must be '{meta.name}'")
            )


KIND = workload_kind(
    "Job",
    "batch/v1",
    Template(5, of_job, labels=_labels, job=True, check=_check, check_job=check_indexed),
    shape=_Root,
    retired=("extensions/v1beta1",),
)
