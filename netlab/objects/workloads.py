"""Parts that all workload kinds share: the number of pods, and the pod template."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from netlab.errors import Problem
from netlab.objects import names, usable
from netlab.objects.bounds import MOST_PODS
from netlab.objects.field_types import Choice, Flag, Part, Root, Text, Whole
from netlab.objects.fields import Fields, invalid, required
from netlab.objects.kind import Kind, Template, template_of
from netlab.objects.label_selectors import Selector, label_selector
from netlab.objects.meta import METADATA, TemplateMeta, object_meta, open_document, read_annotations
from netlab.objects.pods import PodTemplate, pod_spec
from netlab.objects.rollouts import (
    DaemonSetStrategy,
    DeploymentStrategy,
    StatefulSetStrategy,
)
from netlab.objects.selectors import LabelSelector
from netlab.objects.shapes import Shape
from netlab.objects.types import Document, Meta, Workload

_INT32 = 2**31 - 1
_INDEXED = "Indexed"
_MOST_INDEXED = 100_000
_SUBDOMAINS = 26
"""The last version in which the name of a StatefulSet may have dots."""


class Templated(Shape):
    """The spec of a workload."""

    template = Part("template", "The template of the pods.", shape=PodTemplate)


class Selecting(Templated):
    """The spec of a workload that finds its pods by a label selector."""

    selector = Part("selector", "Which pods the workload counts as its own.", shape=Selector)


class Replicated(Templated):
    """The spec of a workload that states how many pods it has."""

    replicas = Whole("replicas", "The number of pods.", default=1)


class ReplicaSetSpec(Replicated, Selecting):
    """The spec of a ReplicaSet."""


class DeploymentSpec(Replicated, Selecting):
    """The spec of a Deployment."""

    strategy = Part("strategy", "How pods are replaced after a change of the template.", shape=DeploymentStrategy)


class DaemonSetSpec(Selecting):
    """The spec of a DaemonSet."""

    strategy = Part("updateStrategy", "How pods are replaced after a change.", shape=DaemonSetStrategy)


class _Ordinals(Shape):
    """How the pods of a StatefulSet are numbered."""

    start = Whole("start", "The number of the first pod.", default=0)


class StatefulSetSpec(Replicated, Selecting):
    """The spec of a StatefulSet."""

    # A cluster makes no pod with another name in its field subdomain.
    service = Text("serviceName", "The Service below which DNS has the pods' names.", check=names.dns_label)
    ordinals = Part("ordinals", "How the pods are numbered.", shape=_Ordinals)
    strategy = Part("updateStrategy", "How pods are replaced after a change.", shape=StatefulSetStrategy)


class JobSpec(Templated):
    """The spec of a Job."""

    parallelism = Whole("parallelism", "How many pods run at a time.", default=1)
    completions = Whole("completions", "How many pods have to succeed.")
    mode = Choice(
        "completionMode", "Whether the pods are numbered.", values=("NonIndexed", _INDEXED), default="NonIndexed"
    )
    suspend = Flag("suspend", "Whether the Job has no pods until it is resumed.")
    manual_selector = Flag("manualSelector", "Whether the Job controller adds no labels to the pods.")


class ReplicatedRoot(Root):
    """A workload that states how many pods it has."""

    metadata = METADATA
    spec = Part("spec", "The number of pods, and their template.", shape=Replicated)


def workload_kind(
    name: str,
    api_version: str,
    template: Template,
    *,
    retired: tuple[str, ...] = (),
    short: tuple[str, ...] = (),
    shape: type[Root] = ReplicatedRoot,
) -> Kind:
    """Return a kind that makes pods of a template; ``shape`` declares its fields."""
    return Kind(
        name,
        api_version,
        Workload,
        workload,
        retired=retired,
        plural=f"{name.lower()}s",
        short=short,
        template=template,
        unknown_if_wrong=usable.POD_FACTS,
        usable=_usable,
        shape=shape,
    )


def workload(document: Document) -> tuple[Workload, list[Problem]]:
    """Decode a workload; a DaemonSet has one pod on every node (``replicas`` None)."""
    root = open_document(document)
    made = template_of(document.kind)
    meta = _meta(root, made)
    spec = root
    for name in made.path:
        spec = spec.part(name)
    template = Templated.template.read(spec)
    metadata = PodTemplate.metadata.read(template)
    labels = TemplateMeta.labels.read(metadata)
    manual = made.job and JobSpec.manual_selector.read(spec)
    if not manual:
        made.check(metadata, labels, meta)
    made.check_selector(spec, metadata, labels)
    if made.job:
        made.check_job(root, spec, meta)
    own = pod_spec(PodTemplate.spec.read(template), named=not made.stable_names)
    if made.stable_names:
        # The StatefulSet controller overwrites the template's subdomain, and gives each pod its name as hostname.
        own = replace(own, subdomain=StatefulSetSpec.service.read(spec))
    found = Workload(
        document.kind,
        meta,
        made.replicas(ReplicatedRoot.spec.read(root), spec),
        Meta("", meta.namespace, labels, read_annotations(metadata, f"{template.path}.annotations")),
        own,
        ".".join((*made.path, "template")),
        document.source,
        first=_first(spec) if made.stable_names else 0,
        indexed=made.job and spec.data.get(JobSpec.mode.name) == _INDEXED,
        manual_selector=manual,
        rollout=made.rollout(spec) if made.rollout is not None else None,
    )
    return found, root.report.problems


def selects_own(kind: str) -> Callable[[Fields, Fields, Mapping[str, str]], None]:
    """Return the check of a selector, which may not be empty; ``kind`` is how the API server's message names the kind.

    Source: ValidateDeploymentSpec and the others of pkg/apis/apps/validation. A workload without a selector is taken:
    a lab does not need it, and records of older labs have none.
    """

    def check(spec: Fields, metadata: Fields, labels: Mapping[str, str]) -> None:
        found = read_selector(spec)
        if found is None:
            return
        if not (found.match_labels or found.match_expressions):
            Selecting.selector.error(spec, invalid({}, f"empty selector is invalid for {kind}"))
        check_match(metadata, labels, matches=found.matches(labels))

    return check


def read_selector(spec: Fields) -> LabelSelector | None:
    """Return the selector of a workload, None if there is none or it has an error, which is reported."""
    fields = Selecting.selector.find(spec)
    if fields is None:
        return None
    before = len(spec.report.problems)
    found = label_selector(fields)
    return found if len(spec.report.problems) == before else None


def check_match(metadata: Fields, labels: Mapping[str, str], *, matches: bool) -> None:
    """Report the labels of a template that the workload's own selector does not match."""
    if not matches:
        message = "`selector` does not match template `labels`"
        shown = dict(sorted(labels.items())) if TemplateMeta.labels.has(metadata) else None
        TemplateMeta.labels.error(metadata, invalid(shown, message))


