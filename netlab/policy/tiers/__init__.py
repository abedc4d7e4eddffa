"""The tiers that decide a side of a flow, in their order: each allows, denies, or passes to the next tier.

A new tier is a file here with a ``tier.Tier``, and a line in ``TIERS``. No other module of the evaluator names a tier.
``netlab.ruleset.tiers`` has the same tiers for the ruleset.
"""

from __future__ import annotations

from netlab.cluster.types import Cluster, Pod
from netlab.policy.tiers.cilium import CiliumDefaultTier, CiliumTier
from netlab.policy.tiers.cluster_policy import ClusterPolicyTier
from netlab.policy.tiers.default_allow import DefaultTier
from netlab.policy.tiers.networkpolicy import NetworkPolicyTier
from netlab.policy.tiers.tier import Tier

NETWORK_POLICY = NetworkPolicyTier()

TIERS: tuple[Tier, ...] = (
    ClusterPolicyTier("Admin"),
    CiliumTier(),
    NETWORK_POLICY,
    CiliumDefaultTier(),
    ClusterPolicyTier("Baseline"),
    DefaultTier(),
)
"""All tiers, in the order in which they decide; the last one never passes."""


def tiers_in_use(cluster: Cluster) -> tuple[Tier, ...]:
    """Return the tiers that have policies in a cluster, in their order."""
    known: tuple[Tier, ...] | None = cluster.memo.get("policy.tiers")
    if known is None:
        known = cluster.memo["policy.tiers"] = tuple(tier for tier in TIERS if tier.policies(cluster))
    return known


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
    return all(tier is NETWORK_POLICY for tier in tiers_in_use(cluster))


def evaluated_text(cluster: Cluster) -> str:
    """Return, as text, the policies that netlab evaluates, for the reason of an unknown verdict."""
    return "NetworkPolicy alone" if only_network_policy(cluster) else "what netlab reads"


def tier_of(name: str) -> Tier:
    """Return the tier with a name.

    Raises:
      KeyError: if there is no such tier.
    """
    return {tier.name: tier for tier in TIERS}[name]
