"""The IP families of Services, and which of their fields may not change.

Source: Kubernetes, pkg/registry/core/service/storage/alloc.go (initIPFamilyFields, patchAllocatedValues), and
pkg/apis/core/validation/validation.go (ValidateServiceClusterIPsRelatedFields).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from netlab.errors import Problem
from netlab.objects.fields import invalid
from netlab.objects.services import Service
from netlab.objects.types import Address

_ONCE = "may not change once set"
_RELEASING = "must be set to 'SingleStack' when releasing the secondary"


def problem_of(service: Service, path: str, message: str) -> Problem:
    """Return a problem of one of a Service's fields, with the field's line."""
    lines = service.source.lines
    # A Service that writes ``clusterIP`` alone has no line for ``clusterIPs``.
    at = "spec.clusterIP" if path.startswith("spec.clusterIPs") and "spec.clusterIPs" not in lines else path
    return Problem(service.source.file, service.source.line(at), path, f"Service {service.meta.key}", message)


def texts(addresses: Sequence[Address]) -> list[str]:
    """Return addresses as messages print them."""
    return [*map(str, addresses)]


def with_families(service: Service, cluster: Sequence[int], before: Service | None) -> tuple[Service, list[Problem]]:
    """Return a Service with the ipFamilyPolicy and ipFamilies that the API server stores; and its problems.

    ``cluster`` has the families of the service ranges, the default first. ``before`` is the stored Service that this
    one replaces. A headless Service stays headless if the new one writes no ``clusterIP``.
    """
    if service.type == "ExternalName":
        return replace(service, cluster_ips=(), ip_families=(), ip_family_policy="", headless=False), []
    if before is not None and before.type == "ExternalName":
        before = None
    problems = _unconfigured_addresses(service, cluster)
    if before is not None:
        problems += _changed(service, before)
        if before.headless and not service.cluster_ips and not service.headless:
            service = replace(service, headless=True)
    if problems:
        return service, problems
    policy = service.ip_family_policy or (before.ip_family_policy if before else "")
    families = [*service.ip_families, *(a.version for a in service.cluster_ips[len(service.ip_families) :])]
    if not families and before is not None:
        families = [*before.ip_families][: 1 if policy == "SingleStack" else 2]
    if service.headless and not service.selector:
        # Its endpoints may have any family, also one that the cluster does not have.
        families = families or [*cluster[:1]]
        policy = policy or ("RequireDualStack" if len(families) < 2 else "SingleStack")
        if policy != "SingleStack" and len(families) == 1:
            families.append(10 - families[0])
        return replace(service, ip_families=tuple(families), ip_family_policy=policy), []
    policy = policy or ("RequireDualStack" if len(families) > 1 else "SingleStack")
    if policy == "RequireDualStack" and len(cluster) < 2:
        message = invalid(policy, "this cluster is not configured for dual-stack services")
        problems.append(problem_of(service, "spec.ipFamilyPolicy", message))
    for index, family in enumerate(families):
        if family not in cluster:
            message = invalid(f"IPv{family}", "not configured on this cluster")
            problems.append(problem_of(service, f"spec.ipFamilies[{index}]", message))
    families = families or [*cluster[:1]]
    if policy != "SingleStack" and len(families) == 1:
        families += [family for family in cluster if family not in families]
    return replace(service, ip_families=tuple(families), ip_family_policy=policy), problems


def _unconfigured_addresses(service: Service, cluster: Sequence[int]) -> list[Problem]:
    return [
        problem_of(
            service,
            f"spec.clusterIPs[{index}]",
            invalid(texts(service.cluster_ips), f"IPv{address.version} is not configured on this cluster"),
        )
        for index, address in enumerate(service.cluster_ips)
        if address.version not in cluster
    ]


def _changed(service: Service, before: Service) -> list[Problem]:
    """Return a problem for each field that may not change and did."""
    written = ["None"] if service.headless else texts(service.cluster_ips)
    stored = ["None"] if before.headless else texts(before.cluster_ips)
    problems = []
    if written and stored and written[0] != stored[0]:
        problems.append(problem_of(service, "spec.clusterIPs[0]", invalid(written, _ONCE)))
    families, known = service.ip_families, before.ip_families
    if families and known and families[0] != known[0]:
        problems.append(problem_of(service, "spec.ipFamilies[0]", invalid(f"IPv{families[0]}", _ONCE)))
    if not service.ip_family_policy and before.ip_family_policy != "SingleStack" and service.selector:
        what = "clusterIP" if _shortened(service, before) else "ipFamily" if len(families) < len(known) else ""
        if what and (families or what == "clusterIP"):
            message = invalid(before.ip_family_policy, f"{_RELEASING} {what}")
            problems.append(problem_of(service, "spec.ipFamilyPolicy", message))
    return problems


def _shortened(service: Service, before: Service) -> bool:
    """Say whether ``clusterIPs`` lost its second address; ``clusterIP`` alone does not count."""
    return len(service.cluster_ips) == 1 and len(before.cluster_ips) == 2 and "spec.clusterIPs" in service.source.lines
