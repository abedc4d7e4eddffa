"""CronJob: it has the pod of one Job, none if its Jobs have none."""

from __future__ import annotations

from collections.abc import Mapping

from netlab.objects.controllers import JOB_NAMES, job_labels, made_up
from netlab.objects.field_types import Flag, Part, Root
from netlab.objects.fields import Fields, invalid
from netlab.objects.kind import Template
from netlab.objects.meta import METADATA, TemplateMeta
from netlab.objects.shapes import Shape
from netlab.objects.types import Meta, Workload
from netlab.objects.workloads import JobSpec, of_job, workload_kind

# The name of a Job ends with eleven characters for its time.
_LONGEST_NAME = 52


class _JobTemplate(Shape):
    """What the Jobs are made of."""

    spec = Part("spec", "The spec of each Job.", shape=JobSpec)


class _Spec(Shape):
    """The spec of a CronJob."""

    suspend = Flag("suspend", "Whether no Jobs are made for the time being.")
    job_template = Part("jobTemplate", "What the Jobs are made of.", shape=_JobTemplate)


class _Root(Root):
    """Jobs that are made at scheduled times."""

    metadata = METADATA
    spec = Part("spec", "The template of the Jobs.", shape=_Spec)


def _replicas(own: Fields, spec: Fields) -> int:
    # The number of Jobs that run depends on the time of day. One pod stands for all.
    suspended, pods = _Spec.suspend.read(own), of_job(own, spec)
    return 0 if suspended else min(pods, 1)


def _labels(workload: Workload) -> Mapping[str, str]:
    # A Job's name ends with its scheduled time in minutes.
    return job_labels(workload, f"{workload.meta.name[:46]}-{made_up(workload, JOB_NAMES[0])}")


def _check_job(root: Fields, spec: Fields, meta: Meta) -> None:
    if len(meta.name.encode()) > _LONGEST_NAME:
        root.report.error("metadata.name", invalid(meta.name, f"must be no more than {_LONGEST_NAME} characters"))


def _check(metadata: Fields, labels: Mapping[str, str], meta: Meta) -> None:
    """Warn of a Job's name in the labels: the API server accepts the CronJob, and then refuses its Jobs."""
    for key in JOB_NAMES:
        if key in labels:
            path = f"{TemplateMeta.labels.at(metadata)}.{key}"
            message = "the API server refuses the Jobs of this CronJob: each has a name of its own"
            metadata.report.warn(path, message, "job-name-of-cronjob")


KIND = workload_kind(
    "CronJob",
    "batch/v1",
    Template(6, _replicas, ("spec", "jobTemplate", "spec"), _labels, job=True, check=_check, check_job=_check_job),
    shape=_Root,
    retired=("batch/v1beta1", "batch/v2alpha1"),
    short=("cj",),
)
