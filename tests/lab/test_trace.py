"""A packet's events with the elements that its rules looked up, without a kernel."""

from __future__ import annotations

from typing import Any

import pytest
from builders import cluster, cluster_peer, cluster_policy, cluster_rule, peer, pod, policy, rule, topology

from netlab.cluster import Cluster
from netlab.cluster.flows import Flow
from netlab.dataplane.node_rulesets import rulesets
from netlab.kernel.nft_trace import Event
from netlab.lab.trace import TraceStep, read
from netlab.policy.evaluate import evaluate
from netlab.policy.explain import by_tier
from netlab.report.traces import short_rule

NODE = "node-1"


@pytest.fixture
def shop() -> Cluster:
    """Pods a and b; a takes port 80 to 90 from b, and port 80 from a range of addresses outside."""
    return cluster(
        topology([NODE], hosts={"client": ["192.0.2.10"]}),
        pod("x/a", "app=a"),
        pod("x/b", "app=b"),
        policy(
            "x/p",
            "app=a",
            ingress=[
                rule(peer("app=b"), ports=["80-90"]),
                rule(peer(cidr="192.0.2.0/24", but=["192.0.2.128/25"]), ports=["80"]),
            ],
        ),
    )


def traced(shop: Cluster, source: str, port: int, *rules: tuple[str, str, str]) -> list[TraceStep]:
    """Return the steps of a packet to pod a that meets rules, each a chain, a text and a verdict."""
    to = shop.by_ref["x/a"].addresses[0]
    address = str(shop.by_ref[source].addresses[0])
    fields = f"ip saddr {address} ip daddr {to} ip ttl 64 ip protocol tcp ip length 44 tcp sport 5 tcp dport {port}"
    events = [Event("1", "inet", "netlab", "forward", "packet", fields)]
    events += [Event("1", "inet", "netlab", chain, "rule", text, verdict) for chain, text, verdict in rules]
    return read(NODE, rulesets(shop)[NODE], events)


CLASS = ("forward", "meta priority set ip daddr map @in4 jump ingress_class", "jump ingress_class")
RESET = ("ingress_class", "ct mark set 0x00000000", "continue")
POD = ("ingress_class", "ct mark set ip saddr map @id4", "continue")
OUTSIDE = ("ingress_class", "ct mark 0x00000000 ct mark set ip saddr map @cidr4", "continue")
ONE_PORT = ("ingress_class", "meta priority . ct mark . meta l4proto . th dport @in_l3l4 return", "return")
SLOW = ("ingress_class", "meta priority @in_slow goto in_ranges", "goto in_ranges")
RANGE = ("in_ranges", "meta priority . ct mark . meta l4proto . th dport @in_l3l4_ranges return", "return")
DENY = ("in_ranges", "goto deny_in", "goto deny_in")
DROP = ("deny_in", "counter packets 7 bytes 308 drop", "drop")


@pytest.mark.parametrize(
    ("source", "port", "rules", "entry"),
    [
        ("x/b", 85, (CLASS, RESET, POD, SLOW, RANGE), ("in_l3l4_ranges", "x/a from x/b by x/p")),
        (
            "host:client",
            80,
            (CLASS, RESET, OUTSIDE, ONE_PORT),
            ("in_l3l4", "x/a from 192.0.2.0/24 except 192.0.2.128/25 by x/p"),
        ),
        ("x/b", 91, (CLASS, RESET, POD, SLOW, DENY, DROP), ("in4", "x/a selected by x/p")),
        ("x/b", 80, (CLASS, RESET, POD), ("id4", "x/b")),
        ("x/b", 80, (CLASS, RESET), ("", "")),
    ],
    ids=["range of ports", "addresses outside", "drop names the class", "identity", "no lookup"],
)
def test_the_last_step_has_the_element_that_decided(
    shop: Cluster, source: str, port: int, rules: Any, entry: tuple[str, str]
) -> None:
    """Its set and its comment, found from what earlier rules have set."""
    last = traced(shop, source, port, *rules)[-1]

    assert entry == (last.set, last.comment)


def test_a_drop_has_no_counters(shop: Cluster) -> None:
    """The rule reads as it is written in the ruleset."""
    last = traced(shop, "x/b", 91, CLASS, RESET, POD, SLOW, DENY, DROP)[-1]

    assert (NODE, "inet netlab deny_in", "counter drop", "drop") == (last.node, last.chain, last.rule, last.verdict)


@pytest.mark.parametrize(("others", "expected"), [(["accept"], ["accept"]), ([], ["drop"])], ids=["flooded", "only"])
def test_copies_that_a_bridge_floods_are_left_out(shop: Cluster, others: list[str], expected: list[str]) -> None:
    """A drop at a port is listed only where no other port let the packet through."""
    events = [Event("1", "bridge", "netlab", "forward", "rule", text, text) for text in ("drop", *others)]

    assert expected == [step.verdict for step in read(NODE, rulesets(shop)[NODE], events)]


