"""Deployment: its controller adds a hash of the template to the labels of its ReplicaSets and their pods."""

from __future__ import annotations

from collections.abc import Mapping

from netlab.objects.controllers import TEMPLATE_HASH, with_unknown
from netlab.objects.field_types import Part, Root
from netlab.objects.fields import Fields
from netlab.objects.kind import Template
from netlab.objects.meta import METADATA
from netlab.objects.rollouts import of_deployment
from netlab.objects.types import RolloutStrategy, Workload
from netlab.objects.workloads import DeploymentSpec, as_stated, selects_own, workload_kind


class _Root(Root):
    """Pods of one template, which a rolling update replaces."""

    metadata = METADATA
    spec = Part("spec", "The number of pods, and their template.", shape=DeploymentSpec)


def _rollout(spec: Fields) -> RolloutStrategy:
    return of_deployment(DeploymentSpec.strategy.read(spec))


def _labels(workload: Workload) -> Mapping[str, str]:
    return with_unknown(workload, TEMPLATE_HASH)


KIND = workload_kind(
    "Deployment",
    "apps/v1",
    Template(1, as_stated, labels=_labels, rollout=_rollout, check_selector=selects_own("deployment")),
    shape=_Root,
    retired=("apps/v1beta1", "apps/v1beta2", "extensions/v1beta1"),
    short=("deploy",),
)
