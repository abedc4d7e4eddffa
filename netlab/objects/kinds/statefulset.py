"""StatefulSet: its pods have stable names, which are also in their labels."""

from __future__ import annotations

from collections.abc import Mapping

from netlab.objects.controllers import REVISION_HASH, with_unknown
from netlab.objects.field_types import Part, Root
from netlab.objects.fields import Fields
from netlab.objects.kind import Template
from netlab.objects.meta import METADATA
from netlab.objects.rollouts import of_stateful_set
from netlab.objects.types import RolloutStrategy, Workload
from netlab.objects.workloads import StatefulSetSpec, as_stated, selects_own, workload_kind


class _Root(Root):
    """Pods with names that stay."""

    metadata = METADATA
    spec = Part("spec", "How many pods there are, their numbers and their template.", shape=StatefulSetSpec)


def _rollout(spec: Fields) -> RolloutStrategy:
    return of_stateful_set(StatefulSetSpec.strategy.read(spec))


def _labels(workload: Workload) -> Mapping[str, str]:
    return with_unknown(workload, REVISION_HASH)


KIND = workload_kind(
    "StatefulSet",
    "apps/v1",
    Template(
        0,
        as_stated,
        labels=_labels,
        stable_names=True,
        rollout=_rollout,
        stays=True,
        check_selector=selects_own("statefulset"),
    ),
    shape=_Root,
    retired=("apps/v1beta1", "apps/v1beta2", "extensions/v1beta1"),
    short=("sts",),
)
