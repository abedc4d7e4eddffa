"""Rules of invariants: each end and verdict, IP families, Services, unknown verdicts, and what proves nothing."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from builders import cluster, namespace, peer, pod, policy, rule, selector, topology, unread

from netlab.cluster import Cluster
from netlab.objects.invariants import EVERY_PORT, Allowed, InvariantRule, PortSpan, RuleEnd
from netlab.objects.services import Service, ServicePort
from netlab.objects.types import Meta
from netlab.objects.unread import Subject
from netlab.policy.outside import outside_of
from netlab.policy.rule_judge import RuleJudge
from netlab.policy.rule_results import RuleResult

ROUTED = topology(["n1", "n2"], {"default": ("routed", "10.244.0.0/16")}, {"partner": ["192.0.2.10"]})
PODS = (
    pod("x/db", "app=db", ports=["5432"], node="n1"),
    pod("x/web", "app=web", ports=["80"], node="n2"),
    pod("y/job", "app=job", node="n2"),
)
ONLY_WEB = policy("x/db", "app=db", ingress=[rule(peer("app=web"), ports=["5432"])])
WEB_OUT = policy("x/out", "", egress=[rule(peer(cidr="192.0.2.0/24"), ports=["443"]), rule(peer("app=db"))])


def pods(labels: str = "", space: str = "") -> RuleEnd:
    return RuleEnd("pods", f"{{{labels}}}", space, labels=selector(labels))


def cidr(text: str) -> RuleEnd:
    return RuleEnd("cidr", text, cidr=ip_network(text))


def judged(of: Cluster, source: RuleEnd | None, to: RuleEnd | None, verdict: str = "deny", **more: Any) -> RuleResult:
    rule = InvariantRule("r", source, to, verdict, **more)  # type: ignore[arg-type]
    return RuleJudge(of, [rule]).judge(rule)


def broken(result: RuleResult) -> list[tuple[list[str], list[str], str, str]]:
    """Return what breaks a rule: sources, destinations, ports and the verdict."""
    return [
        (
            [one.ref for one in breach.sources],
            [breach.destinations.meta.key]
            if isinstance(breach.destinations, Service)
            else [one.ref for one in breach.destinations],
            " ".join(map(str, breach.ports)),
            breach.verdict,
        )
        for family in result.families
        for breach in family.breaches
    ]


def test_only_denies_all_others() -> None:
    """Pods of the same namespace, outside hosts and outside addresses are others."""
    only = (Allowed(pods("app=web", "x"), (PortSpan("TCP", 5432, 5432),)),)
    of = cluster(ROUTED, *PODS, ONLY_WEB)

    assert "holds" == judged(of, None, pods("app=db"), only=only).outcome
    wide = cluster(ROUTED, *PODS, policy("x/db", "app=db", ingress=[rule(ports=["5432"])]))
    ((sources, to, ports, verdict),) = broken(judged(wide, None, pods("app=db"), only=only))
    assert (["y/job", "host:partner", "203.0.113.10"], ["x/db"], "5432/TCP", "allow") == (sources, to, ports, verdict)


def test_an_empty_only_lets_nothing_through() -> None:
    """Everything that is allowed breaks it."""
    of = cluster(ROUTED, *PODS, ONLY_WEB)

    assert [(["x/web"], ["x/db"], "5432/TCP", "allow")] == broken(judged(of, None, pods("app=db"), only=()))


def test_only_from_an_end_is_about_what_it_may_reach() -> None:
    """Hosts in the allowed range are allowed, on the port alone."""
    of = cluster(ROUTED, *PODS, WEB_OUT)
    https = (PortSpan("TCP", 443, 443),)
    only = (Allowed(cidr("192.0.2.0/24"), https), Allowed(pods("app=db", "x")))

    assert "holds" == judged(of, pods("", "x"), None, only=only).outcome
    assert [(["x/db", "x/web"], ["host:partner", "192.0.2.1"], "443/TCP", "allow")] == [
        (sources, to, ports, verdict)
        for sources, to, ports, verdict in broken(judged(of, pods("", "x"), None, only=only[1:]))
    ]


def test_a_range_covers_hosts_and_the_addresses_between_all_borders() -> None:
    """One port to one address is enough to break a rule about the internet."""
    one = policy("x/one", "", egress=[rule(peer(cidr="198.51.100.7/32"), ports=["8443"])])
    of = cluster(ROUTED, *PODS, WEB_OUT, one)
    result = judged(of, pods("", "x"), cidr("198.51.0.0/16"))

    assert [(["x/db", "x/web"], ["198.51.100.7"], "8443/TCP", "allow")] == broken(result)
    assert 4 == result.families[0].pairs


def test_the_addresses_of_the_cluster_are_not_outside() -> None:
    """Those of pods, nodes, hosts and Services; neither are addresses that name no machine."""
    of = cluster(ROUTED, *PODS)
    (one,) = outside_of(of, [ip_network("0.0.0.0/0")])
    numbers = [int(ip_address(text)) for text in ("10.244.0.77", "10.96.0.1", "127.0.0.1", "224.0.0.1", "192.0.2.10")]

    assert not any(first <= number <= last for number in numbers for first, last in one.spans)
    assert any(first <= int(ip_address("169.254.169.254")) <= last for first, last in one.spans)
    assert () == outside_of(of, [ip_network("10.244.0.0/16")])


def test_some_needs_one_connection_that_is_allowed() -> None:
    """The pods that are denied do not matter."""
    of = cluster(ROUTED, *PODS, ONLY_WEB)

    assert "holds" == judged(of, pods(), pods("app=db"), "some").outcome
    assert "broken" == judged(of, pods("app=job"), pods("app=db"), "some").outcome


def test_allow_without_ports_is_about_every_port() -> None:
    """A port that no pod declares counts, and a rule about the one that is open holds."""
    of = cluster(ROUTED, *PODS, ONLY_WEB)
    found = judged(of, pods("app=web"), pods("app=db"), "allow")

    assert "1-5431/TCP 5433-65535/TCP 1-65535/UDP 1-65535/SCTP" == broken(found)[0][2]
    one = judged(of, pods("app=web"), pods("app=db"), "allow", ports=(PortSpan("TCP", 5432, 5432),))
    assert "holds" == one.outcome


@pytest.mark.parametrize(
    ("source", "to", "verdict", "why"),
    [
        (pods("app=gone"), pods(), "deny", "no pod matches {app=gone}"),
        (pods("", "z"), pods(), "deny", "no namespace 'z'"),
        (RuleEnd("host", name="partnr"), pods(), "deny", "no host 'partnr'; did you mean partner?"),
        (pods(), cidr("10.244.0.0/16"), "deny", "nothing outside of the cluster is in 10.244.0.0/16"),
        (pods(), RuleEnd("service", name="x/db"), "deny", "no Service 'x/db'"),
    ],
)
def test_an_end_that_selects_nothing_proves_nothing(source: RuleEnd, to: RuleEnd, verdict: str, why: str) -> None:
    """The result names the end, and similar names."""
    result = judged(cluster(ROUTED, *PODS, ONLY_WEB), source, to, verdict)

    assert ("proves nothing", why) == (result.outcome, result.nothing)
    assert not result.passed


def test_a_rule_that_would_hold_without_policies_proves_nothing() -> None:
    """A deny that only the wiring enforces; an allow between pods that no policy selects."""
    bridge = topology(["n1"], {"default": ("bridge", "10.244.0.0/16")}, {"partner": ["192.0.2.10"]})
    of = cluster(bridge, pod("x/db", "app=db"), pod("y/job"), policy("x/db", "app=db", ingress=[]))
    denied = judged(of, RuleEnd("hosts"), pods("app=db"))
    allowed = judged(of, pods("app=db"), pods("", "y"), "allow")

    assert "it holds without any policy too" == denied.families[0].nothing
    assert "no policy selects either end, so nothing could forbid it" == allowed.families[0].nothing
    assert judged(of, RuleEnd("hosts"), pods("app=db"), vacuous=True).passed
    assert "holds" == judged(of, pods("", "y"), pods("app=db")).outcome


def test_each_family_is_judged_by_itself() -> None:
    """An IPv4 rule without its IPv6 twin: the rule about both ranges is broken for IPv6 alone."""
    both = topology(["n1"], {"default": ("routed", "10.244.0.0/16", "fd00:10:244::/56")})
    v4 = policy("x/out", "", egress=[rule(peer(cidr="::/0"))])
    of = cluster(both, pod("x/a"), pod("y/b"), v4)
    four, six = (judged(of, pods("", "x"), cidr(text)) for text in ("0.0.0.0/0", "::/0"))

    assert [("holds", 4)] == [(one.outcome, one.family) for one in four.families]
    assert [("broken", 6)] == [(one.outcome, one.family) for one in six.families]
    pairs = judged(of, pods("", "x"), pods("", "y"))
    assert [("holds", 4), ("broken", 6)] == [(one.outcome, one.family) for one in pairs.families]


def test_an_unknown_verdict_does_not_hold() -> None:
    """A policy that netlab does not read could open it."""
    other = unread("x/u", Subject("x", selector(""), selector(""), allows=frozenset(["ingress"])))
    of = cluster(ROUTED, *PODS, ONLY_WEB, other)
    result = judged(of, pods("", "y"), pods("app=db"))

    assert "unknown" == result.outcome
    assert [(["y/job"], ["x/db"], "unknown")] == [(one[0], one[1], one[3]) for one in broken(result)]


def db_service(**more: Any) -> Service:
    fields: dict[str, Any] = {"selector": {"app": "db"}, "ports": (ServicePort(80, 5432),), "ip_families": (4,)}
    return Service(Meta("db", "x"), **(fields | more))


def test_a_service_is_asked_on_its_own_ports_through_its_translation() -> None:
    """Policy judges the port of the pod."""
    of = cluster(ROUTED, *PODS, ONLY_WEB, db_service(), namespace("x"))
    to = RuleEnd("service", name="x/db")

    assert "holds" == judged(of, pods("app=web"), to, "allow").outcome
    assert [(["y/job"], ["x/db"], "80/TCP", "deny")] == broken(judged(of, pods("", "y"), to, "allow"))
    none = judged(of, pods("", "y"), to, ports=(PortSpan("TCP", 443, 443),))
    assert "Service x/db has none of the rule's ports; its ports are 80/TCP" == none.nothing


def test_nodes_are_an_end() -> None:
    """A pod's own node always reaches it; other nodes do not."""
    of = cluster(ROUTED, *PODS, ONLY_WEB)
    result = judged(of, RuleEnd("nodes"), pods("app=db"))

    assert [(["node:n1"], ["x/db"])] == [(sources, to) for sources, to, _, _ in broken(result)]


def test_icmp_is_asked_only_where_it_is_named() -> None:
    """A rule with ports does not allow it."""
    of = cluster(ROUTED, *PODS, ONLY_WEB)
    icmp = (PortSpan("ICMP", 0, 0),)

    assert "holds" == judged(of, pods("app=web"), pods("app=db"), ports=icmp).outcome
    assert EVERY_PORT == InvariantRule("r", None, None).ports
