"""Hops: the pods that are reached over several connections, each with one shortest path, as a plain search finds."""

from __future__ import annotations

from random import Random

import pytest
from builders import cluster, peer, pod, policy, rule, topology
from random_clusters import some_cluster, some_questions
from sizes import samples

from netlab.cluster import Cluster
from netlab.cluster.flows import FlowSelection, every_pair
from netlab.cluster.types import Pod
from netlab.policy.evaluate import evaluate
from netlab.policy.groups import groups
from netlab.policy.hops import reached_pods

CHAIN = cluster(
    topology(["node-1"]),
    *(pod(f"x/{name}", f"app={name}", ports=["80"]) for name in ("a", "b", "c", "d")),
    *(
        policy(f"x/{name}", f"app={name}", ingress=[rule(peer(f"app={before}"), ports=["80"])] if before else [])
        for before, name in (("", "a"), ("a", "b"), ("b", "c"), ("c", "d"))
    ),
)


def reached(of: Cluster, start: str, most: int, asked: FlowSelection | None = None) -> dict[str, list[str]]:
    """Return the path to each pod that is reached."""
    first = of.by_ref[start]
    assert isinstance(first, Pod)
    found = reached_pods(groups(of, asked or FlowSelection()), first, most)
    return {p.ref: [step.pod.ref for step in one.steps] for one in found for p in one.pods}


def test_each_connection_begins_at_a_pod_that_the_one_before_reached() -> None:
    """The last pod of a chain is as many connections away as the chain is long."""
    assert {"x/b": ["x/b"]} == reached(CHAIN, "x/a", 1)
    assert {"x/b": ["x/b"], "x/c": ["x/b", "x/c"]} == reached(CHAIN, "x/a", 2)
    assert ["x/b", "x/c", "x/d"] == reached(CHAIN, "x/a", 9)["x/d"]
    assert {} == reached(CHAIN, "x/d", 9)


def test_pods_of_the_starts_own_group_are_reached_too() -> None:
    """Two alike pods reach each other, but the start is not in the list."""
    found = cluster(topology(["node-1"]), pod("x/a", "app=a"), pod("x/b", "app=a"))

    assert {"x/b": ["x/b"]} == reached(found, "x/a", 3)


@pytest.mark.parametrize("seed", range(samples(12)))
def test_distances_are_those_of_a_plain_search(seed: int) -> None:
    """In random clusters: every pod that is reached, and the length of its path, whose steps are all allowed."""
    dice = Random(f"hops-{seed}")  # noqa: S311  the same clusters every time, not a secret
    of, asked = some_cluster(dice), some_questions(dice)
    flows = every_pair(of, asked.ports, asked.families, nodes=asked.nodes)
    edges: dict[str, set[str]] = {}
    for flow in flows:
        if isinstance(flow.source, Pod) and isinstance(flow.destination, Pod) and evaluate(of, flow).verdict == "allow":
            edges.setdefault(flow.source.ref, set()).add(flow.destination.ref)
    for start in of.asked_pods():
        distance, frontier, step = {start.ref: 0}, {start.ref}, 0
        while frontier:
            step += 1
            frontier = {to for ref in frontier for to in edges.get(ref, ())} - {*distance}
            distance |= dict.fromkeys(frontier, step)
        del distance[start.ref]
        for most in (1, 2, 20):
            paths = reached(of, start.ref, most, asked)

            assert {ref: n for ref, n in distance.items() if n <= most} == {ref: len(way) for ref, way in paths.items()}
            assert all(
                to in edges[before]
                for way in paths.values()
                for before, to in zip([start.ref, *way], way, strict=False)
            )