def test_a_step_has_the_endpoint_that_the_packet_is_for(shop: Cluster) -> None:
    """Before the translation, it follows from the source port; after a masquerade, from the destination."""

    def packet(number: str, to: str, sport: int) -> Event:
        fields = f"ip saddr 10.244.0.9 ip daddr {to} ip protocol tcp tcp sport {sport} tcp dport 80"
        return Event(number, "inet", "netlab", "prerouting", "packet", fields)

    def step(number: str) -> Event:
        return Event(number, "inet", "netlab", "prerouting", "rule", "accept", "accept")

    events = [
        *(packet("1", "10.96.0.9", 1001), step("1"), packet("1", "10.244.0.2", 1001), step("1")),
        *(packet("2", "10.96.0.9", 1002), step("2"), packet("2", "10.244.0.3", 1002), step("2")),
        *(packet("3", "10.96.0.9", 1003), step("3")),
    ]
    ends = {("10.244.0.2", "80"): "10.244.0.2:80", ("10.244.0.3", "80"): "10.244.0.3:80"}
    found = [one.endpoint for one in read(NODE, rulesets(shop)[NODE], events, ends)]

    assert ["10.244.0.2:80"] * 2 + ["10.244.0.3:80"] * 2 + [""] == found


def test_a_long_map_in_a_rule_is_short_in_the_table() -> None:
    """It has the first two elements. Other rules stay whole."""
    elements = [f"0x{i:08x} : goto service4_{i}" for i in range(9)]
    short = f"ct mark vmap {{ {', '.join(elements[:2])}, … }}"

    assert short == short_rule(f"ct mark vmap {{ {', '.join(elements)} }}")
    assert "meta l4proto { tcp, udp, sctp } accept" == short_rule("meta l4proto { tcp, udp, sctp } accept")


@pytest.fixture
def closed() -> Cluster:
    """Pods a and b; the tier Admin denies port 80 of all pods to b, and the tier Baseline denies a to b."""
    return cluster(
        topology([NODE]),
        pod("x/a", "app=a"),
        pod("x/b", "app=b"),
        cluster_policy(
            "closed",
            ingress=[
                cluster_rule("allow", cluster_peer("app=c")),
                cluster_rule("deny", cluster_peer("app=b"), ports=["80"]),
            ],
        ),
        cluster_policy("rest", ingress=[cluster_rule("deny", cluster_peer("app=a"))], tier="Baseline"),
    )


TIER_CLASS = ("ingress_class", "meta priority & 8000:0 == 8000:0 goto in_tiers", "goto in_tiers")
BY_PORT = (
    "in_tiers",
    "meta priority set meta priority & fffc:0 . ct mark . meta l4proto . th dport map @in_tiers_port"
    " goto in_tiers_found",
    "goto in_tiers_found",
)
UNDECIDED = ("in_tiers", "meta priority & 3:ffff == none return", "return")
DENY_BY_TIER = ("deny_in", "counter packets 7 bytes 308 drop", "drop")


@pytest.mark.parametrize(
    ("port", "rules", "entry"),
    [
        (
            80,
            (BY_PORT, DENY_BY_TIER),
            ("in_tiers_port", "deny from x/b by Admin ClusterNetworkPolicy closed ingress[1]"),
        ),
        (81, (UNDECIDED,), ("", "no cluster-wide policy decides")),
    ],
    ids=["a rule denies", "no rule"],
)
def test_the_last_step_names_the_rule_of_a_cluster_wide_policy(
    closed: Cluster, port: int, rules: Any, entry: tuple[str, str]
) -> None:
    """Its tier, its policy and the place of the rule; where no element decides, the step says so."""
    last = traced(closed, "x/b", port, CLASS, TIER_CLASS, RESET, POD, *rules)[-1]

    assert entry == (last.set, last.comment)


def test_the_tiers_of_a_trace_have_one_line_each(closed: Cluster, shop: Cluster) -> None:
    """They are those of ``netlab explain``; without cluster-wide policies there are none."""

    def lines(of: Cluster, port: int) -> list[str]:
        source, to = of.by_ref["x/b"], of.by_ref["x/a"]
        decision = evaluate(of, Flow(source, to, 4, "TCP", port, to.addresses[0]))
        return [line for section in by_tier(of, decision) for line in section.in_lines() if "egress" not in line]

    denied = "ClusterNetworkPolicy closed spec.ingress[1] of tier Admin (priority 10) denies x/b on 80/TCP"
    assert ["ingress of x/a: deny", f"  Admin: deny: {denied}", "  Baseline: not reached; no rule of it matches"] == [
        line for line in lines(closed, 80) if "default" not in line
    ]
    assert "  Baseline: pass: no rule of it matches" in lines(closed, 81)
    assert [] == lines(shop, 80)
