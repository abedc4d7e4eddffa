"""ReplicationController: its controller sets no label. Its selector is a mapping of labels."""

from __future__ import annotations

from collections.abc import Mapping

from netlab.objects.field_types import Part, Root, TextMap
from netlab.objects.fields import Fields, required
from netlab.objects.kind import Template
from netlab.objects.meta import METADATA
from netlab.objects.workloads import Replicated, as_stated, check_match, workload_kind


class _Spec(Replicated):
    """The spec of a ReplicationController."""

    selector = TextMap("selector", "Labels of the pods that it counts as its own.")


class _Root(Root):
    """Pods of one template."""

    metadata = METADATA
    spec = Part("spec", "The number of pods, and their template.", shape=_Spec)


def _check(spec: Fields, metadata: Fields, labels: Mapping[str, str]) -> None:
    # Source: ValidatePodTemplateSpecForRC. An empty selector becomes the labels of the template.
    selector = _Spec.selector.read(spec)
    if _Spec.selector.has(spec) and not selector and not labels:
        _Spec.selector.error(spec, required())
    if _Spec.template.has(spec):
        check_match(metadata, labels, matches=selector.items() <= labels.items())


KIND = workload_kind(
    "ReplicationController", "v1", Template(3, as_stated, check_selector=_check), shape=_Root, short=("rc",)
)
