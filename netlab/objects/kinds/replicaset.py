"""ReplicaSet: its controller sets no label."""

from __future__ import annotations

from netlab.objects.kind import Template
from netlab.objects.workloads import as_stated, workload_kind

KIND = workload_kind(
    "ReplicaSet",
    "apps/v1",
    Template(2, as_stated),
    retired=("apps/v1beta1", "apps/v1beta2", "extensions/v1beta1"),
    short=("rs",),
)
