"""Rules of invariants have the outcome that the evaluator has pair by pair, port by port, in random clusters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_address, ip_network
from random import Random
from typing import Any

import pytest
from builders import selector
from random_clusters import some_cluster
from services import random_clusters as service_clusters
from sizes import samples

from netlab.cluster import Cluster, try_resolve
from netlab.cluster.flows import Flow, askable, asks
from netlab.cluster.types import Endpoint, Host, Pod, address_of
from netlab.objects import Document, input_of
from netlab.objects.invariants import EVERY_PORT, Allowed, InvariantRule, PortSpan, RuleEnd
from netlab.objects.types import Source
from netlab.policy import rule_judge
from netlab.policy.decision import Decision, Side
from netlab.policy.evaluate import evaluate
from netlab.policy.isolating import isolating
from netlab.policy.outside import Outside
from netlab.policy.rule_judge import RuleJudge
from netlab.policy.rule_results import FamilyResult
from netlab.policy.tiers import tier_of

_LABELS = ("", "app=p", "app=q", "tier=db", "build=1")
_CIDRS = ("0.0.0.0/0", "192.0.2.0/24", "10.0.0.0/8", "::/0", "2001:db8::/32")
_PORTS = (EVERY_PORT, EVERY_PORT, (PortSpan("TCP", 80, 80),), (PortSpan("TCP", 81, 90), PortSpan("UDP", 53, 53)))
_NUMBERS = (1, 53, 79, 80, 81, 82, 83, 443, 444, 8080, 9090, 65535)
_ADDRESSES = ("10.0.0.1", "11.0.0.1", "192.0.2.9", "192.0.2.12", "100.64.200.1", "8.8.8.8", "2001:db8::9", "2002::1")

_Wrong = set[tuple[str, str, str, int | None, str]]


def some_end(rng: Random) -> RuleEnd:
    kind = rng.choice(("pods", "pods", "pods", "hosts", "nodes", "cidr"))
    if kind == "pods":
        spaces = selector(rng.choice(("", "", "team=1")))
        return RuleEnd("pods", "", rng.choice(("", "x", "y")), spaces, selector(rng.choice(_LABELS)))
    return RuleEnd(kind, cidr=ip_network(rng.choice(_CIDRS)) if kind == "cidr" else None)  # type: ignore[arg-type]


def some_rule(rng: Random, number: int) -> InvariantRule:
    ports = rng.choice(_PORTS)
    if rng.random() < 0.4:
        only = tuple(Allowed(some_end(rng), rng.choice(_PORTS)) for _ in range(rng.randint(0, 2)))
        source, destination = rng.choice(((some_end(rng), None), (None, some_end(rng))))
        return InvariantRule(f"r{number}", source, destination, "deny", only, ports)
    verdict = rng.choice(("allow", "deny", "some"))
    return InvariantRule(f"r{number}", some_end(rng), some_end(rng), verdict, None, ports)  # type: ignore[arg-type]


def selects(cluster: Cluster, end: RuleEnd, one: Endpoint, family: int) -> bool:
    if end.cidr is not None:
        if end.cidr.version != family:
            return False
        own = [a for a in one.addresses if a.version == end.cidr.version] if isinstance(one, Host) else []
        return any(address in end.cidr for address in own)
    if end.kind != "pods":
        wanted = {"hosts": "Host", "nodes": "Node"}[end.kind]
        return type(one).__name__ == wanted and not one.ref.startswith("host:sampled")
    return (
        isinstance(one, Pod)
        and end.namespace in ("", one.namespace)
        and all(cluster.namespaces[one.namespace].get(key) == value for key, value in end.spaces.match_labels)
        and all(one.labels.get(key) == value for key, value in end.labels.match_labels)
    )


def is_other(one: Endpoint) -> bool:
    return isinstance(one, (Pod, Host))


def covers(ports: tuple[PortSpan, ...], protocol: str, port: int) -> bool:
    return any(span.protocol == protocol and span.first <= port <= span.last for span in ports)


def numbers(cluster: Cluster) -> list[int]:
    """Return the port numbers to ask about: some, and those that nodes translate."""
    own = [port.node_port for one in cluster.services for port in one.ports]
    own += [port.host_port for one in cluster.pods for port in one.ports]
    own += [one.health_check_node_port for one in cluster.services]
    return sorted({*_NUMBERS, *cluster.node_ports, *(number for number in own if number)})


def flows(cluster: Cluster, rule: InvariantRule, family: int) -> Iterator[Flow]:
    """Yield every question of a rule, pair by pair and port by port."""
    asked = numbers(cluster)
    ends: list[Endpoint] = [*cluster.pods, *cluster.hosts, *cluster.nodes]
    for source in ends:
        for to in ends:
            if source is to or not asks(source, to, family) or not (askable(source, family) and askable(to, family)):
                continue
            if rule.source is not None and not selects(cluster, rule.source, source, family):
                continue
            if rule.destination is not None and not selects(cluster, rule.destination, to, family):
                continue
            other = source if rule.source is None else to
            if rule.only is not None and not is_other(other):
                continue
            for protocol in ("TCP", "UDP", "SCTP"):
                for port in asked:
                    listed = any(
                        covers(one.ports, protocol, port) and selects(cluster, one.end, other, family)
                        for one in rule.only or ()
                    )
                    if covers(rule.ports, protocol, port) and not listed:
                        yield Flow(source, to, family, protocol, port, address_of(to, family))


def is_judged(cluster: Cluster, flow: Flow) -> bool:
    decision = evaluate(cluster, flow)
    return any(may_deny(cluster, one, side) for one in decision.backends or (decision,) for side in one.sides)


def may_deny(cluster: Cluster, decision: Decision, side: Side) -> bool:
    """Say whether a NetworkPolicy isolates the side's pod, or a cluster-wide policy that judges it has a deny."""
    own_node = decision.path.own_node and side.direction == "egress"
    isolated = bool(isolating(cluster, side.subject, side.direction))
    if isolated and not own_node:
        return True
    tiers = ("Admin",) if isolated else ("Admin", "Baseline")
    policies = (p for name in tiers for p in tier_of(name).selecting(cluster, side.direction, side.subject))
    return any(rule.action == "deny" for policy in policies for rule in policy.rules(side.direction))


