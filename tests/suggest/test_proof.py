"""The proof of a suggestion fails where a need does not pass, or where something else passes."""

from __future__ import annotations

from dataclasses import replace

from builders import cluster, cluster_peer, cluster_policy, cluster_rule, peer, pod, policy, rule, topology

from netlab.cluster import Cluster
from netlab.cluster.flows import FlowSelection
from netlab.objects.flow_logs import FlowEnd, ObservedFlow
from netlab.objects.policies import NetworkPolicy
from netlab.policy.suggest.label_classes import LabelClasses
from netlab.policy.suggest.needs import Need, Pods, Why
from netlab.policy.suggest.proof import NeedsCheck
from netlab.policy.suggest.results import Proof
from netlab.policy.suggest.suggestion import from_needs

PODS = (pod("x/a", "app=a"), pod("x/b", "app=b"), pod("x/c", "app=c"), pod("y/d", "app=d"))
DENY = policy("x/deny", "", ingress=[], egress=[])
OUT = policy("x/a", "app=a", egress=[rule(peer("app=b"), ports=["80"])])
IN = policy("x/b", "app=b", ingress=[rule(peer("app=a"), ports=["80"])])


def proof(*policies: NetworkPolicy) -> Proof:
    """Return the proof that with some policies x/a reaches x/b on port 80, and nothing else of x passes."""
    today = cluster(*PODS)
    classes = LabelClasses(today)
    number = {one.ref: one.number for one in classes.all}
    need = Need(Pods(number["x/a"]), Pods(number["x/b"]), "TCP", 80, "observed", Why("a test"))
    return NeedsCheck(today, replace(today, policies=policies), classes, [need], (), touched=frozenset("x")).proof(
        FlowSelection()
    )


def test_it_holds_if_all_that_is_needed_passes_and_nothing_else() -> None:
    """Pairs of two namespaces without policies are left alone."""
    found = proof(DENY, OUT, IN)

    assert found.holds
    assert 1 == found.needed


def test_a_need_that_does_not_pass_is_missing() -> None:
    """The reason says which side denies it."""
    found = proof(DENY, OUT)

    assert not found.holds
    assert ["x/a -> x/b 80/TCP IPv4"] == [str(one).partition(":")[0] for one in found.missing]


def test_another_pair_that_passes_is_extra() -> None:
    """Here a rule has a peer too many."""
    wide = policy("x/b", "app=b", ingress=[rule(peer("app in (a,c)"), ports=["80"])])
    out = policy("x/c", "app=c", egress=[rule(peer("app=b"), ports=["80"])])
    found = proof(DENY, OUT, wide, out)

    assert not found.holds
    assert ["x/c -> x/b 80/TCP IPv4"] == [str(one).partition(":")[0] for one in found.extra]


def test_every_policy_of_a_suggestion_counts() -> None:
    """Without one of them a need is missing or something else passes."""
    today: Cluster = cluster(*PODS)
    flows = [ObservedFlow(FlowEnd("x", "a"), FlowEnd("x", "b"), "TCP", 80, "passed", 1)]
    found = from_needs(today, (), flows, "log")
    every = found.suggested.policies

    assert proof(*every).holds
    assert [False] * len(every) == [proof(*(p for p in every if p is not one)).holds for one in every]


def test_nothing_is_proven_where_nothing_enforces_policies() -> None:
    """Pairs of pods pass that should be denied."""
    today = cluster(topology(mode="macvlan"), *PODS)
    flows = [ObservedFlow(FlowEnd("x", "a"), FlowEnd("x", "b"), "TCP", 80, "passed", 1)]
    found = from_needs(today, (), flows, "log")

    assert not found.proof.holds
    assert "nothing enforces policies" in found.proof.extra[0].why


def test_what_a_cluster_wide_policy_accepts_is_extra() -> None:
    """A suggestion cannot deny it, on a port that no pod declares."""
    accept = cluster_policy("c", ingress=[cluster_rule("allow", cluster_peer("app=a"), ports=["9999"])])
    today = cluster(pod("x/a", "app=a"), pod("y/b", "app=b", ports=["80"]), accept)
    ends = FlowEnd("x", "a"), FlowEnd("y", "b")
    found = from_needs(today, (), [ObservedFlow(*ends, "TCP", 80, "passed", 1)], "flows.jsonl", (4,))

    # Policies isolate x/a for egress and y/b for ingress; tier Admin accepts at y/b only.
    assert found.proof.holds
    out = cluster_policy("d", egress=[cluster_rule("allow", cluster_peer("app=b"), ports=["9999"])])
    open_both = replace(today, cluster_policies=(*today.cluster_policies, out))
    found = from_needs(open_both, (), [ObservedFlow(*ends, "TCP", 80, "passed", 1)], "flows.jsonl", (4,))

    assert ["x/a -> y/b 9999/TCP IPv4"] == [str(one).partition(":")[0] for one in found.proof.extra]
    assert "ClusterNetworkPolicy" in found.proof.extra[0].why


def test_a_need_that_a_cluster_wide_policy_denies_is_missing() -> None:
    """A suggestion cannot open it."""
    deny = cluster_policy("c", ingress=[cluster_rule("deny", cluster_peer(""))])
    today = cluster(pod("x/a", "app=a"), pod("y/b", "app=b", ports=["80"]), deny)
    ends = FlowEnd("x", "a"), FlowEnd("y", "b")
    found = from_needs(today, (), [ObservedFlow(*ends, "TCP", 80, "passed", 1)], "flows.jsonl", (4,))

    assert ["x/a -> y/b 80/TCP IPv4"] == [str(one).partition(":")[0] for one in found.proof.missing]
    assert "ClusterNetworkPolicy c" in found.proof.missing[0].why


def test_a_suggested_policy_ends_the_tier_baseline_for_its_pods() -> None:
    """What the tier Baseline denies today passes with a policy that allows it."""
    deny = cluster_policy("default", ingress=[cluster_rule("deny", cluster_peer(""))], tier="Baseline")
    today = cluster(pod("x/a", "app=a"), pod("y/b", "app=b", ports=["80"]), deny)
    ends = FlowEnd("x", "a"), FlowEnd("y", "b")
    found = from_needs(today, (), [ObservedFlow(*ends, "TCP", 80, "passed", 1)], "flows.jsonl", (4,))

    assert found.proof.holds
    assert 1 == found.proof.needed
    assert [(0, 1)] == [(one.allowed, one.denied) for one in found.needed]


def test_the_pod_of_a_node_reaches_the_pods_of_its_node_whatever_a_cluster_wide_policy_denies() -> None:
    """The need is one of the node's address, and policies do not decide about a pod's own node."""
    deny = cluster_policy("c", ingress=[cluster_rule("deny", cluster_peer(networks=["0.0.0.0/0"]))])
    today = cluster(pod("x/a", host=True), pod("y/b", "app=b", ports=["80"]), deny)
    ends = FlowEnd("x", "a"), FlowEnd("y", "b")
    found = from_needs(today, (), [ObservedFlow(*ends, "TCP", 80, "passed", 1)], "flows.jsonl", (4,))

    assert () == found.proof.missing
    assert 1 <= found.proof.needed
