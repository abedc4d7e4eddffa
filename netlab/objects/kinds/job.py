"""Job: it has as many pods as run at a time, with the Job's name as a label."""

from __future__ import annotations

from collections.abc import Mapping

from netlab.objects.controllers import JOB_NAMES, job_labels
from netlab.objects.field_types import Part, Root
from netlab.objects.fields import Fields, invalid
from netlab.objects.kind import Template
from netlab.objects.meta import METADATA, TemplateMeta
from netlab.objects.types import Meta, Workload
from netlab.objects.workloads import (
    JobSpec,
    Selecting,
    check_indexed,
    check_match,
    of_job,
    read_selector,
    workload_kind,
)


class _Spec(JobSpec, Selecting):
    """The spec of a Job that is not made of a CronJob."""


class _Root(Root):
    """Pods that run until enough of them have succeeded."""

    metadata = METADATA
    spec = Part("spec", "How many pods run at a time, and their template.", shape=_Spec)


def _labels(workload: Workload) -> Mapping[str, str]:
    return job_labels(workload, workload.meta.name)


def _check(metadata: Fields, labels: Mapping[str, str], meta: Meta) -> None:
    """Report a label of the template with the name of another Job, which the API server refuses."""
    for key in JOB_NAMES:
        if labels.get(key, meta.name) != meta.name:
            metadata.report.error(
                f"{TemplateMeta.labels.at(metadata)}.{key}", invalid(labels[key], f"must be '{meta.name}'")
            )


def _check_selector(spec: Fields, metadata: Fields, labels: Mapping[str, str]) -> None:
    """Report labels that a Job's selector does not match, if it is the user's own and not the API server's."""
    found = read_selector(spec)
    if found is not None and JobSpec.manual_selector.written(spec) is True:
        check_match(metadata, labels, matches=found.matches(labels))


KIND = workload_kind(
    "Job",
    "batch/v1",
    Template(
        5, of_job, labels=_labels, job=True, check=_check, check_selector=_check_selector, check_job=check_indexed
    ),
    shape=_Root,
    retired=("extensions/v1beta1",),
)
