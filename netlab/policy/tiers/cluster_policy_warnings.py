"""Warnings about a tier of cluster-wide policies."""

from __future__ import annotations

from collections.abc import Iterator

from netlab.cluster.types import Cluster
from netlab.errors import Problem
from netlab.policy.tiers.tier import Tier


def warnings(cluster: Cluster, tier: Tier) -> Iterator[Problem]:
    """Yield warnings about the policies of a tier: legal and surely not intended."""
    yield from ()
