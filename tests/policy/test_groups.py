"""Groups have the evaluator's verdict of every pair, and there are as few as possible, in random clusters."""

from __future__ import annotations

from itertools import combinations
from random import Random

import pytest
from builders import cluster, peer, pod, policy, rule, topology
from random_clusters import some_cluster, some_questions
from sizes import samples

from netlab.cluster import Cluster
from netlab.cluster.flows import FlowSelection, every_pair
from netlab.conformance import random_cases
from netlab.conformance.judges import cluster_of
from netlab.policy.evaluate import evaluate
from netlab.policy.groups import Groups, groups

Verdicts = dict[tuple[str, str, int, str, int | None], str]


def pair_by_pair(of: Cluster, asked: FlowSelection) -> Verdicts:
    flows = every_pair(of, asked.ports, asked.families, nodes=asked.nodes, self_pairs=asked.self_pairs)
    return {(f.source.ref, f.target, f.family, f.protocol, f.port): evaluate(of, f).verdict for f in flows}


def expanded(found: Groups) -> Verdicts:
    """Return the verdict of every pair in the answers of groups; each pair must occur once."""
    verdicts: Verdicts = {}
    for answer in found.answers():
        pairs = [
            (source.ref, destination.ref)
            for source in answer.source.members
            for destination in answer.destination.members
            if (source is destination) == answer.alone
        ]
        assert answer.pairs == len(pairs)
        for pair in pairs:
            key = (*pair, *answer.service)
            assert key not in verdicts
            verdicts[key] = answer.verdict
    return verdicts


def interchangeable(verdicts: Verdicts, one: str, other: str) -> bool:
    """Say whether two endpoints can change places without a change of a verdict or a question."""
    swap = {one: other, other: one}
    return all(
        verdicts.get((swap.get(source, source), swap.get(to, to), *service)) == verdict  # type: ignore[arg-type]
        for (source, to, *service), verdict in verdicts.items()
        if source in swap or to in swap
    )


def assert_exact(of: Cluster, asked: FlowSelection) -> None:
    found = groups(of, asked)
    verdicts = pair_by_pair(of, asked)

    assert verdicts == expanded(found)
    examples = [group.members[0] for group in found.groups]
    assert [] == [
        (a.ref, b.ref)
        for a, b in combinations(examples, 2)
        if type(a) is type(b) and interchangeable(verdicts, a.ref, b.ref)
    ]


@pytest.mark.parametrize("seed", range(samples(25)))
def test_groups_agree_with_the_evaluator_and_are_as_few_as_possible(seed: int) -> None:
    """For random modes, settings, families, attachments, published ports and questions; no two groups could be one."""
    for number in range(12):
        dice = Random(f"{seed}-{number}")  # noqa: S311  the same clusters every time, not a secret
        assert_exact(some_cluster(dice), some_questions(dice))


@pytest.mark.parametrize("mode", ["bridge", "overlay", "routed"])
def test_groups_of_the_random_cases_of_conformance(mode: str) -> None:
    """The same for the clusters for which conformance compares evaluator, ruleset and packets."""
    for case in random_cases.cases(samples(40), 7, mode):
        asked = FlowSelection((("TCP", 80), ("TCP", 81), ("UDP", 53), ("ICMP", None)), nodes=True)
        assert_exact(cluster_of(case.stages[0].documents), asked)


def test_a_pod_that_publishes_a_port_has_a_group_of_its_own() -> None:
    """It reaches itself by its node's port under any policy; an equal pod does not."""
    of = cluster(topology(), pod("x/a", ports=["8080:80"]), pod("x/b", ports=["80"]), policy("x/p", ingress=[]))
    asked = FlowSelection((("TCP", 8080),), nodes=True)

    assert_exact(of, asked)
    assert ["x/a", "x/b", "node:node-1"] == [group.members[0].ref for group in groups(of, asked).groups]


def test_members_of_a_group_share_one_answer_towards_one_another() -> None:
    """Members have one verdict towards one another for each service: here allow for one and deny for the other."""
    of = cluster(
        *(pod(f"x/{name}", "app=a") for name in "abc"), policy("x/p", ingress=[rule(peer("app=a"), ports=["80"])])
    )
    found = groups(of, FlowSelection((("TCP", 80), ("TCP", 443))))

    assert [("allow", 6), ("deny", 6)] == [(answer.verdict, answer.pairs) for answer in found.answers()]


def test_a_lab_without_pods_has_no_groups() -> None:
    """And no answers."""
    found = groups(cluster(topology()), FlowSelection())

    assert ((), [], 0) == (found.groups, [*found.answers()], sum(found.tally().values()))
