"""What NetworkPolicy means, case by case.

The world: namespaces x and y on two nodes of a routed network, where an outside host can reach pods. n1 has x/a, x/b
and y/a, n2 has x/c and y/b; every pod is labelled pod=NAME. x/host and y/host are host-network pods on n1 and n2.
"""

from __future__ import annotations

from typing import NamedTuple

import pytest
from builders import cluster, decide, namespace, peer, pod, policy, rule, topology, verdict

from netlab.cluster import Cluster
from netlab.objects.policies import NetworkPolicy

ALLOW, DENY = "allow", "deny"
CLIENT, OTHER = "192.0.2.10", "192.0.2.20"
N1, N2 = "100.64.0.1", "100.64.0.2"
X_A, X_B, X_C, Y_A, Y_B = "10.244.0.2", "10.244.0.3", "10.244.1.2", "10.244.0.4", "10.244.1.3"


def world(*policies: NetworkPolicy, mode: str = "routed") -> Cluster:
    return cluster(
        topology(["n1", "n2"], mode=mode, hosts={"client": [CLIENT], "other": [OTHER]}),
        namespace("x", "team=x,empty="),
        namespace("y", "team=y"),
        pod("x/a", "pod=a,app=web", node="n1", ports=["http=80", "dns=53/UDP", "alt=8080"]),
        pod("x/b", "pod=b,app=web", node="n1", ports=["http=8080", "http=80", "dns=53"]),
        pod("x/c", "pod=c,empty=", node="n2"),
        pod("y/a", "pod=a", node="n1", ports=["http=80"]),
        pod("y/b", "pod=b", node="n2", ports=["http=8080"]),
        pod("x/host", "pod=host,app=web", node="n1", host=True, ports=["http=80"]),
        pod("y/host", "pod=host", node="n2", host=True, ports=["http=80"]),
        *policies,
    )


def test_the_world_is_as_described() -> None:
    """The addresses that the cases below name are those of the endpoints that they mean."""
    of = world()
    found = {ref: str(of.by_ref[ref].addresses[0]) for ref in ("x/a", "x/b", "x/c", "y/a", "y/b", "node:n1", "node:n2")}

    assert {
        "x/a": X_A, "x/b": X_B, "x/c": X_C, "y/a": Y_A, "y/b": Y_B, "node:n1": N1, "node:n2": N2
    } == found  # fmt: skip


class Case(NamedTuple):
    """Policies, and for some flows the verdict: ``"x/a > x/b 80/TCP": ALLOW``."""

    name: str
    policies: list[NetworkPolicy]
    verdicts: dict[str, str]


def a(*rules: object, types: str = "") -> NetworkPolicy:
    """An ingress policy on x/a."""
    return policy("x/p", "pod=a", ingress=rules, types=types)  # type: ignore[arg-type]


def out(*rules: object, types: str = "") -> NetworkPolicy:
    """An egress policy on x/a."""
    return policy("x/p", "pod=a", egress=rules, types=types)  # type: ignore[arg-type]


