"""Deployment: its controller adds a hash of the template to the labels of its ReplicaSets and their pods."""

from __future__ import annotations

from collections.abc import Mapping

from netlab.objects.controllers import TEMPLATE_HASH, with_unknown
from netlab.objects.kind import Template
from netlab.objects.types import Workload
from netlab.objects.workloads import as_stated, workload_kind


def _labels(workload: Workload) -> Mapping[str, str]:
    return with_unknown(workload, TEMPLATE_HASH)


KIND = workload_kind(
    "Deployment",
    "apps/v1",
    Template(1, as_stated, labels=_labels),
    retired=("apps/v1beta1", "apps/v1beta2", "extensions/v1beta1"),
    short=("deploy",),
)
