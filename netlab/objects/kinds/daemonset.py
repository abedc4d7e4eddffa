"""DaemonSet: one pod on every node that its template admits."""

from __future__ import annotations

from collections.abc import Mapping

from netlab.objects.controllers import REVISION_HASH, TEMPLATE_GENERATION, made_up
from netlab.objects.field_types import Part, Root
from netlab.objects.fields import Fields
from netlab.objects.kind import Template
from netlab.objects.meta import METADATA
from netlab.objects.rollouts import of_daemon_set
from netlab.objects.types import RolloutStrategy, Workload
from netlab.objects.workloads import DaemonSetSpec, selects_own, workload_kind

_GENERATION_ANNOTATION = "deprecated.daemonset.template.generation"


class _Root(Root):
    """A pod on every node that the template admits."""

    metadata = METADATA
    spec = Part("spec", "The template of the pods.", shape=DaemonSetSpec)


def _rollout(spec: Fields) -> RolloutStrategy:
    return of_daemon_set(DaemonSetSpec.strategy.read(spec))


def _labels(workload: Workload) -> Mapping[str, str]:
    generation = workload.meta.annotations.get(_GENERATION_ANNOTATION) or made_up(workload, TEMPLATE_GENERATION)
    written = workload.template_meta.labels
    return {**written, TEMPLATE_GENERATION: generation, REVISION_HASH: made_up(workload, REVISION_HASH)}


KIND = workload_kind(
    "DaemonSet",
    "apps/v1",
    Template(
        4,
        lambda own, spec: None,
        labels=_labels,
        rollout=_rollout,
        stays=True,
        check_selector=selects_own("daemonset"),
    ),
    shape=_Root,
    retired=("apps/v1beta1", "apps/v1beta2", "extensions/v1beta1"),
    short=("ds",),
)