ISOLATION = [
    Case("no policy selects the pod", [policy("y/p", ingress=[], egress=[])], {"x/b > x/a": ALLOW, "x/a > x/b": ALLOW}),
    Case("ingress only leaves egress free", [a()], {"x/b > x/a": DENY, "x/a > x/b": ALLOW, "x/a > host:client": ALLOW}),
    Case(
        "egress only leaves ingress free", [out()], {"x/a > x/b": DENY, "x/b > x/a": ALLOW, "host:client > x/a": ALLOW}
    ),
    Case(
        "both directions, egress rules alone",
        [out(rule(), types="ingress egress")],
        {"x/a > x/b": ALLOW, "x/b > x/a": DENY},
    ),
    Case(
        "rules of an unlisted direction are ignored",
        [a(rule(), types="egress")],
        {"x/b > x/a": ALLOW, "x/a > x/b": DENY},
    ),
    Case("egress rules without the type", [out(types="ingress")], {"x/a > x/b": ALLOW, "x/b > x/a": DENY}),
    Case(
        "no rules deny all, from outside too",
        [a()],
        {"x/c > x/a": DENY, "y/b > x/a": DENY, "host:client > x/a": DENY, "x/b > x/a ICMP": DENY},
    ),
    Case(
        "an empty rule allows all",
        [a(rule())],
        {"x/b > x/a": ALLOW, "host:client > x/a": ALLOW, "x/b > x/a 53/UDP": ALLOW, "x/b > x/a ICMP": ALLOW},
    ),
    Case(
        "an empty pod selector means the namespace",
        [policy("x/p", ingress=[])],
        {"y/a > x/c": DENY, "x/a > y/a": ALLOW},
    ),
    Case("a policy is of its own namespace", [policy("y/p", "app=web", ingress=[])], {"x/b > x/a": ALLOW}),
    Case("a selector that matches nothing isolates nobody", [policy("x/p", "pod=z", ingress=[])], {"x/b > x/a": ALLOW}),
    Case(
        "both ends must allow",
        [policy("x/p", "pod=a", egress=[rule(peer("", ""))]), policy("y/p", "pod=a", ingress=[])],
        {"x/a > y/a": DENY, "x/a > y/b": ALLOW},
    ),
    Case(
        "policies are a union, in any order",
        [policy("x/deny", "pod=a", ingress=[]), policy("x/allow", "pod=a", ingress=[rule(peer("pod=b"))])],
        {"x/b > x/a": ALLOW, "x/c > x/a": DENY},
    ),
    Case(
        "policies are a union, in the other order",
        [policy("x/a-allow", "pod=a", ingress=[rule(peer("pod=b"))]), policy("x/deny", "pod=a", ingress=[])],
        {"x/b > x/a": ALLOW, "x/c > x/a": DENY},
    ),
    Case(
        "rules are a union",
        [a(rule(peer("pod=b")), rule(ports=["81"]))],
        {"x/b > x/a 80/TCP": ALLOW, "x/c > x/a 81/TCP": ALLOW, "x/c > x/a 80/TCP": DENY},
    ),
    Case(
        "peers and ports of one rule are both needed",
        [a(rule(peer("pod=b"), peer("pod=c"), ports=["80", "81"]))],
        {"x/b > x/a 80/TCP": ALLOW, "x/c > x/a 81/TCP": ALLOW, "x/b > x/a 82/TCP": DENY, "y/b > x/a 80/TCP": DENY},
    ),
]

