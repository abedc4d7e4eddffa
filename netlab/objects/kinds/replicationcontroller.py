"""ReplicationController: its controller sets no label."""

from __future__ import annotations

from netlab.objects.kind import Template
from netlab.objects.workloads import as_stated, workload_kind

KIND = workload_kind("ReplicationController", "v1", Template(3, as_stated), short=("rc",))