def _meta(root: Fields, made: Template) -> Meta:
    if not made.stable_names:
        return object_meta(root)
    # The names of the pods are host names, and begin with that of the StatefulSet.
    return object_meta(root, names.dns_label, older=(_SUBDOMAINS, names.dns_subdomain))


def as_stated(own: Fields, spec: Fields) -> int:
    """Return the number of pods of a workload with ``replicas``."""
    return _bounded(spec, Replicated.replicas, _count(spec, Replicated.replicas))


def check_indexed(root: Fields, spec: Fields, meta: Meta) -> None:
    """Report a name of a Job whose numbered pods could not have host names."""
    completions = JobSpec.completions.written(spec)
    if JobSpec.mode.written(spec) != _INDEXED or not isinstance(completions, int) or completions < 1:
        return
    last = f"{meta.name}-{completions - 1}"
    if names.dns_label(last):
        message = f"will not able to create pod with invalid DNS label: {last}"
        root.report.error("metadata.name", invalid(meta.name, message))


def of_job(own: Fields, spec: Fields) -> int:
    """Return the number of pods of a Job: its parallelism, and at most its completions.

    Source: ``manageJob`` of pkg/controller/job, for a Job without finished pods.
    """
    parallelism = _count(spec, JobSpec.parallelism)
    completions = _count(spec, JobSpec.completions)
    # Without both, both are 1; but not in the template of a CronJob.
    of_template = own.path != spec.path
    unsaid = (of_template or JobSpec.parallelism.has(spec)) and not JobSpec.completions.has(spec)
    if JobSpec.mode.read(spec) == _INDEXED and unsaid:
        JobSpec.completions.error(spec, required("when completion mode is Indexed"))
    if JobSpec.mode.read(spec) == _INDEXED and parallelism is not None and parallelism > _MOST_INDEXED:
        message = f"must be less than or equal to {_MOST_INDEXED} when completion mode is Indexed"
        JobSpec.parallelism.error(spec, invalid(parallelism, message))
        return 0
    at_once = parallelism if completions is None else min(parallelism or 0, completions)
    return 0 if JobSpec.suspend.read(spec) else _bounded(spec, JobSpec.parallelism, at_once)


def _first(spec: Fields) -> int:
    ordinals = StatefulSetSpec.ordinals.read(spec)
    found = _count(ordinals, _Ordinals.start) or 0
    if found > _INT32 - MOST_PODS:
        message = f"must be less than or equal to {_INT32 - MOST_PODS} in a lab"
        _Ordinals.start.error(ordinals, invalid(found, message))
        return 0
    return found


def _count(spec: Fields, field: Whole) -> int | None:
    count = field.read(spec)
    if count is not None and count < 0:
        field.error(spec, invalid(count, "must be greater than or equal to 0"))
        return 0
    return count


def _bounded(spec: Fields, field: Whole, count: int | None) -> int:
    if count is not None and count > MOST_PODS:
        field.error(spec, invalid(count, f"must be less than or equal to {MOST_PODS} in a lab"))
        return 1
    return count or 0


def _usable(workload: Workload, wrong: list[str]) -> Workload:
    path = workload.template_path
    meta = usable.pod_meta(workload.template_meta, f"{path}.metadata", f"{path}.spec", wrong)
    return replace(workload, template_meta=meta, template=usable.pod_spec(workload.template, f"{path}.spec", wrong))