SELECTORS = [
    Case(
        "no peers match every source",
        [a(rule(ports=["80"]))],
        {"x/b > x/a": ALLOW, "y/b > x/a": ALLOW, "host:client > x/a": ALLOW, "node:n2 > x/a": ALLOW},
    ),
    Case(
        "a pod selector means pods of the policy's namespace",
        [a(rule(peer("")))],
        {"x/b > x/a": ALLOW, "x/c > x/a": ALLOW, "y/b > x/a": DENY, "host:client > x/a": DENY, "node:n2 > x/a": DENY},
    ),
    Case(
        "a namespace selector means pods of all matching namespaces, and nobody else",
        [a(rule(peer(ns="")))],
        {
            "x/b > x/a": ALLOW,
            "y/b > x/a": ALLOW,
            "host:client > x/a": DENY,
            "node:n2 > x/a": DENY,
            "y/host > x/a": DENY,
        },
    ),
    Case(
        "both empty selectors mean the same",
        [a(rule(peer("", "")))],
        {"x/b > x/a": ALLOW, "y/b > x/a": ALLOW, "host:client > x/a": DENY},
    ),
    Case(
        "two selectors in one peer are both needed",
        [a(rule(peer("pod=b", "team=y")))],
        {"y/b > x/a": ALLOW, "y/a > x/a": DENY, "x/b > x/a": DENY},
    ),
    Case(
        "two peers are alternatives",
        [a(rule(peer("pod=b"), peer(ns="team=y")))],
        {"y/a > x/a": ALLOW, "x/b > x/a": ALLOW, "x/c > x/a": DENY},
    ),
    Case(
        "labels and expressions are both needed",
        [a(rule(peer("app=web,pod in (b,c)")))],
        {"x/b > x/a": ALLOW, "x/c > x/a": DENY},
    ),
    Case(
        "notin is satisfied by a missing key",
        [a(rule(peer("app notin (web)")))],
        {"x/c > x/a": ALLOW, "x/b > x/a": DENY},
    ),
    Case(
        "does-not-exist is satisfied by a missing key", [a(rule(peer("!app")))], {"x/c > x/a": ALLOW, "x/b > x/a": DENY}
    ),
    Case(
        "in is not satisfied by a missing key", [a(rule(peer("app in (web)")))], {"x/b > x/a": ALLOW, "x/c > x/a": DENY}
    ),
    Case("exists is not satisfied by a missing key", [a(rule(peer("app")))], {"x/b > x/a": ALLOW, "x/c > x/a": DENY}),
    Case("an empty value is a value", [a(rule(peer("empty=")))], {"x/c > x/a": ALLOW, "x/b > x/a": DENY}),
    Case("an empty value exists", [a(rule(peer("empty")))], {"x/c > x/a": ALLOW, "x/b > x/a": DENY}),
    Case("an empty value of a namespace", [a(rule(peer(ns="empty=")))], {"x/c > x/a": ALLOW, "y/b > x/a": DENY}),
    Case(
        "namespaces have a label with their name",
        [a(rule(peer(ns="kubernetes.io/metadata.name=y")))],
        {"y/b > x/a": ALLOW, "x/b > x/a": DENY},
    ),
    Case("a selector that matches nothing lets nobody in", [a(rule(peer("pod=z")))], {"x/b > x/a": DENY}),
    Case(
        "selectors work for egress",
        [out(rule(peer("pod=b", "team=y")))],
        {"x/a > y/b": ALLOW, "x/a > x/b": DENY, "x/a > host:client": DENY},
    ),
]

