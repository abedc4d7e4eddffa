"""Cluster-wide policies: the order of tiers, what each peer matches, the own node; explanations and warnings."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from builders import (
    cluster,
    cluster_peer,
    cluster_policy,
    cluster_rule,
    decide,
    flow,
    namespace,
    pod,
    pods_peer,
    policy,
    rule,
    topology,
    verdict,
)

from netlab.cluster import Cluster
from netlab.cluster.flows import FlowSelection
from netlab.objects.topology import TopologyPolicy
from netlab.policy.explain import explain
from netlab.policy.groups import groups
from netlab.policy.warnings import warnings
from netlab.profiles import named

ANY = cluster_peer()
CLOSED = cluster_policy("closed", egress=[cluster_rule("deny", cluster_peer(networks=["0.0.0.0/0"]))])
NODES = cluster_policy("nodes", egress=[cluster_rule("deny", cluster_peer(nodes=""))])


def lab(*things: Any, **settings: Any) -> Cluster:
    """Return two nodes with two pods and a host-network pod on the first one."""
    of = replace(topology(["n1", "n2"], hosts={"h": ["192.0.2.1"]}), policy=TopologyPolicy(**settings))
    return cluster(
        of,
        namespace("x", "team=x"),
        pod("x/a", "app=a", node="n1", ports=["web=80"]),
        pod("x/b", "app=b", node="n1", ports=["web=80", "dns=53/UDP"]),
        pod("x/h", "app=h", node="n1", host=True, ports=["web=80"]),
        *things,
    )


# --- order ------------------------------------------------------------------------------------------------------------


def test_what_networkpolicy_settles_reaches_no_baseline_and_admin_comes_first() -> None:
    """Admin, NetworkPolicy, Baseline, default."""
    beneath = policy("x/n", "app=b", ingress=[rule(ports=["81"])])
    admin = cluster_policy("a", ingress=[cluster_rule("allow", ports=["82"]), cluster_rule("pass", ports=["83"])])
    base = cluster_policy("z", tier="Baseline", ingress=[cluster_rule("deny")])
    of = lab(beneath, admin, base)

    assert ["deny", "allow", "allow", "deny"] == [verdict(of, "x/a", "x/b", f"{port}/TCP") for port in (80, 81, 82, 83)]
    assert ["deny", "deny", "allow", "deny"] == [verdict(of, "x/b", "x/a", f"{port}/TCP") for port in (80, 81, 82, 83)]


def test_pass_in_the_tier_baseline_allows() -> None:
    """It skips the rest of the tier."""
    of = lab(cluster_policy("z", tier="Baseline", ingress=[cluster_rule("pass", ports=["80"]), cluster_rule("deny")]))

    assert ("allow", "deny") == (verdict(of, "x/a", "x/b"), verdict(of, "x/a", "x/b", "81/TCP"))


def test_the_lower_priority_number_decides_and_equal_ones_by_name() -> None:
    """Whatever their order in the input."""
    deny, allow = [cluster_rule("deny")], [cluster_rule("allow")]

    assert "allow" == verdict(
        lab(cluster_policy("a", ingress=deny, priority=10), cluster_policy("b", ingress=allow, priority=9)),
        "x/a",
        "x/b",
    )
    assert "deny" == verdict(lab(cluster_policy("b", ingress=allow), cluster_policy("a", ingress=deny)), "x/a", "x/b")


# --- peers and ports --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [{}, {"ip_block_pods": "ignore", "ip_block_nodes": "ignore"}])
def test_networks_match_every_address(settings: Any) -> None:
    """Those of pods, nodes and hosts, whatever ipBlocks of NetworkPolicies match."""
    of = lab(CLOSED, **settings)

    for other in ("x/b", "node:n2", "host:h"):
        assert "deny" == verdict(of, "x/a", other), other


@pytest.mark.parametrize("setting", ["ignore", "match"])
def test_host_network_pods_are_no_pods(setting: Any) -> None:
    """They are no subject, and peers of pods do not have them, whatever hostNetworkPeers says."""
    of = lab(cluster_policy("p", ingress=[cluster_rule("deny")], egress=[cluster_rule("deny")]),
             host_network_peers=setting)  # fmt: skip

    assert "deny" == verdict(of, "x/a", "x/b")
    assert ["allow"] * 2 == [verdict(of, "x/h", "x/a"), verdict(of, "x/a", "x/h")]


def test_a_named_port_brings_its_own_protocol() -> None:
    """The port of the destination with this name and protocol."""
    of = lab(cluster_policy("p", ingress=[cluster_rule("deny", ports=["dns", "web"])]), named_ports="whole-protocol")

    assert ["deny", "allow", "deny", "allow"] == [
        verdict(of, "x/a", "x/b", port) for port in ("53/UDP", "53/TCP", "80/TCP", "80/UDP")
    ]


def test_icmp_matches_rules_without_ports_only() -> None:
    """Here the first rule has ports."""
    ports = cluster_policy("p", ingress=[cluster_rule("deny", ports=["1-65535"])])

    assert "allow" == verdict(lab(ports), "x/a", "x/b", "ICMP")
    assert "deny" == verdict(lab(cluster_policy("p", ingress=[cluster_rule("deny")])), "x/a", "x/b", "ICMP")


def test_a_pod_reaches_its_own_address() -> None:
    """No policy judges it."""
    assert "allow" == verdict(lab(CLOSED), "x/a", "x/a")


# --- own node ---------------------------------------------------------------------------------------------------------

ISOLATED = policy("x/n", "", egress=[])


@pytest.mark.parametrize("end", ["node:n1", "x/h"])
@pytest.mark.parametrize(
    ("things", "settings", "expected"),
    [
        ((NODES,), {}, "deny"),
        ((replace(NODES, tier="Baseline"),), {}, "deny"),
        ((replace(NODES, tier="Baseline"), ISOLATED), {}, "allow"),
        ((replace(NODES, tier="Baseline"), ISOLATED), {"own_node": "enforce"}, "deny"),
        ((ISOLATED,), {}, "allow"),
        ((NODES, ISOLATED), {}, "deny"),
        ((cluster_policy("p", egress=[cluster_rule("pass", cluster_peer(nodes=""))]), ISOLATED), {}, "allow"),
        ((replace(NODES, tier="Baseline"), policy("x/n", "", ingress=[])), {}, "deny"),
        (
            (replace(NODES, tier="Baseline"), policy("x/n", "", ingress=[])),
            {"baseline": "unselected-pods"},
            "allow",
        ),
        ((NODES,), {"directions": "ingress-only"}, "allow"),
        ((NODES,), {"enforcement": "none"}, "allow"),
    ],
)
def test_cluster_wide_policies_judge_what_a_pod_sends_to_its_own_node(
    end: str, things: Any, settings: Any, expected: str
) -> None:
    """NetworkPolicy does not, and what it settles the tier Baseline does not judge."""
    assert expected == verdict(lab(*things, **settings), "x/a", end)


def test_the_reasons_about_the_own_node() -> None:
    """Why it is denied, and that NetworkPolicy does not judge it."""
    assert (
        "egress of x/a: ClusterNetworkPolicy nodes spec.egress[0] of tier Admin (priority 10) denies node:n1 on 80/TCP"
        == decide(lab(NODES), "x/a", "node:n1").reason
    )
    other = cluster_policy("p", egress=[cluster_rule("deny", ports=["81"])])
    assert (
        "allowed by default, as no rule of tier Admin decides;"
        " NetworkPolicies do not judge what x/a sends to its own node"
        == decide(lab(other, ISOLATED), "x/a", "node:n1").reason
    )


# --- explanations -----------------------------------------------------------------------------------------------------


def test_an_explanation_says_what_each_tier_says_and_what_would_have_come_after() -> None:
    """The rule that decides, those before it that do not match, and the tiers that are not reached."""
    of = lab(
        cluster_policy(
            "p",
            ingress=[cluster_rule("allow", cluster_peer("app=z")), cluster_rule("deny", ANY, ports=["80"], name="no")],
        ),
        policy("x/n", "app=b", ingress=[rule()]),
    )
    found = explain(of, flow(of, "x/a", "x/b"))

    assert (
        "Admin: deny, priority 10",
        "  ClusterNetworkPolicy p, priority 10, selects it",
        "    spec.ingress[0] does not match: x/a is none of its peers: its labels do not have app=z",
        '    spec.ingress[1] "no" denies it',
        "NetworkPolicy: not reached; it would allow it: NetworkPolicy x/n spec.ingress[0] allows it",
    ) == found.sections[-1].lines
    assert (
        "No NetworkPolicy can allow it: tier Admin decides about ingress of x/b first.",
        'add a rule with action Accept for x/a on 80/TCP above ClusterNetworkPolicy p spec.ingress[1] "no",'
        " or in a policy of tier Admin with a priority below 10",
        'or change ClusterNetworkPolicy p spec.ingress[1] "no"',
    ) == found.otherwise.lines


# --- warnings ---------------------------------------------------------------------------------------------------------


def messages(*things: Any) -> list[str]:
    return [f"{one.object}: {one.path}: {one.message}" for one in warnings(lab(*things))]


def test_equal_priorities_where_the_order_matters() -> None:
    """Only where rules of both decide about a flow of the lab that no earlier policy decides about."""
    one = cluster_policy("one", ingress=[cluster_rule("deny", cluster_peer("app=a"), ports=["80-90"])])
    two = cluster_policy("two", ingress=[cluster_rule("allow", cluster_peer("app in (a,b)"), ports=["85"])])

    assert [
        "ClusterNetworkPolicy two: spec.priority: ClusterNetworkPolicy one has this priority too, and they decide"
        " differently about ingress of x/b: x/a -> x/b on 85/TCP: ClusterNetworkPolicy one denies it,"
        " ClusterNetworkPolicy two allows it; an implementation may take either: give them different priorities"
    ] == messages(one, two)
    assert [] == messages(one, replace(two, priority=11))
    earlier = cluster_policy("first", priority=1, ingress=[cluster_rule("pass", ports=["85"])])
    assert [] == [text for text in messages(one, replace(two, priority=10), earlier) if "has this priority" in text]
    apart = cluster_policy("two", ingress=[cluster_rule("allow", ports=["91"])])
    assert [] == messages(one, apart)


def test_rules_that_are_never_reached() -> None:
    """An earlier rule of the same policy, or of one that selects at least these pods and has a lower priority."""
    own = cluster_policy(
        "p", ingress=[cluster_rule("allow"), cluster_rule("deny", cluster_peer("app=a"), ports=["80"])]
    )
    earlier = cluster_policy(
        "a", priority=1, ingress=[cluster_rule("deny", cluster_peer("app in (a,b)"), ports=["80-90"])]
    )
    later = cluster_policy(
        "z", pods_peer("app=b"), priority=2, ingress=[cluster_rule("pass", cluster_peer("app=a"), ports=["81"])]
    )

    assert [
        "ClusterNetworkPolicy p: spec.ingress[1]: is never reached: spec.ingress[0] matches all that it matches;"
        " remove it, or move it up"
    ] == messages(own)
    assert [
        "ClusterNetworkPolicy z: spec.ingress[0]: is never reached: ClusterNetworkPolicy a spec.ingress[0] matches all"
        " that it matches; remove it, or move it up"
    ] == messages(earlier, later)
    narrow = replace(earlier, subject=pods_peer("app=a"))
    assert [] == [text for text in messages(narrow, later) if "never reached" in text]


def test_a_baseline_policy_that_no_pod_reaches() -> None:
    """As NetworkPolicies isolate all pods that it selects."""
    base = cluster_policy("z", pods_peer("app=a"), tier="Baseline", ingress=[cluster_rule("deny")])

    assert [
        "ClusterNetworkPolicy z: spec.ingress: judges no pod: NetworkPolicies isolate the pod that it selects for"
        " ingress, and decide before it"
    ] == messages(base, policy("x/n", "app=a", ingress=[rule()]))
    assert [] == messages(base)


def test_equal_priorities_of_baseline_do_not_matter_where_network_policy_decides() -> None:
    """Only pods that no NetworkPolicy isolates are asked about."""
    one = cluster_policy("one", tier="Baseline", ingress=[cluster_rule("deny")])
    two = cluster_policy("two", tier="Baseline", ingress=[cluster_rule("allow")])
    about_a = [
        text for text in messages(one, two, policy("x/n", "app=b", types="ingress")) if "this priority too" in text
    ]
    about_both = [text for text in messages(one, two, policy("x/n", types="ingress")) if "this priority too" in text]

    assert 1 == len(about_a)
    assert "ingress of x/a" in about_a[0]
    assert " on every port: " in about_a[0]
    assert [] == about_both


def test_fields_that_the_cni_of_the_profile_does_not_read() -> None:
    """A warning names each, as netlab judges by them."""
    of = lab(NODES)
    calico = named("calico-vxlan")

    assert [
        "spec.egress[0]: calico-vxlan does not read nodes, and netlab judges by it all the same (CODE: Calico 3.32)",
    ] == [f"{one.path}: {one.message}" for one in warnings(replace(of, profile=calico))]
    assert [] == warnings(of)


def test_a_rule_is_never_reached_if_several_earlier_rules_take_each_peer_on_each_port() -> None:
    """One peer, or one port, that is left reaches the rule."""
    first = cluster_rule("allow", cluster_peer("app=a"), ports=["80-90"])
    second = cluster_rule("deny", cluster_peer("app=b"))
    both = cluster_rule("deny", cluster_peer("app=a"), cluster_peer("app=b"), ports=["80", "81"])
    more = cluster_rule("deny", cluster_peer("app=a"), cluster_peer("app=b"), ports=["80", "99"])
    of = messages(cluster_policy("p", ingress=[first, second, both, more]))

    assert [
        "ClusterNetworkPolicy p: spec.ingress[2]: is never reached: spec.ingress[0] and spec.ingress[1] together"
    ] == [text.partition(" match all")[0] for text in of if "never reached" in text]


def test_hosts_of_one_name_and_different_families_are_judged_each() -> None:
    """By groups too: the host without an address of a family does not stand for the other one."""
    base = topology(["n"], hosts={"four": ["192.0.2.1"], "six": ["2001:db8::1"]}, cidrs=("10.244.0.0/16", "fd00::/56"))
    of = cluster(
        replace(base, hosts=tuple(replace(one, hostnames=("api.example.com",)) for one in base.hosts)),
        pod("x/a"),
        policy("x/p", egress=[]),
        cluster_policy("names", egress=[cluster_rule("allow", cluster_peer(names=["*.example.com"]))]),
    )
    found = {
        (to.ref, one.service[0]): one.verdict
        for one in groups(of, FlowSelection((("TCP", 80),))).answers()
        for to in one.destination.members
        if to.ref.startswith("host:")
    }

    assert {("host:four", 4): "allow", ("host:six", 6): "allow"} == found
