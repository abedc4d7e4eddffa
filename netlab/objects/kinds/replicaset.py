"""ReplicaSet: its controller sets no label."""

from __future__ import annotations

from netlab.objects.field_types import Part, Root
from netlab.objects.kind import Template
from netlab.objects.meta import METADATA
from netlab.objects.workloads import ReplicaSetSpec, as_stated, selects_own, workload_kind


class _Root(Root):
    """Pods of one template."""

    metadata = METADATA
    spec = Part("spec", "The number of pods, and their template.", shape=ReplicaSetSpec)


KIND = workload_kind(
    "ReplicaSet",
    "apps/v1",
    # The API server's message says "deployment" here too.
    Template(2, as_stated, check_selector=selects_own("deployment")),
    shape=_Root,
    retired=("apps/v1beta1", "apps/v1beta2", "extensions/v1beta1"),
    short=("rs",),
)
