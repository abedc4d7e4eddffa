"""Random cluster-wide policies on random wiring with Services and all settings: every way to a verdict gives the same.

Packets, evaluator, groups and expansion answer about each front of each Service, and about pods, nodes and hosts.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from random import Random

import pytest
from services.test_random_clusters import differences
from services.test_random_wiring import cluster_objects
from settings.random_settings import differing_in
from sizes import samples

from netlab.cluster import resolve
from netlab.cluster.flows import FlowSelection
from netlab.conformance.cluster_policies.random_sets import policies
from netlab.lab.lab import Lab
from netlab.objects import Objects, decode

_ASKED = (
    FlowSelection((("TCP", 80), ("UDP", 81), ("SCTP", 80), ("TCP", 30101), ("ICMP", None)), nodes=True),
    FlowSelection(nodes=True, self_pairs=True, services=True),
)
# Each takes a second or two.
SEEDS = range(int(os.environ.get("NETLAB_CLUSTERS", "4")))


def with_policies(seed: int, name: str) -> Objects:
    """Return a random cluster with Services and settings, and cluster-wide policies."""
    rng = Random(f"cluster-policies-{seed}")  # noqa: S311
    found, problems = decode([*cluster_objects(seed, name).documents, *policies(rng)])
    assert [] == [one for one in problems if one.severity == "error"]
    return found


@pytest.mark.parametrize("seed", range(samples(40)))
def test_the_fast_versions_agree_with_the_evaluator(seed: int) -> None:
    """The groups and the expansion, reasons included."""
    cluster = resolve(with_policies(seed, "policies"))

    assert [] == [text for asked in _ASKED for text in differing_in(cluster, asked)]


@pytest.mark.kernel
@pytest.mark.parametrize("seed", SEEDS)
def test_packets_agree(unique: Callable[[str], str], seed: int) -> None:
    """Through every front, from every pod, node and outside host; nothing is inconclusive."""
    with Lab.temporary(with_policies(seed, unique("tiers"))) as lab:
        assert [] == differences(lab)