PORTS = [
    Case(
        "a port without a protocol is TCP",
        [a(rule(ports=["80"]))],
        {"x/b > x/a 80/TCP": ALLOW, "x/b > x/a 80/UDP": DENY, "x/b > x/a 81/TCP": DENY},
    ),
    Case(
        "an empty port item is all of TCP",
        [a(rule(ports=["/TCP"]))],
        {"x/b > x/a 9/TCP": ALLOW, "x/b > x/a 9/UDP": DENY},
    ),
    Case(
        "a protocol alone is all its ports",
        [a(rule(ports=["/UDP"]))],
        {"x/b > x/a 9/UDP": ALLOW, "x/b > x/a 9/TCP": DENY},
    ),
    Case("undeclared ports can be allowed", [a(rule(ports=["9999"]))], {"x/b > x/a 9999/TCP": ALLOW}),
    Case(
        "a range has both its ends",
        [a(rule(ports=["80-82"]))],
        {"x/b > x/a 79/TCP": DENY, "x/b > x/a 80/TCP": ALLOW, "x/b > x/a 82/TCP": ALLOW, "x/b > x/a 83/TCP": DENY},
    ),
    Case(
        "SCTP is not TCP, and isolates",
        [a(rule(ports=["80/SCTP"]))],
        {"x/b > x/a 80/SCTP": ALLOW, "x/b > x/a 80/TCP": DENY, "x/b > x/a 81/SCTP": DENY},
    ),
    Case("rules without ports allow ICMP", [a(rule(peer("pod=b")))], {"x/b > x/a ICMP": ALLOW, "x/c > x/a ICMP": DENY}),
    Case("rules with ports never allow ICMP", [a(rule(ports=["80", "/TCP", "/UDP"]))], {"x/b > x/a ICMP": DENY}),
    Case(
        "a named ingress port is the selected pod's",
        [a(rule(ports=["http"]))],
        {"x/b > x/a 80/TCP": ALLOW, "x/b > x/a 8080/TCP": DENY},
    ),
    Case(
        "a named egress port is each destination's own",
        [out(rule(ports=["http"]))],
        {
            "x/a > y/a 80/TCP": ALLOW,
            "x/a > y/a 8080/TCP": DENY,
            "x/a > y/b 8080/TCP": ALLOW,
            "x/a > y/b 80/TCP": DENY,
        },
    ),
    Case(
        "nobody but pods has named ports",
        [out(rule(ports=["http"]))],
        {"x/a > host:client 80/TCP": DENY, "x/a > y/host 80/TCP": DENY, "x/a > node:n2 80/TCP": DENY},
    ),
    Case(
        "a named port needs the protocol too",
        [a(rule(ports=["dns"])), policy("x/q", "pod=b", ingress=[rule(ports=["dns/UDP"])])],
        {"x/b > x/a 53/TCP": DENY, "x/b > x/a 53/UDP": DENY, "x/a > x/b 53/UDP": DENY, "x/a > x/b 53/TCP": DENY},
    ),
    Case(
        "a named port with its protocol",
        [a(rule(ports=["dns/UDP"]))],
        {"x/b > x/a 53/UDP": ALLOW, "x/b > x/a 53/TCP": DENY},
    ),
    Case("a named port that the pod lacks", [a(rule(ports=["nope"]))], {"x/b > x/a 80/TCP": DENY}),
    Case(
        "of two ports of one name the first counts",
        [policy("x/p", "pod=b", ingress=[rule(ports=["http"])])],
        {"x/a > x/b 8080/TCP": ALLOW, "x/a > x/b 80/TCP": DENY},
    ),
    Case(
        "a named port behind an ipBlock is that of pods inside it",
        [out(rule(peer(cidr="10.244.0.0/24"), ports=["http"]), rule(peer(cidr="192.0.2.0/24"), ports=["http"]))],
        {"x/a > y/a 80/TCP": ALLOW, "x/a > y/b 8080/TCP": DENY, "x/a > host:client 80/TCP": DENY},
    ),
]

BLOCKS = [
    Case(
        "an ipBlock matches outside hosts",
        [a(rule(peer(cidr=f"{CLIENT}/32")))],
        {"host:client > x/a": ALLOW, "host:other > x/a": DENY, "x/b > x/a": DENY},
    ),
    Case("an ipBlock matches pods", [out(rule(peer(cidr=f"{Y_B}/32")))], {"x/a > y/b": ALLOW, "x/a > y/a": DENY}),
    Case(
        "an ipBlock matches pods as sources", [a(rule(peer(cidr=f"{Y_B}/32")))], {"y/b > x/a": ALLOW, "y/a > x/a": DENY}
    ),
    Case(
        "exceptions, each",
        [a(rule(peer(cidr="10.244.0.0/16", but=[f"{X_B}/32", f"{Y_A}/32"])))],
        {"x/c > x/a": ALLOW, "x/b > x/a": DENY, "y/a > x/a": DENY},
    ),
    Case(
        "an exception is no denial: another peer may allow",
        [a(rule(peer(cidr="0.0.0.0/0", but=["10.0.0.0/8"]), peer(cidr=f"{X_B}/32")))],
        {"x/b > x/a": ALLOW, "x/c > x/a": DENY, "host:client > x/a": ALLOW},
    ),
    Case(
        "an exception is no denial: another rule may allow",
        [a(rule(peer(cidr="0.0.0.0/0", but=["10.0.0.0/8"])), rule(peer("pod=b")))],
        {"x/b > x/a": ALLOW, "x/c > x/a": DENY},
    ),
    Case(
        "an exception is no denial: another policy may allow",
        [a(rule(peer(cidr="0.0.0.0/0", but=["10.0.0.0/8"]))), policy("x/q", ingress=[rule(peer("pod=b"))])],
        {"x/b > x/a": ALLOW, "x/c > x/a": DENY},
    ),
    Case(
        "0.0.0.0/0 has pods, nodes and outside hosts",
        [a(rule(peer(cidr="0.0.0.0/0")))],
        {"x/b > x/a": ALLOW, "node:n2 > x/a": ALLOW, "y/host > x/a": ALLOW, "host:client > x/a": ALLOW},
    ),
    Case(
        "the other family's /0 has none of them",
        [a(rule(peer(cidr="::/0")))],
        {"x/b > x/a": DENY, "host:client > x/a": DENY},
    ),
    Case(
        "overlapping blocks are a union",
        [a(rule(peer(cidr="192.0.2.0/24"), peer(cidr="192.0.2.8/29")))],
        {"host:client > x/a": ALLOW, "host:other > x/a": ALLOW},
    ),
    Case(
        "a /31 has two addresses",
        [a(rule(peer(cidr="10.244.0.2/31")))],
        {"x/b > x/a": ALLOW, "y/a > x/a": DENY},
    ),
    Case(
        "an ipBlock without ports allows ICMP", [a(rule(peer(cidr=f"{CLIENT}/32")))], {"host:client > x/a ICMP": ALLOW}
    ),
]

