"""The part of an object that can be used if some of its fields have errors, and the facts that are unknown then."""

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
"""A regular expression for the fields in ``spec`` that set the number and the names of a workload's pods."""

POD_FACTS: FactsByField = (
    (rf"(kind|apiVersion|metadata(\.(name(space)?|generateName))?|spec(\.({COUNTS}))?)?", ("pods", "places")),
    (r".*", ("places",)),
)
"""The facts that are unknown if a field of a Pod or of a workload has an error."""


def whole(one: _T, wrong: Collection[str]) -> _T:
    """Return the whole object, for kinds whose valid fields can all be used."""
    return one


def pod_meta(meta: Meta, path: str, spec: str, wrong: Collection[str]) -> Meta:
    """Return the usable metadata of a pod. The network annotation cannot be used if hostNetwork has an error."""
    # The API server leaves out a part of the path of a template's annotations.
    paths = (f"{path}.annotations", f"{path.removesuffix('.metadata')}.annotations", f"{spec}.hostNetwork")
    unknown = any(affected(one, wrong) for one in paths)
    return replace(meta, labels={}, annotations={} if unknown else meta.annotations)


def pod_spec(spec: PodSpec, path: str, wrong: Collection[str]) -> PodSpec:
    """Return the usable part of a pod's spec."""
    fields = ("hostNetwork", "containers", "initContainers")
    return PodSpec(
        "" if affected(f"{path}.nodeName", wrong) else spec.node_name,
        {} if affected(f"{path}.nodeSelector", wrong) else spec.node_selector,
        spec.host_network,
        () if any(affected(f"{path}.{field}", wrong) for field in fields) else spec.ports,
        *(spec.hostname, spec.subdomain, spec.dns_policy, spec.dns_config, spec.host_aliases),
    )


def affected(path: str, wrong: Iterable[str]) -> bool:
    """Say whether a field, a field inside it or a field above it is in ``wrong``."""
    return any(re.match(re.escape(path) + r"(?![^.\[])", one) or f"{path}.".startswith(f"{one}.") for one in wrong)
