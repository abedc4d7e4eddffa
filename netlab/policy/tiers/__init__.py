"""The tiers that decide a side of a flow, in their order: each allows, denies, or passes to the next tier.

A new tier is a file here with a ``tier.Tier``, and a line in ``TIERS``. No other module of the evaluator names a tier.
A line says how to find the tier's policies, so that the file is imported for clusters that have some.
``netlab.ruleset.tiers`` has the same tiers for the ruleset.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from operator import attrgetter
from typing import TYPE_CHECKING, Any, cast

from netlab.cluster.types import Cluster, Pod
from netlab.policy.meaning import policies_meant

if TYPE_CHECKING:
    from netlab.policy.tiers.tier import Tier

_Policies = Callable[[Cluster], Sequence[Any]]


class _Later:
    """A tier of a module that is imported when a cluster has policies of the tier: few have those of all tiers."""

    def __init__(self, given: _Policies, module: str, name: str, arguments: Sequence[Any]) -> None:
        self._given = given
        self._where = module, name, arguments
        self._loaded: Any = None

    def policies(self, cluster: Cluster) -> Sequence[Any]:
        return self._tier().policies(cluster) if self._given(cluster) else ()

    def _tier(self) -> Any:
        if self._loaded is None:
            module, name, arguments = self._where
            self._loaded = getattr(import_module(f"{__name__}.{module}"), name)(*arguments)
        return self._loaded

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tier(), name)


def _later(given: _Policies, module: str, name: str, *arguments: Any) -> Tier:
    """Return a tier by its module and class. It has no policies where ``given`` returns none of a cluster."""
    return cast("Tier", _Later(given, module, name, arguments))


_cluster_wide, _ciliums = attrgetter("cluster_policies"), attrgetter("cilium_policies")

NETWORK_POLICY = _later(policies_meant, "networkpolicy", "NetworkPolicyTier")

TIERS: tuple[Tier, ...] = (
    _later(_cluster_wide, "cluster_policy", "ClusterPolicyTier", "Admin"),
    _later(_ciliums, "cilium", "CiliumTier"),
    NETWORK_POLICY,
    _later(_ciliums, "cilium", "CiliumDefaultTier"),
    _later(_cluster_wide, "cluster_policy", "ClusterPolicyTier", "Baseline"),
    _later(lambda cluster: (), "default_allow", "DefaultTier"),
)
"""All tiers, in the order in which they decide; the last one never passes."""


def tiers_in_use(cluster: Cluster) -> tuple[Tier, ...]:
    """Return the tiers that have policies in a cluster, in their order."""
    known: tuple[Tier, ...] | None = cluster.memo.get("policy.tiers")
    if known is None:
        known = cluster.memo["policy.tiers"] = tuple(tier for tier in TIERS if tier.policies(cluster))
    return known


def others_in_use(cluster: Cluster) -> tuple[Tier, ...]:
    """Return the tiers that have policies in a cluster, in their order, without NetworkPolicy."""
    return tuple(tier for tier in TIERS if tier is not NETWORK_POLICY and tier.policies(cluster))


def judging_own_node(cluster: Cluster, pod: Pod) -> list[Tier]:
    """Return the tiers that judge what a pod sends to its own node, in their order, where NetworkPolicy does not.

    A NetworkPolicy that isolates the pod for egress settles the direction, so no tier after it judges.
    """
    found: list[Tier] = []
    for tier in tiers_in_use(cluster):
        if not tier.selecting(cluster, "egress", pod):
            continue
        if tier is NETWORK_POLICY:
            break
        found.append(tier)
    return found


def only_network_policy(cluster: Cluster) -> bool:
    """Say whether no tier except NetworkPolicy has policies in a cluster."""
    return not others_in_use(cluster)


def evaluated_text(cluster: Cluster) -> str:
    """Return, as text, the policies that netlab evaluates, for the reason of an unknown verdict."""
    return "NetworkPolicy alone" if only_network_policy(cluster) else "what netlab reads"


def tier_of(name: str) -> Tier:
    """Return the tier with a name.

    Raises:
      KeyError: if there is no such tier.
    """
    return {tier.name: tier for tier in TIERS}[name]