NODES = [
    Case(
        "a node always reaches its own pods",
        [policy("x/p", ingress=[])],
        {"node:n1 > x/a": ALLOW, "x/host > x/a": ALLOW, "node:n1 > x/a ICMP": ALLOW},
    ),
    Case(
        "another node is subject to policy", [policy("x/p", ingress=[])], {"node:n2 > x/a": DENY, "y/host > x/a": DENY}
    ),
    Case(
        "another node is matched by its address",
        [a(rule(peer(cidr=f"{N2}/32")))],
        {"node:n2 > x/a": ALLOW, "y/host > x/a": ALLOW, "x/b > x/a": DENY},
    ),
    Case(
        "a pod always reaches its own node", [policy("x/p", egress=[])], {"x/a > node:n1": ALLOW, "x/a > x/host": ALLOW}
    ),
    Case(
        "other nodes are subject to egress policy",
        [out(rule(peer("", ""), peer(cidr=f"{CLIENT}/32")))],
        {"x/a > node:n2": DENY, "x/a > y/host": DENY, "x/a > host:client": ALLOW},
    ),
    Case(
        "other nodes are reached by their address",
        [out(rule(peer(cidr=f"{N2}/32")))],
        {"x/a > node:n2": ALLOW, "x/a > y/host": ALLOW},
    ),
    Case(
        "a pod cannot cut itself off",
        [policy("x/p", ingress=[], egress=[])],
        {"x/a > x/a": ALLOW, "x/a > x/a ICMP": ALLOW},
    ),
    Case(
        "host-network pods are never selected",
        [policy("x/p", "pod=host", ingress=[], egress=[]), policy("y/p", "pod=host", ingress=[], egress=[])],
        {"x/host > y/a": ALLOW, "y/a > y/host": ALLOW, "x/host > y/host": ALLOW, "host:client > x/host": ALLOW},
    ),
    Case(
        "host-network pods are no selector's peers",
        [a(rule(peer("pod=host", ""))), policy("y/p", "pod=a", egress=[rule(peer("pod=host", ""))])],
        {"y/host > x/a": DENY, "y/a > y/host": DENY},
    ),
    Case("an outside host has no policy of its own", [policy("x/p", ingress=[])], {"x/a > host:client": ALLOW}),
]

CASES = [*ISOLATION, *SELECTORS, *PORTS, *BLOCKS, *NODES]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_meaning(case: Case) -> None:
    """Every verdict is the one that Kubernetes documents, or that netlab declares where Kubernetes leaves it open."""
    of = world(*case.policies)
    found = {}
    for question in case.verdicts:
        source, _, destination, *service = question.split(" ")
        found[question] = verdict(of, source, destination, *service)  # type: ignore[arg-type]

    assert case.verdicts == found


