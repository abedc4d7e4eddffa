"""Random clusters and policies under several settings at once: all judges and all fast versions agree."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import pytest
from random_clusters import some_cluster, some_questions
from settings.random_settings import by_expansion, by_groups, wrong

from netlab.objects.topology import TopologyPolicy

VALUES: dict[str, tuple[str, ...]] = {
    "namedPorts": ("resolve", "refuse-policy", "whole-protocol", "skip-on-conflict"),
    "endPort": ("honour", "first-only"),
    "except": ("per-peer", "per-rule", "longest-prefix"),
    "selectors": ("labels", "segment-label"),
    "isolation": ("policies", "annotated-namespaces"),
    "serviceEgress": ("post-dnat", "pre-dnat"),
    "ipBlockPods": ("match", "ignore"),
    "directions": ("both", "ingress-only"),
    "icmp": ("rules-without-ports", "allow", "basic-always"),
    "ownNode": ("allow", "enforce"),
    "established": ("keep", "reevaluate"),
}
ATTRIBUTES = {
    "namedPorts": "named_ports",
    "endPort": "end_port",
    "except": "except_",
    "serviceEgress": "service_egress",
    "ipBlockPods": "ip_block_pods",
    "ownNode": "own_node",
}


def some_settings(rng: Random) -> dict[str, str]:
    """Return a random value of each setting."""
    return {name: rng.choice(values) for name, values in VALUES.items()}


@pytest.mark.parametrize("seed", range(25))
def test_the_fast_versions_agree_with_the_evaluator(seed: int) -> None:
    """The groups and the expansion, reasons included."""
    rng = Random(seed)  # noqa: S311
    chosen = some_settings(rng)
    attributes: dict[str, Any] = {ATTRIBUTES.get(name, name): value for name, value in chosen.items()}
    isolated = frozenset("xy") if chosen["isolation"] == "annotated-namespaces" else frozenset[str]()
    of = replace(some_cluster(rng), policy=TopologyPolicy(**attributes), isolated_namespaces=isolated)
    asked = some_questions(rng)

    assert [] == [*by_groups(of, asked), *by_expansion(of, asked)]


@pytest.mark.parametrize("seed", range(12))
def test_evaluator_and_tracer_agree(seed: int) -> None:
    """In the modes that enforce policies."""
    rng = Random(seed)  # noqa: S311
    mode = rng.choice(("bridge", "overlay", "routed"))

    assert [] == wrong(some_settings(rng), ("evaluator", "tracer"), count=3, seed=seed, mode=mode)


@pytest.mark.kernel
@pytest.mark.parametrize("mode", ["bridge", "overlay", "routed"])
def test_all_judges_agree(mode: str) -> None:
    """Packets too."""
    rng = Random(mode)  # noqa: S311

    assert [] == wrong(some_settings(rng), count=3, seed=3, mode=mode)
