"""Rows of a comparison have the reasons and choices of the evaluator, and the same content as data and as text."""

from __future__ import annotations

import json
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from random_clusters import some_cluster, some_questions
from sizes import samples

from netlab.objects.profiles import Choice, Profile
from netlab.objects.topology import TopologyPolicy
from netlab.policy.deciding import deciding
from netlab.policy.differences import differences
from netlab.report.comparison_rows import ComparisonRows

CHOSEN: tuple[dict[str, Any], ...] = (
    {},
    {"icmp": "allow"},
    {"ip_block_pods": "ignore"},
    {"own_node": "enforce", "host_network_peers": "match"},
)
NAMES = {
    "icmp": "icmp",
    "ip_block_pods": "ipBlockPods",
    "own_node": "ownNode",
    "host_network_peers": "hostNetworkPeers",
}


def profile(chosen: dict[str, Any]) -> Profile:
    choices = tuple(Choice(NAMES[name], value, "DOC", f"a page about {name}") for name, value in chosen.items())
    return Profile(name="p", choices=choices)


@pytest.mark.parametrize("by_pairs", [True, False])
@pytest.mark.parametrize("seed", range(samples(10)))
def test_rows_are_those_of_the_evaluator_as_data_and_as_text(seed: int, by_pairs: bool) -> None:
    """For random clusters and questions, each with several settings, which are choices of a profile."""
    for number in range(4):
        dice = Random(f"{seed}-{number}")  # noqa: S311  the same clusters every time, not a secret
        one = some_cluster(dice)
        clusters = {
            f"p{n}": replace(one, policy=TopologyPolicy(**chosen), profile=profile(chosen))
            for n, chosen in enumerate(CHOSEN)
        }
        found = differences(clusters, replace(some_questions(dice), self_pairs=False))
        pairs = [(each, ends) for each in found.found for ends in (each.ends() if by_pairs else (each.example,))]
        rows = ComparisonRows(found, lambda group: f"group {group.number}", by_pairs=by_pairs)

        made = [rows.data(row) for row in pairs]
        assert made == json.loads(f"[{','.join(rows.texts(pairs))}]")
        for row, data in zip(pairs, made, strict=True):
            decisions = found.decisions(*row)
            assert data["reasons"] == {name: decision.reason for name, decision in decisions.items()}
            chosen_by = {name: deciding(clusters[name], decision) for name, decision in decisions.items()}
            settings = {name: [each["setting"] for each in of] for name, of in data["sources"].items()}
            assert settings == {name: [each.name for each in of] for name, of in chosen_by.items() if of}
