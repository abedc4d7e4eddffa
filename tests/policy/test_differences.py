"""Differences are those of the evaluator, pair by pair, in groups that are as few as possible."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from random import Random

import pytest
from builders import cluster, pod, policy, topology
from random_clusters import some_cluster, some_questions
from sizes import samples

from netlab.cluster import Cluster
from netlab.cluster.flows import FlowSelection
from netlab.objects.topology import TopologyPolicy
from netlab.policy.differences import Differences, Vector, differences
from netlab.policy.evaluate import evaluate

Rows = dict[tuple[str, str, int, str, int | None], Vector]

SETTINGS = (
    TopologyPolicy(),
    TopologyPolicy(icmp="allow"),
    TopologyPolicy(ip_block_pods="ignore"),
    TopologyPolicy(own_node="enforce", host_network_peers="match"),
)


def readings_of(one: Cluster) -> dict[str, Cluster]:
    """Return one cluster under several settings."""
    return {f"p{n}": replace(one, policy=settings) for n, settings in enumerate(SETTINGS)}


def pair_by_pair(clusters: dict[str, Cluster], asked: FlowSelection) -> Rows:
    found: dict[tuple[str, str, int, str, int | None], list[str]] = {}
    for one in clusters.values():
        for flow in asked.flows(one):
            key = (flow.source.ref, flow.target, flow.family, flow.protocol, flow.port)
            found.setdefault(key, []).append(evaluate(one, flow).verdict)
    return {key: tuple(of) for key, of in found.items() if len(set(of)) > 1}  # type: ignore[arg-type]


def expanded(found: Differences) -> Rows:
    """Return the verdicts of every pair in the groups; each pair must occur once."""
    rows: Rows = {}
    for one in found.found:
        pairs = [one.named(ends) for ends in one.ends()]
        assert len(pairs) == one.pairs > 0
        for pair in pairs:
            assert (*pair, *one.asked) not in rows
            rows[*pair, *one.asked] = one.verdicts
    return rows


def interchangeable(rows: Rows, one: str, other: str) -> bool:
    swap = {one: other, other: one}
    return all(
        rows.get((swap.get(source, source), swap.get(to, to), *asked)) == vector  # type: ignore[arg-type]
        for (source, to, *asked), vector in rows.items()
        if source in swap or to in swap
    )


@pytest.mark.parametrize("seed", range(samples(10)))
def test_differences_are_those_of_the_evaluator_in_as_few_groups_as_possible(seed: int) -> None:
    """For random clusters and questions under several settings; no two groups could be one."""
    for number in range(8):
        dice = Random(f"{seed}-{number}")  # noqa: S311  the same clusters every time, not a secret
        clusters = readings_of(some_cluster(dice))
        asked = replace(some_questions(dice), self_pairs=False)
        found = differences(clusters, asked)
        rows = pair_by_pair(clusters, asked)

        assert rows == expanded(found)
        groups = {id(group): group for one in found.found for group in (one.source, one.destination)}
        examples = [group.members[0] for group in groups.values()]  # type: ignore[union-attr]
        assert [] == [
            (a.ref, b.ref)
            for a, b in combinations(examples, 2)
            if type(a) is type(b) and interchangeable(rows, a.ref, b.ref)
        ]


def test_a_family_that_a_reading_lacks_is_compared_between_the_others() -> None:
    """Its verdict there is None, which is no difference by itself."""
    both = topology(["n"], {"default": ("bridge", "10.244.0.0/16", "fd00:10:244::/56")})
    of = cluster(both, pod("x/a"), pod("x/b"), policy("x/p", "", ingress=[]))
    only = cluster(topology(["n"]), pod("x/a"), pod("x/b"))
    open_ = replace(of, policies=())

    none = differences({"a": of, "b": only}, FlowSelection(families=(6,)))
    some = differences({"a": of, "b": only, "c": open_}, FlowSelection(families=(6,)))

    assert () == none.found
    assert [("deny", None, "allow")] == [one.verdicts for one in some.found]
    assert ["a", "c"] == list(some.decisions(some.found[0], some.found[0].example))
