"""Warnings about the order of cluster-wide policies: rules never reached, and equal priorities that matter."""

from __future__ import annotations

from collections.abc import Iterator

from netlab.cluster.types import Cluster
from netlab.errors import Problem
from netlab.policy.tiers.tier import Tier


def order_warnings(cluster: Cluster, tier: Tier) -> Iterator[Problem]:
    """Yield warnings about the policies of a tier: legal and surely not intended."""
    yield from ()