def expanded(found: FamilyResult, sampled: Cluster) -> _Wrong:
    """Return what is wrong by a result, for the sampled addresses and ports."""
    wrong: _Wrong = set()
    asked = numbers(sampled)
    outside = [host for host in sampled.hosts if host.name.startswith("sampled")]

    def names(end: Endpoint) -> list[str]:
        if not isinstance(end, Outside):
            return [end.ref]
        numbers = [(int(host.addresses[0]), host) for host in outside if host.addresses[0].version == end.family]
        return [host.ref for number, host in numbers if any(first <= number <= last for first, last in end.spans)]

    for breach in found.breaches:
        assert isinstance(breach.destinations, tuple)
        for source in breach.sources:
            for to in breach.destinations:
                if source is to:
                    continue
                for span in breach.ports:
                    ports = [n for n in asked if span.first <= n <= span.last]
                    wrong |= {
                        (s, t, span.protocol, p, breach.verdict)
                        for s in names(source)
                        for t in names(to)
                        for p in ports
                    }
    return wrong


def expected(cluster: Cluster, rule: InvariantRule, family: int) -> tuple[_Wrong, bool]:
    """Return what is wrong pair by pair, and whether the rule proves something if nothing is wrong."""
    bare = replace(cluster, policies=(), unread=())
    wrong: _Wrong = set()
    allowed = proves = False
    for flow in flows(cluster, rule, family):
        verdict = evaluate(cluster, flow).verdict
        allowed = allowed or verdict in ("allow", "some")
        if verdict not in ((rule.verdict,) if rule.verdict != "some" else ("allow",)):
            wrong.add((flow.source.ref, flow.target, flow.protocol, flow.port, verdict))
        if rule.verdict == "deny":
            proves = proves or evaluate(bare, flow).verdict in ("allow", "some")
        else:
            proves = proves or is_judged(cluster, flow)
    if rule.verdict == "some":
        unknown = {one for one in wrong if one[4] == "unknown"}
        wrong = set() if allowed else unknown or wrong
    return wrong, proves


@pytest.mark.parametrize("seed", range(samples(24)))
def test_rules_have_the_outcome_of_every_pair(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every wrong pair is in a breach, no other pair is, and a rule proves nothing exactly if no policy matters."""
    monkeypatch.setattr(rule_judge, "MOST_BREACHES", 10_000)
    for number in range(3):
        dice = Random(f"{seed}-{number}")  # noqa: S311  the same clusters every time, not a secret
        assert_exact(some_cluster(dice), dice)


@pytest.mark.parametrize("seed", range(samples(8)))
def test_rules_have_the_outcome_of_every_pair_where_nodes_translate(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same in clusters with Services of every type."""
    monkeypatch.setattr(rule_judge, "MOST_BREACHES", 10_000)
    dice = Random(seed)  # noqa: S311  the same clusters every time, not a secret
    written = service_clusters.documents(seed, dice.choice(("bridge", "overlay", "routed")))
    found = input_of(Document(data, Source("x.yaml")) for data in written)
    assert_exact(try_resolve(found.objects)[0], dice)


def assert_exact(given: Cluster, dice: Random) -> None:
    """Compare random rules about a cluster with the evaluator's verdict of every pair."""
    rules = [some_rule(dice, at) for at in range(6)]
    own = {a for end in given.by_ref.values() for a in end.addresses}
    inside = [p for network in given.networks for p in network.pod_cidrs]
    free = [a for a in map(ip_address, _ADDRESSES) if a not in own and not any(a in p for p in inside)]
    sampled = replace(given, hosts=(*given.hosts, *(Host(f"sampled-{a}", (a,)) for a in free)))
    judge = RuleJudge(given, rules)
    for rule in rules:
        result = judge.judge(rule)
        for family in result.families:
            wrong, proves = expected(sampled, rule, family.family)
            assert wrong == expanded(family, sampled), rule
            if not family.breaches:
                assert proves == (not family.nothing), (rule, family)


def test_a_class_of_outside_addresses_is_a_host_with_its_address_as_name() -> None:
    """The end of a class of addresses is an outside host for the evaluator."""
    any_value: Any = Outside("x", (ip_address("192.0.2.1"),))

    assert isinstance(any_value, Host)
    assert "192.0.2.1" == any_value.ref
