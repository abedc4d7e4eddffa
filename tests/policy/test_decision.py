"""Decisions: the reason, and the policies and rules that decided on each side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from builders import cluster, decide, flow, namespace, peer, pod, policy, rule, source, topology

from netlab.cluster import Cluster
from netlab.objects.policies import NetworkPolicy
from netlab.objects.types import Direction
from netlab.policy.decision import Miss
from netlab.policy.evaluate import misses
from netlab.policy.isolating import isolating
from netlab.policy.reasons import backends_reason
from netlab.verdicts import Expected

DENY_ALL = policy("shop/deny-all", ingress=[])
DB = policy(
    "shop/db",
    "app=db",
    ingress=[rule(peer("app=api"), ports=["sql"]), rule(peer("app=web"), peer(cidr="192.0.2.1/32"), ports=["81"])],
    source=source(10, "policies.yaml", **{"spec__ingress[0]": 12, "spec__ingress[1]": 20}),
)
OUT = policy(
    "ops/out",
    egress=[rule(peer(ns="team=shop"), ports=["80-90"]), rule(peer(cidr="10.0.0.0/8", but=["10.244.0.0/16"]))],
    source=source(1, "ops.yaml", **{"spec__egress[0]": 7}),
)


def lab(*policies: NetworkPolicy, mode: str = "routed") -> Cluster:
    return cluster(
        topology(["n1", "n2"], mode=mode, hosts={"client": ["192.0.2.10"]}),
        namespace("shop", "team=shop"),
        pod("ops/x", "app=x", node="n1"),
        pod("shop/db", "app=db", node="n1", ports=["sql=5432"]),
        pod("shop/host", node="n2", host=True),
        pod("shop/web", "app=web", node="n1"),
        *policies,
    )


REASONS = [
    pytest.param([], "shop/web", "shop/db", "80/TCP", "no policy selects either side", id="no policy"),
    pytest.param(
        [DENY_ALL],
        "shop/web",
        "shop/db",
        "80/TCP",
        "ingress of shop/db: NetworkPolicy shop/deny-all isolates it and no rule allows shop/web on 80/TCP",
        id="ingress denied",
    ),
    pytest.param(
        [DENY_ALL, DB],
        "shop/web",
        "shop/db",
        "ICMP",
        "ingress of shop/db: NetworkPolicies shop/db, shop/deny-all isolate it and no rule allows shop/web on ICMP",
        id="by two policies",
    ),
    pytest.param(
        [DENY_ALL, policy("ops/none", egress=[])],
        "ops/x",
        "shop/db",
        "80/TCP",
        "egress of ops/x: NetworkPolicy ops/none isolates it and no rule allows shop/db on 80/TCP; "
        "ingress of shop/db: NetworkPolicy shop/deny-all isolates it and no rule allows ops/x on 80/TCP",
        id="on both sides",
    ),
    pytest.param(
        [DB],
        "shop/web",
        "shop/db",
        "81/TCP",
        "allowed by NetworkPolicy shop/db spec.ingress[1].from[0] (policies.yaml:20)",
        id="allowed by a rule",
    ),
    pytest.param(
        [OUT, policy("shop/all", ingress=[rule()])],
        "ops/x",
        "shop/db",
        "80/TCP",
        "allowed by NetworkPolicy ops/out spec.egress[0].to[0] (ops.yaml:7) and NetworkPolicy shop/all spec.ingress[0]",
        id="by a rule on each side",
    ),
    pytest.param([DENY_ALL], "shop/db", "shop/db", "80/TCP", "shop/db always reaches itself", id="itself"),
    pytest.param(
        [DENY_ALL], "node:n1", "shop/db", "80/TCP", "shop/db is always open to its own node", id="from its own node"
    ),
    pytest.param([OUT], "ops/x", "node:n1", "80/TCP", "ops/x always reaches its own node", id="to its own node"),
    pytest.param(
        [], "node:n2", "shop/host", "80/TCP", "both are in the network namespace of node n2", id="one namespace"
    ),
    pytest.param([], "ops/x", "203.0.113.1", "80/TCP", "no machine of the lab has 203.0.113.1", id="no machine"),
]


@pytest.mark.parametrize(("policies", "source", "destination", "service", "reason"), REASONS)
def test_reason(policies: list[NetworkPolicy], source: str, destination: str, service: str, reason: str) -> None:
    """The reason is one line with what decided."""
    assert reason == decide(lab(*policies), source, destination, service).reason


def test_reason_of_macvlan() -> None:
    """If no node enforces policies, the reason says so."""
    decision = decide(lab(DENY_ALL, mode="macvlan"), "shop/web", "shop/db")

    assert "nothing enforces policies on macvlan network 'default'" == decision.reason


def test_reason_of_the_wiring() -> None:
    """If there is no path for packets, the reason says so."""
    decision = decide(lab(DENY_ALL, mode="bridge"), "host:client", "shop/db")

    assert "no route from outside to the pod addresses of bridge network 'default'" == decision.reason


def test_every_rule_that_allows() -> None:
    """A side has every rule of every policy that allows."""
    of = lab(policy("shop/a", ingress=[rule(peer("app=x")), rule()]), policy("shop/b", ingress=[rule(peer("app=web"))]))
    decision = decide(of, "shop/web", "shop/db")
    assert decision.ingress is not None

    assert [("shop/a", "spec.ingress[1]"), ("shop/b", "spec.ingress[0]")] == [
        (match.policy.meta.key, match.rule.path) for match in decision.ingress.allowing
    ]


def missed(of: Cluster, *asked: str) -> dict[Direction, tuple[Miss, ...]]:
    return misses(of, flow(of, *asked))  # type: ignore[arg-type]


def whys(found: Sequence[Miss]) -> list[str]:
    return [f"{miss.rule.path if miss.rule else miss.policy.meta.key}: {miss.why}" for miss in found]


MISSES = [
    pytest.param(
        "shop/web",
        "shop/db",
        "5432/TCP",
        [
            "spec.ingress[0]: from[0]: pod label app=api, found app=web",
            "spec.ingress[1]: port: 81/TCP, asked 5432/TCP",
            "shop/deny-all: has no ingress rules",
        ],
        id="another label, another port, no rule",
    ),
    pytest.param(
        "host:client",
        "shop/db",
        "81/TCP",
        [
            "spec.ingress[0]: from[0]: selectors match pods only, host:client is outside the cluster",
            "spec.ingress[1]: from[0]: selectors match pods only, host:client is outside the cluster; "
            "from[1]: ipBlock 192.0.2.1/32, found 192.0.2.10",
            "shop/deny-all: has no ingress rules",
        ],
        id="an outside host",
    ),
    pytest.param(
        "shop/host",
        "shop/db",
        "81/TCP",
        [
            "spec.ingress[0]: from[0]: selectors do not match host-network pods such as shop/host",
            "spec.ingress[1]: from[0]: selectors do not match host-network pods such as shop/host; "
            "from[1]: ipBlock 192.0.2.1/32, found 100.64.0.2",
            "shop/deny-all: has no ingress rules",
        ],
        id="a host-network pod",
    ),
    pytest.param(
        "node:n2",
        "shop/web",
        "81/TCP",
        ["shop/deny-all: has no ingress rules"],
        id="only the policies that select the pod",
    ),
]


@pytest.mark.parametrize(("source", "destination", "service", "expected"), MISSES)
def test_ingress_misses(source: str, destination: str, service: str, expected: list[str]) -> None:
    """A denied side has the first mismatch of each rule of each isolating policy."""
    assert expected == whys(missed(lab(DENY_ALL, DB), source, destination, service)["ingress"])


def test_a_node_and_its_host_network_pod_have_mismatches_of_their_own() -> None:
    """Although they have one address."""
    of = lab(policy("shop/p", ingress=[rule(peer("app=x"))]))
    found = [whys(missed(of, source, "shop/db")["ingress"]) for source in ("node:n2", "shop/host")]

    assert [
        ["spec.ingress[0]: from[0]: selectors match pods only, node:n2 is a node"],
        ["spec.ingress[0]: from[0]: selectors do not match host-network pods such as shop/host"],
    ] == found


def test_isolating() -> None:
    """The policies of a direction that select a pod isolate it. No policy isolates a host-network pod."""
    of = lab(DENY_ALL, DB, OUT)
    pods = {p.name: p for p in of.pods}

    assert ["shop/db", "shop/deny-all"] == [p.meta.key for p in isolating(of, pods["db"], "ingress")]
    assert ["ops/out"] == [p.meta.key for p in isolating(of, pods["x"], "egress")]
    assert () == isolating(of, pods["db"], "egress") == isolating(of, pods["host"], "ingress")


@pytest.mark.parametrize(
    ("rules", "service", "expected"),
    [
        ([rule(peer(ns="team=a"))], "80/TCP", "to[0]: namespace label team=a, found team=shop"),
        ([rule(peer(ns="color"))], "80/TCP", "to[0]: namespace label color, found no color"),
        ([rule(peer("app=db"))], "80/TCP", "to[0]: namespace ops, found shop (the other requirement matches)"),
        ([rule(peer("app in (a,b)", ""))], "80/TCP", "to[0]: pod label app in (a,b), found app=db"),
        (
            [rule(peer(cidr="10.0.0.0/8", but=["10.244.0.0/16"]))],
            "80/TCP",
            "to[0]: ipBlock 10.0.0.0/8 except 10.244.0.0/16, found 10.244.0.3",
        ),
        ([rule(ports=["80-90", "/UDP"])], "91/TCP", "port: 80-90/TCP or every UDP port, asked 91/TCP"),
        ([rule(ports=["sql"])], "80/TCP", "port: sql/TCP (which is 5432 on shop/db), asked 80/TCP"),
        ([rule(ports=["web"])], "80/TCP", "port: web/TCP (which shop/db does not have), asked 80/TCP"),
        ([rule(ports=["80"])], "ICMP", "port: the rule lists ports, ICMP has none"),
    ],
)
def test_egress_misses(rules: list[Any], service: str, expected: str) -> None:
    """A mismatch has what the rule requires and what the flow has."""
    found = whys(missed(lab(policy("ops/p", egress=rules)), "ops/x", "shop/db", service)["egress"])

    assert [f"spec.egress[0]: {expected}"] == found


def test_backends_whose_reasons_differ_in_their_names_are_listed_once() -> None:
    """A Service of many pods has a short reason; one backend keeps its name."""
    denied = "ingress of {}: NetworkPolicy x/p isolates it and no rule allows x/client on 80/TCP"
    left = "egress of x/client: NetworkPolicy x/out isolates it and no rule allows {} on 80/TCP"
    found: list[tuple[Expected, str, str]] = [("deny", denied.format(name), name) for name in ("x/a", "x/ab")]

    assert f"2 of 2 endpoints deny (x/a, x/ab): {denied.format('the endpoint')}" == backends_reason(found)
    assert (
        f"1 of 3 endpoints deny (x/c): {left.format('x/c')}"
        == backends_reason([*found, ("deny", left.format("x/c"), "x/c")]).rpartition("; ")[2]
    )
