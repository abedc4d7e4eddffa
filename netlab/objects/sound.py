"""What can be relied on of an object in which fields are wrong, and what of a lab is then in doubt."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import TypeVar

from netlab.objects.kind import Doubts
from netlab.objects.types import Meta, PodSpec

_T = TypeVar("_T")

COUNTS = (
    r"replicas|ordinals(\.start)?|suspend|jobTemplate(\.spec)?"
    r"|(jobTemplate\.spec\.)?(parallelism|completions|completionMode|suspend)"
)
"""The fields below ``spec`` that say how many pods a workload has and what they are called, as an expression."""

POD_DOUBTS: Doubts = (
    (rf"(kind|apiVersion|metadata(\.(name(space)?|generateName))?|spec(\.({COUNTS}))?)?", ("pods", "places")),
    (r".*", ("places",)),
)
"""What is in doubt when a field of a Pod or of a workload is wrong."""


def as_it_is(one: _T, wrong: Collection[str]) -> _T:
    """Return an object of which whatever was read can be relied on."""
    return one


def pod_meta(meta: Meta, path: str, spec: str, wrong: Collection[str]) -> Meta:
    """Return what is right in the metadata of a pod; its network means nothing while hostNetwork is in doubt."""
    unsure = touched(f"{path}.annotations", wrong) or touched(f"{spec}.hostNetwork", wrong)
    return replace(meta, labels={}, annotations={} if unsure else meta.annotations)


def pod_spec(spec: PodSpec, path: str, wrong: Collection[str]) -> PodSpec:
    """Return what is right in the spec of a pod."""
    fields = ("hostNetwork", "containers", "initContainers")
    return PodSpec(
        "" if touched(f"{path}.nodeName", wrong) else spec.node_name,
        {} if touched(f"{path}.nodeSelector", wrong) else spec.node_selector,
        spec.host_network,
        () if any(touched(f"{path}.{field}", wrong) for field in fields) else spec.ports,
    )


def touched(path: str, wrong: Iterable[str]) -> bool:
    """Say whether something is wrong with a field, in it or above it."""
    return any(re.match(re.escape(path) + r"(?![^.\[])", one) or f"{path}.".startswith(f"{one}.") for one in wrong)
