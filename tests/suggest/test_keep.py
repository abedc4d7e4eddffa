"""``suggest --keep``: every pair has the verdict that it had, with no more rules than before."""

from __future__ import annotations

import os
from dataclasses import replace
from random import Random

import pytest
from builders import cluster, cluster_peer, cluster_policy, cluster_rule, peer, pod, pods_peer, policy, rule
from random_clusters import some_cluster

from netlab.cluster import Cluster, resolve
from netlab.cluster.flows import Flow, every_pair
from netlab.cluster.types import address_of
from netlab.conformance.random_cases import cases
from netlab.objects.load import decode
from netlab.policy.evaluate import evaluate
from netlab.policy.suggest.drafts import number_of_rules
from netlab.policy.suggest.suggestion import Suggestion, from_today

# make verify-suggest draws more.
CLUSTERS = int(os.environ.get("NETLAB_CLUSTERS", "12"))


def rules_of(one: Cluster) -> int:
    return sum(len(policy.rules("ingress")) + len(policy.rules("egress")) for policy in one.policies)


def table(one: Cluster) -> dict[tuple[str, str, int, str, int | None], str]:
    """Return the verdict of every pair, also those with nodes and system pods."""
    return {
        (flow.source.ref, flow.target, flow.family, flow.protocol, flow.port): evaluate(one, flow).verdict
        for flow in every_pair(one, nodes=True, system=True)
    }


def check(one: Cluster) -> Suggestion:
    """Return the suggestion for a cluster after a check, pair by pair, that all verdicts stay."""
    found = from_today(one)

    assert table(one) == table(found.suggested)
    assert number_of_rules(found.drafts) <= rules_of(one)
    assert found.proof.holds
    return found


def test_random_clusters_keep_their_tables_with_no_more_rules() -> None:
    """The cases have selectors, ipBlocks with exceptions, named ports, ranges and policies without rules."""
    before = after = 0
    for case in cases(CLUSTERS, 14):
        one = resolve(decode(case.stages[0].documents)[0])
        before += rules_of(one)
        after += number_of_rules(check(one).drafts)

    assert after < before


@pytest.mark.parametrize("seed", range(max(4, CLUSTERS // 3)))
def test_random_settings_keep_their_tables(seed: int) -> None:
    """Networks, modes, IP families, host-network pods, published ports and settings of ``spec.policy`` vary."""
    check(some_cluster(Random(seed)))  # noqa: S311


def test_a_rule_that_another_rule_covers_is_left_out() -> None:
    """The rule with more pods and more ports stays."""
    one = cluster(
        pod("x/a", "app=a"),
        pod("x/b", "app=b"),
        policy("x/p", "app=b", ingress=[rule(peer("app=a"), ports=["80"]), rule(peer(""), ports=["80-90"])]),
    )
    found = check(one)

    assert ["spec.ingress[1]"] == [r.comments[0].split()[4] for draft in found.drafts for r in draft.ingress]


def test_a_rule_that_the_other_side_makes_useless_is_left_out() -> None:
    """The egress of x/a is denied, so no ingress rule for it serves a pair."""
    one = cluster(
        pod("x/a", "app=a"),
        pod("x/b", "app=b"),
        policy("x/in", "app=b", ingress=[rule(peer("app=a"))]),
        policy("x/out", "app=a", egress=[]),
    )
    found = check(one)

    assert 0 == number_of_rules(found.drafts)
    assert {("x", "in"), ("x", "out")} == {(draft.namespace, draft.name) for draft in found.drafts}


def test_rules_with_the_same_ports_are_one_rule() -> None:
    """Its peers are those of both, and its comments name both."""
    one = cluster(
        pod("x/a", "app=a"),
        pod("x/b", "app=b"),
        pod("x/c", "app=c"),
        pod("x/d", "app=d"),
        policy("x/p", "app=b", ingress=[rule(peer("app=a"), ports=["80"]), rule(peer("app=c"), ports=["80"])]),
    )
    (draft,) = check(one).drafts

    assert [(2, 2)] == [(len(one.peers), len(one.comments)) for one in draft.ingress]


def test_policies_with_one_selector_are_one_policy() -> None:
    """It isolates in the directions of both."""
    one = cluster(
        pod("x/a", "app=a"),
        pod("x/b", "app=b"),
        policy("x/p", "app=b", ingress=[rule(peer("app=a"))]),
        policy("x/q", "app=b", egress=[]),
    )
    (draft,) = check(one).drafts

    assert ("ingress", "egress") == draft.types


def test_a_second_default_deny_is_left_out() -> None:
    """Another policy without rules isolates the same pods."""
    one = cluster(
        pod("x/a", "app=a"),
        pod("x/b", "app=b"),
        policy("x/all", "", ingress=[]),
        policy("x/b", "app=b", ingress=[]),
    )
    found = check(one)

    assert ["all"] == [draft.name for draft in found.drafts]
    assert ("left out, as nothing changes without them: x/b",) == found.notes


def test_the_default_deny_of_a_namespace_stays() -> None:
    """Other policies isolate all pods of today, and not those that come later."""
    one = cluster(
        pod("x/a", "app=a"),
        policy("x/deny", "", ingress=[], egress=[]),
        policy("x/a", "app=a", ingress=[rule(ports=["80"])], egress=[rule(ports=["80"])]),
    )

    assert ["a", "deny"] == sorted(draft.name for draft in check(one).drafts)


def test_ranges_outside_of_the_cluster_stay() -> None:
    """No endpoint is in the range, and the rule is kept all the same."""
    one = cluster(
        pod("x/a", "app=a"),
        policy("x/out", "", egress=[rule(peer(cidr="203.0.113.0/24"), ports=["443"])]),
    )

    assert 1 == number_of_rules(check(one).drafts)


def test_ports_that_no_pod_declares_stay() -> None:
    """A program may listen on a port that no manifest declares."""
    one = cluster(
        pod("x/a", "app=a"),
        pod("x/b", "app=b"),
        policy("x/p", "app=b", ingress=[rule(peer("app=a"), ports=["9999"])]),
    )

    assert 1 == number_of_rules(check(one).drafts)


def test_a_cluster_without_policies_gets_none() -> None:
    """Everything is allowed today."""

    assert () == check(cluster(pod("x/a"), pod("x/b"))).drafts


def test_the_proof_sees_a_rule_that_is_missing() -> None:
    """With a rule less the tables differ, so the comparison of this file can fail."""
    one = cluster(
        pod("x/a", "app=a"),
        pod("x/b", "app=b"),
        policy("x/p", "app=b", ingress=[rule(peer("app=a"))]),
    )
    (kept,) = from_today(one).suggested.policies
    less = replace(one, policies=(replace(kept, ingress=()),))

    assert table(one) != table(less)


def test_a_rule_stays_if_a_cluster_wide_policy_accepts_at_the_other_side() -> None:
    """The NetworkPolicy of x/a denies what the tier Admin accepts, on a port that no pod declares."""
    one = cluster(
        pod("x/a", "app=a"),
        pod("x/b", "app=b"),
        policy("x/in", "app=b", ingress=[rule(peer("app=a"))]),
        policy("x/out", "app=a", egress=[]),
        cluster_policy("c", pods_peer("app=a"), egress=[cluster_rule("allow", cluster_peer(""), ports=["9999"])]),
    )
    found = check(one)
    flow = Flow(one.by_ref["x/a"], one.by_ref["x/b"], 4, "TCP", 9999, address_of(one.by_ref["x/b"], 4))

    assert "allow" == evaluate(one, flow).verdict == evaluate(found.suggested, flow).verdict
    assert () == found.notes
