"""Reasons name the setting that decided, and its value; explanations and warnings follow."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest
from builders import cluster, decide, flow, peer, pod, policy, rule, selector, topology, unread

from netlab.cluster import Cluster
from netlab.cluster.flows import Flow
from netlab.objects.topology import TopologyPolicy
from netlab.objects.unread import Subject
from netlab.policy.evaluate import evaluate, misses
from netlab.policy.explain import explain
from netlab.policy.warnings import warnings

CLOSED = (
    policy("x/in", "pod=b", ingress=[]),
    policy("x/out", "pod=a", egress=[]),
)


def world(*more: Any, mode: str = "overlay", policies: Any = CLOSED, **settings: Any) -> Cluster:
    """Return pods x/a and x/b on two nodes, each closed in one direction by default."""
    return cluster(
        replace(topology(["n1", "n2"], mode=mode), policy=TopologyPolicy(**settings)),
        pod("x/a", "pod=a", node="n1"),
        pod("x/b", "pod=b", node="n2"),
        *policies,
        *more,
    )


REASONS = [
    ({"enforcement": "none"}, "x/b", "80/TCP", "allow", "nothing enforces policies (enforcement: none)"),
    ({"sctp": "drop"}, "x/b", "80/SCTP", "deny", "all SCTP of pods is dropped (sctp: drop)"),
    ({"icmp": "allow"}, "x/b", "ICMP", "allow", "ICMP always passes (icmp: allow)"),
    ({"icmp": "basic-always"}, "x/b", "ICMP", "allow", "echo requests always pass (icmp: basic-always)"),
    (
        {"own_node": "enforce", "node_ports": "exempt"},
        "node:n1",
        "30080/TCP",
        "allow",
        "node ports and Services at the own node are exempt (nodePorts: exempt)",
    ),
    (
        {"directions": "ingress-only"},
        "node:n2",
        "80/TCP",
        "allow",
        "policies do not judge egress (directions: ingress-only)",
    ),
]


@pytest.mark.parametrize(("settings", "to", "service", "verdict", "reason"), REASONS)
def test_a_reason_ends_with_the_setting_that_decided(
    settings: dict[str, Any], to: str, service: str, verdict: str, reason: str
) -> None:
    """The explanation has it too, and says what no policy can change."""
    of = world(**settings)
    found = decide(of, "x/a", to, service)

    assert (verdict, reason) == (found.verdict, found.reason)
    assert f"No NetworkPolicy can {'deny' if verdict == 'allow' else 'allow'} it: {reason}." in str(
        explain(of, flow(of, "x/a", to, service))
    )


def test_an_allowed_flow_names_the_rule_and_that_egress_is_not_judged() -> None:
    """With ``ingress-only`` the ingress of the destination is judged."""
    opening = policy("x/in", "pod=b", ingress=[rule(peer("pod=a"))])
    of = world(policies=(opening, CLOSED[1]), directions="ingress-only")

    assert decide(of, "x/a", "x/b").reason == (
        "allowed by NetworkPolicy x/in spec.ingress[0].from[0]; policies do not judge egress (directions: ingress-only)"
    )


def test_a_denial_by_ingress_names_no_other_setting() -> None:
    """The policy decided."""
    reason = decide(world(directions="ingress-only"), "x/a", "x/b").reason

    assert "NetworkPolicy x/in isolates it" in reason
    assert "directions" not in reason


def test_a_miss_says_that_ip_blocks_do_not_mean_nodes() -> None:
    """The node's own address, and a node's address in the range of pods."""
    opening = policy("x/in", "pod=b", ingress=[rule(peer(cidr="0.0.0.0/0"))])
    of = world(policies=(opening,), ip_block_nodes="ignore")
    why = misses(of, flow(of, "node:n1", "x/b"))["ingress"][0].why

    assert (
        "from[0]: ipBlock 0.0.0.0/0 does not match addresses of nodes such as 100.64.0.1 (ipBlockNodes: ignore)" == why
    )
    assert "allow" == decide(of, "x/a", "x/b").verdict


def test_unread_policies_decide_nothing_where_nothing_enforces() -> None:
    """A verdict is then certain."""
    subject = Subject("x", selector(""), selector(""), denies=frozenset({"ingress", "egress"}))
    other = unread("x/u", subject)

    assert "unknown" == decide(world(other, policies=()), "x/a", "x/b").verdict
    assert "allow" == decide(world(other, policies=(), enforcement="none"), "x/a", "x/b").verdict


def test_one_warning_says_that_nothing_enforces_the_policies() -> None:
    """It counts them, and is the only one about them. Without policies there is none."""
    found = [str(one) for one in warnings(world(enforcement="none"))]

    assert 1 == len(found)
    assert found[0].endswith("nothing enforces policies, so all 2 NetworkPolicies have no effect (enforcement: none)")
    assert [] == warnings(world(policies=(), enforcement="none"))


NODE = "spec.ingress[0].from[0].ipBlock: 100.64.0.1/32 matches nothing: it is a node's address (ipBlockNodes: ignore)"
EFFECTLESS = [
    ({"directions": "ingress-only"}, "egress", "policies do not judge egress, so its egress has no effect"),
    ({"sctp": "drop"}, "ports[0]", "all SCTP of pods is dropped (sctp: drop)"),
    ({"ip_block_nodes": "ignore"}, "ipBlock", NODE),
]


@pytest.mark.parametrize(("settings", "path", "text"), EFFECTLESS)
def test_a_warning_names_what_a_setting_makes_useless(settings: dict[str, Any], path: str, text: str) -> None:
    """Without the setting there is no such warning."""
    one = policy("x/p", "pod=a", ingress=[rule(peer(cidr="100.64.0.1/32"), ports=["80/SCTP"])], egress=[rule()])
    found = [str(w) for w in warnings(world(policies=(one,), **settings))]

    assert 1 == sum(text in line and path in line for line in found), found
    assert not any(text in str(w) for w in warnings(world(policies=(one,))))


def test_dns_is_not_cut_off_where_egress_is_not_judged() -> None:
    """A policy that allows no egress does not cut a pod off from DNS."""
    rules = [{one.rule for one in warnings(world(**more))} for more in ({}, {"directions": "ingress-only"})]

    assert 1 == len(rules[0] - rules[1])
    assert {"egress-not-judged"} == rules[1] - rules[0]


@pytest.mark.parametrize(("value", "judged"), [("judge", True), ("allow", False)])
def test_egress_to_a_multicast_address_is_judged_unless_it_is_allowed(value: str, judged: bool) -> None:
    """No machine has the address, so no verdict is allow."""
    of = world(multicast=value)
    for family, address in ((4, "239.1.2.3"), (6, "ff02::1")):
        asked = Flow(of.by_ref["x/a"], None, family, "UDP", 5000, ip_address(address))
        found = evaluate(of, asked)

        assert ("deny", judged and family == 4) == (found.verdict, found.egress is not None)


@pytest.mark.parametrize("port", ["29999/TCP", "32768/TCP", "ICMP"])
def test_other_ports_of_the_own_node_are_judged(port: str) -> None:
    """The range of node ports alone is exempt."""
    of = world(own_node="enforce", node_ports="exempt")

    assert "deny" == decide(of, "x/a", "node:n1", port).verdict


def test_the_range_of_node_ports_is_that_of_the_topology() -> None:
    """``nodePortRange`` of the Topology."""
    shape = topology(["n1"])
    settings = TopologyPolicy(own_node="enforce", node_ports="exempt")
    of = cluster(replace(shape, policy=settings, node_ports=(80, 90)), pod("x/a", "pod=a", node="n1"), CLOSED[1])

    assert ["deny", "allow", "allow", "deny"] == [
        decide(of, "x/a", "node:n1", f"{port}/TCP").verdict for port in (79, 80, 90, 91)
    ]