def test_names_of_cases_are_unique() -> None:
    """No case replaces another one with its name."""
    assert len(CASES) == len({case.name for case in CASES})


def test_finished_pods_drop_out() -> None:
    """An ipBlock with a finished pod's address matches the pod that has it now."""
    of = cluster(
        pod("x/done", "pod=done", phase="Succeeded", addresses=["10.244.0.9"]),
        pod("x/new", "pod=new", addresses=["10.244.0.9"]),
        pod("x/a", "pod=a"),
        policy("x/p", "pod=a", ingress=[rule(peer("pod=done"))]),
    )

    assert DENY == verdict(of, "x/new", "x/a")


def test_dual_stack_selectors_match_both_families() -> None:
    """A selector matches a pod by each of its addresses; an IPv4 block leaves IPv6 denied."""
    of = cluster(
        topology(mode="overlay", cidrs=["10.244.0.0/16", "fd00:10:244::/56"]),
        pod("x/a", "pod=a"),
        pod("x/b", "pod=b"),
        pod("x/c", "pod=c"),
        policy("x/p", "pod=a", ingress=[rule(peer("pod=b")), rule(peer(cidr="10.244.0.0/16"))]),
    )

    assert [ALLOW, ALLOW] == [verdict(of, "x/b", "x/a", family=family) for family in (4, 6)]
    assert [ALLOW, DENY] == [verdict(of, "x/c", "x/a", family=family) for family in (4, 6)]


def test_ingress_sees_the_address_that_arrives() -> None:
    """An ipBlock with the other pod's own address matches if no node masquerades."""
    of = world(policy("x/p", "pod=a", ingress=[rule(peer(cidr=f"{X_C}/32"))]), mode="overlay")

    assert [ALLOW, DENY] == [verdict(of, "x/c", "x/a"), verdict(of, "y/b", "x/a")]


def test_macvlan_enforces_nothing() -> None:
    """On a macvlan network everything is allowed under any policy."""
    of = world(policy("x/p", ingress=[], egress=[]), mode="macvlan")
    decision = decide(of, "x/c", "x/a")

    assert (ALLOW, None, None) == (decision.verdict, decision.egress, decision.ingress)


@pytest.mark.parametrize(
    ("source", "destination"), [("x/lo", "x/a"), ("x/a", "x/lo"), ("x/lo", "10.244.0.2"), ("x/lo", "203.0.113.9")]
)
def test_loopback_only(source: str, destination: str) -> None:
    """A pod in mode none has no path to or from any other endpoint."""
    of = cluster(pod("x/a"), pod("x/lo", network="none"))

    assert (DENY, "x/lo has a loopback interface only") == (
        (decision := decide(of, source, destination)).verdict,
        decision.reason,
    )


def test_an_address_without_a_machine() -> None:
    """The verdict is deny, as no machine has the address; egress policies match it by ipBlock."""
    of = world(out(rule(peer(cidr="203.0.113.0/24"))))
    inside, outside = decide(of, "x/a", "203.0.113.9"), decide(of, "x/a", "198.51.100.9")

    assert [DENY, DENY] == [inside.verdict, outside.verdict]
    assert "no machine of the lab has 203.0.113.9" == inside.reason
    assert inside.egress is not None
    assert outside.egress is not None
    assert [ALLOW, DENY] == [inside.egress.verdict, outside.egress.verdict]


def test_a_flow_without_destination_and_address_is_an_error() -> None:
    """It raises ValueError."""
    from netlab.cluster.flows import Flow
    from netlab.policy.evaluate import evaluate

    of = world()

    with pytest.raises(ValueError, match="needs a destination or an address"):
        evaluate(of, Flow(of.by_ref["x/a"], None, 4, "TCP", 80, None))
