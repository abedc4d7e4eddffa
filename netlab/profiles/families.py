"""What an input states in an IP family that its profile does not have: it is left out, with warnings."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from typing import Any

from netlab.errors import Problem
from netlab.objects.all_objects import Objects
from netlab.objects.services import Service
from netlab.objects.types import Node, Pod

LEFT_OUT = "family-left-out"
NAMES = {4: "IPv4", 6: "IPv6"}


def without_others(objects: Objects, families: Collection[int], profile: str) -> tuple[Objects, list[Problem]]:
    """Return objects without addresses and ranges of pods and Services in other IP families, and a warning for each.

    A Service that has only other families is left as it is: the cluster refuses it.
    """
    found = dict(objects.found)
    problems: list[Problem] = []
    changes: tuple[tuple[type[Any], Callable[..., tuple[Any, str]]], ...] = (
        (Pod, _pod),
        (Node, _node),
        (Service, _service),
    )
    for kind, change in changes:
        some = objects.of(kind)
        changed = tuple(change(one, families) for one in some)
        paths = zip(some, changed, strict=True)
        problems += [_warning(one, kind.__name__, path, families, profile) for one, (_, path) in paths if path]
        found[kind] = tuple(after for after, _ in changed)
    return Objects(found, objects.skipped, objects.documents, objects.pod_labels, objects.unread), problems


def _pod(pod: Pod, families: Collection[int]) -> tuple[Pod, str]:
    """Return a pod without addresses of other families, and the path of the first, "" if there is none."""
    if all(one.version in families for one in pod.addresses):
        return pod, ""
    return replace(pod, addresses=tuple(one for one in pod.addresses if one.version in families)), "status.podIPs"


def _node(node: Node, families: Collection[int]) -> tuple[Node, str]:
    if all(one.version in families for one in node.pod_cidrs):
        return node, ""
    return replace(node, pod_cidrs=tuple(one for one in node.pod_cidrs if one.version in families)), "spec.podCIDRs"


def _service(service: Service, families: Collection[int]) -> tuple[Service, str]:
    written = {*service.ip_families, *(one.version for one in service.cluster_ips)}
    others = {*written} | {one.version for one in _outer(service)}
    dual = service.ip_family_policy == "RequireDualStack"
    if (written and not written.intersection(families)) or not (dual or others.difference(families)):
        return service, ""
    changed = replace(
        service,
        cluster_ips=tuple(one for one in service.cluster_ips if one.version in families),
        ip_families=tuple(one for one in service.ip_families if one in families),
        ip_family_policy="SingleStack" if service.ip_family_policy else "",
        external_ips=tuple(one for one in service.external_ips if one.version in families),
        load_balancer=tuple(
            one for one in service.load_balancer if one.address is None or one.address.version in families
        ),
    )
    return changed, "spec.ipFamilyPolicy" if dual and not others.difference(families) else "spec.ipFamilies"


def _outer(service: Service) -> Iterator[Any]:
    yield from service.external_ips
    yield from (one.address for one in service.load_balancer if one.address is not None)


def _warning(one: Any, kind: str, path: str, families: Collection[int], profile: str) -> Problem:
    left = " and ".join(NAMES[family] for family in NAMES if family not in families)
    message = f"{left} is left out: profile {profile} does not have it"
    label = f"{kind} {one.meta.key if hasattr(one, 'meta') else one.name}"
    source = one.source
    return Problem(source.file, source.line(path), path, label, message, "warning", LEFT_OUT, f"{kind}\0{profile}")
