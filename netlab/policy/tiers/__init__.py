"""The tiers that judge a side of a flow, in their order: each allows, denies, or passes to the next.

Whatever judges, groups or explains asks here and names no tier. A new one is a value (``tier.Tier``) in a file of its
own, and its place in ``TIERS``.
"""

from __future__ import annotations

from netlab.cluster.types import Cluster
from netlab.policy.tiers.default import DefaultTier
from netlab.policy.tiers.networkpolicy import NetworkPolicyTier
from netlab.policy.tiers.tier import Tier

NETWORK_POLICY = NetworkPolicyTier()

TIERS: tuple[Tier, ...] = (NETWORK_POLICY, DefaultTier())
"""All tiers; the last one never passes."""


def tiers_in_use(cluster: Cluster) -> tuple[Tier, ...]:
    """Return the tiers that have policies in a cluster, in their order."""
    known: tuple[Tier, ...] | None = cluster.memo.get("policy.tiers")
    if known is None:
        known = cluster.memo["policy.tiers"] = tuple(tier for tier in TIERS if tier.policies(cluster))
    return known


def only_network_policy(cluster: Cluster) -> bool:
    """Say whether no tier but that of NetworkPolicy has policies in a cluster."""
    return all(tier is NETWORK_POLICY for tier in tiers_in_use(cluster))


def evaluated_text(cluster: Cluster) -> str:
    """Return in words what a verdict hangs on that policies which netlab does not read could change."""
    return "NetworkPolicy alone" if only_network_policy(cluster) else "what netlab reads"


def tier_of(name: str) -> Tier:
    """Return the tier of a name; raises KeyError where there is none."""
    return {tier.name: tier for tier in TIERS}[name]
