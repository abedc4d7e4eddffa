"""The part of an object that can be used when some of its fields are wrong, and what of a lab is not known then."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import TypeVar

from netlab.objects.kind import FactsByField
from netlab.objects.types import Meta, PodSpec

_T = TypeVar("_T")

COUNTS = (
    r"replicas|ordinals(\.start)?|suspend|jobTemplate(\.spec)?"
    r"|(jobTemplate\.spec\.)?(parallelism|completions|completionMode|suspend)"
)
"""The fields below ``spec`` that say how many pods a workload has and what they are called, as an expression."""

POD_FACTS: FactsByField = (
    (rf"(kind|apiVersion|metadata(\.(name(space)?|generateName))?|spec(\.({COUNTS}))?)?", ("pods", "places")),
    (r".*", ("places",)),
)
"""What is not known while a field of a Pod or of a workload is wrong."""


def as_it_is(one: _T, wrong: Collection[str]) -> _T:
    """Return the object: all that was read of it can be used."""
    return one


def pod_meta(meta: Meta, path: str, spec: str, wrong: Collection[str]) -> Meta:
    """Return the usable metadata of a pod; its network means nothing while hostNetwork is wrong."""
    unsure = touched(f"{path}.annotations", wrong) or touched(f"{spec}.hostNetwork", wrong)
    return replace(meta, labels={}, annotations={} if unsure else meta.annotations)


def pod_spec(spec: PodSpec, path: str, wrong: Collection[str]) -> PodSpec:
    """Return the usable part of the spec of a pod."""
    fields = ("hostNetwork", "containers", "initContainers")
    return PodSpec(
        "" if touched(f"{path}.nodeName", wrong) else spec.node_name,
        {} if touched(f"{path}.nodeSelector", wrong) else spec.node_selector,
        spec.host_network,
        () if any(touched(f"{path}.{field}", wrong) for field in fields) else spec.ports,
    )


def touched(path: str, wrong: Iterable[str]) -> bool:
    """Say whether a field is wrong, or one inside it or above it."""
    return any(re.match(re.escape(path) + r"(?![^.\[])", one) or f"{path}.".startswith(f"{one}.") for one in wrong)
