"""Classes: which pods are isolated, and which of them share a class."""

import pytest

from netlab.ruleset.classes import classify


def test_pods_that_the_same_policies_select_share_a_class(build):
    """A class is the set of policies of one direction, whatever else differs."""
    members = [
        build.pod("x/a", "10.244.0.1", labels="app=web"),
        build.pod("x/b", "10.244.0.2", labels="app=web other=1", node="node-2"),
        build.pod("x/c", "10.244.0.3", labels="app=db"),
    ]
    policies = [build.policy("x/all", ingress=[], egress=[]), build.policy("x/web", "app=web", ingress=[])]
    found = classify(build.cluster(members, policies, nodes=("node-1", "node-2")))

    assert ("x/all", "x/web") == found.pods["ingress", "x/a"].policies
    assert found.pods["ingress", "x/a"] == found.pods["ingress", "x/b"]
    assert ("x/all",) == found.pods["ingress", "x/c"].policies
    assert 3 == len(set(found.numbers.values()))


def test_directions_are_apart(build):
    """A policy for ingress alone leaves egress open."""
    found = classify(build.cluster([build.pod("x/a", "10.244.0.1")], [build.policy("x/p", ingress=[])]))

    assert [("ingress", "x/a")] == list(found.pods)


def test_policy_of_another_namespace_selects_nothing_here(build):
    """A policy selects pods of its own namespace only."""
    found = classify(build.cluster([build.pod("x/a", "10.244.0.1")], [build.policy("y/p", ingress=[])]))

    assert {} == found.pods


@pytest.mark.parametrize("attachment", ["host", "none", "macvlan"])
def test_pods_past_the_forward_hook_have_no_class(build, attachment):
    """What the node does not forward it cannot isolate."""
    member = build.pod("x/a", "10.244.0.1", attachment=attachment)

    assert {} == classify(build.cluster([member], [build.policy("x/p", ingress=[])])).pods


def test_allow_all_rule_leaves_the_pod_without_a_class(build):
    """A rule with neither peers nor ports allows everything, whatever other policies say; the opener is named."""
    policies = [build.policy("x/deny", ingress=[], egress=[]), build.policy("x/open", ingress=[build.rule()])]
    found = classify(build.cluster([build.pod("x/a", "10.244.0.1")], policies))

    assert {("ingress", "x/a"): "x/open"} == found.opened
    assert [("egress", "x/a")] == list(found.pods)


def test_named_ingress_port_is_part_of_the_class(build):
    """Pods whose name stands for another number are another class; an undefined name stands for nothing."""
    members = [
        build.pod("x/a", "10.244.0.1", ports="http=80/TCP"),
        build.pod("x/b", "10.244.0.2", ports="http=8080/TCP"),
        build.pod("x/c", "10.244.0.3", ports="http=80/UDP"),
        build.pod("x/d", "10.244.0.4", ports="http=80/TCP dns=53/UDP"),
    ]
    policies = [build.policy("x/p", ingress=[build.rule(build.port("http"))])]
    pods = classify(build.cluster(members, policies)).pods

    assert 80 == pods["ingress", "x/a"].number_of("http", "TCP")
    assert 8080 == pods["ingress", "x/b"].number_of("http", "TCP")
    assert pods["ingress", "x/c"].number_of("http", "TCP") is None
    assert pods["ingress", "x/a"] == pods["ingress", "x/d"]
