"""Which policies of Cilium the cluster enforces, as its profile says; all others of other APIs stay unread."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netlab.cluster.types import Cluster
    from netlab.errors import Problem
    from netlab.objects.cilium_policies import CiliumPolicy
    from netlab.objects.profiles import Profile
    from netlab.objects.topology import TopologyPolicy
    from netlab.objects.unread import UnreadPolicy

_CILIUM: dict[str, Any] = {
    "enforcement": "all",
    "own_node": "enforce",
    "ip_block_pods": "ignore",
    "ip_block_nodes": "ignore",
    "except_": "per-peer",
    "directions": "both",
    "selectors": "labels",
    "isolation": "policies",
    "service_egress": "post-dnat",
    "baseline": "per-direction",
}
"""The settings with which the translation of Cilium's policies is exact: the profile's own."""


def by_profile(
    policies: Sequence[UnreadPolicy], settings: TopologyPolicy, profile: Profile | None
) -> tuple[tuple[UnreadPolicy, ...], tuple[UnreadPolicy, ...]]:
    """Return the policies that stay unread, and those that netlab understands and the cluster enforces."""
    # Where nothing enforces policies, those that netlab does not read decide nothing either.
    if settings.enforcement != "all":
        return (), ()
    if not policies or profile is None or not _is_cilium(profile, settings):
        return tuple(policies), ()
    understood = [one.cilium is not None and _fits(one.cilium, settings) for one in policies]
    pairs = tuple(zip(policies, understood, strict=True))
    return tuple(one for one, read in pairs if not read), tuple(one for one, read in pairs if read)


def as_unread(cluster: Cluster) -> Cluster:
    """Return a cluster whose policies of Cilium are unread, for questions whose answers read NetworkPolicy alone."""
    if not cluster.understood:
        return cluster
    return replace(cluster, unread=(*cluster.unread, *cluster.understood), understood=())


def _is_cilium(profile: Profile, settings: TopologyPolicy) -> bool:
    named = profile.name == "cilium" or profile.name.startswith("cilium-")
    return named and all(getattr(settings, name) == value for name, value in _CILIUM.items())


def _fits(policy: CiliumPolicy, settings: TopologyPolicy) -> bool:
    """Say whether no setting changes what the ports of a policy mean."""
    rules = (rule for spec in policy.specs for rule in (*spec.ingress, *spec.egress))
    return settings.end_port == "honour" or all(port.end_port is None for rule in rules for port in rule.ports)


def without_read(cluster: Cluster, problems: Iterable[Problem]) -> list[Problem]:
    """Return problems without the warnings that netlab does not read policies that the cluster enforces."""
    if not cluster.understood:
        return list(problems)
    from netlab.objects.unread import RULE

    read = {(one.source.file, one.source.line(), one.name) for one in cluster.understood}
    return [one for one in problems if one.rule != RULE or (one.file, one.line, one.object) not in read]
