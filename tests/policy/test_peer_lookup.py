"""Rules with many peers: the lookup agrees with the check of each peer, and texts are short."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from random import Random
from typing import Any

import pytest
from builders import cluster, decide, flow, peer, pod, policy, rule, topology
from random_clusters import some_cluster, some_questions
from sizes import samples

from netlab.cluster import Cluster
from netlab.objects.policies import NetworkPolicy, Rule
from netlab.policy.evaluate import evaluate
from netlab.policy.explain import explain
from netlab.policy.groups import groups
from netlab.policy.matching import matching_peer
from netlab.policy.peer_lookup import MANY_PEERS, peer_lookup
from netlab.policy.tiers import networkpolicy_sets
from netlab.verdicts import EXPECTED

_ADDRESSES = ("10.244.0.2", "10.244.1.7", "10.9.9.9", "192.0.2.10", "fd00:10:244::2", "::1", "100.64.0.1")


def peers_of(of: Cluster) -> list[tuple[NetworkPolicy, Rule]]:
    return [(p, r) for p in of.policies for r in (*p.ingress, *p.egress)]


@pytest.mark.parametrize("seed", range(samples(10)))
def test_the_lookup_agrees_with_the_check_of_each_peer(seed: int) -> None:
    """All peers of a random cluster are in one rule, for every endpoint and address, also addresses of no endpoint."""
    for number in range(20):
        of = some_cluster(Random(f"{seed}-{number}"))  # noqa: S311  the same clusters every time, not a secret
        every = [(p, r) for p, r in peers_of(of)]
        everyone: tuple[Any, ...] = (*of.pods, *of.nodes, *of.hosts)
        for p, r in every:
            for wide in (r, replace(r, peers=tuple(one for _, other in every for one in other.peers))):
                if not wide.peers:
                    continue
                asked = [(one, address) for one in everyone for address in one.addresses]
                asked += [(one, ip_address(text)) for one in (None, *everyone[:2]) for text in _ADDRESSES]
                found = [peer_lookup(of, p, wide).first(one, address) for one, address in asked]
                assert [matching_peer(of, p, wide, one, address) for one, address in asked] == found


@pytest.mark.parametrize("seed", range(5))
def test_groups_by_lookup_agree_with_the_evaluator(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Groups look every rule up; the evaluator checks each peer."""
    monkeypatch.setattr(networkpolicy_sets, "MANY_PEERS", 1)
    for number in range(12):
        dice = Random(f"{seed}-{number}")  # noqa: S311  the same clusters every time, not a secret
        of, asked = some_cluster(dice), some_questions(dice)
        counted = dict.fromkeys(EXPECTED, 0)
        for one in asked.flows(of):
            counted[evaluate(of, one).verdict] += 1
        assert counted == groups(of, asked).tally()


def lab_of_many(last: str) -> Cluster:
    blocks = [peer(cidr=f"172.16.{i}.0/24") for i in range(MANY_PEERS)]
    return cluster(
        topology(),
        *(pod(f"x/{name}", f"app={name}") for name in "ab"),
        policy("x/p", "app=a", ingress=[rule(*blocks, peer(last))]),
    )


def test_the_evaluator_finds_the_one_peer_that_matches() -> None:
    """It is the last of many peers."""
    assert "allow" == decide(lab_of_many("app=b"), "x/b", "x/a").verdict
    assert "deny" == decide(lab_of_many("app=c"), "x/b", "x/a").verdict


def test_explain_lists_the_first_peers_and_counts_the_others() -> None:
    """It lists five, each with its path."""
    of = lab_of_many("app=c")
    text = str(explain(of, flow(of, "x/b", "x/a")))

    assert "from[4]: ipBlock 172.16.4.0/24, found 10.244.0.3; 28 more reasons\n" in text
    assert "172.16.5.0/24" not in text


def test_a_reason_names_the_first_policies_and_counts_the_others() -> None:
    """It names ten, as each pair has a reason, and thousands of policies may select a pod."""
    of = cluster(topology(), pod("x/a"), pod("x/b"), *(policy(f"x/p{i:02}", ingress=[]) for i in range(13)))

    assert ", x/p09 and 3 more isolate it" in decide(of, "x/b", "x/a").reason
