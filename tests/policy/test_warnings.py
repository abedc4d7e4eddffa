"""Warnings about policies that are legal and surely not intended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from builders import cluster, meta, peer, pod, policy, rule, source, topology

from netlab.objects.selectors import LabelSelector
from netlab.objects.services import Service, ServicePort
from netlab.objects.topology import TopologyPolicy
from netlab.policy.isolating import isolating
from netlab.policy.warnings import warnings

WEB = pod("x/web", "app=web", ports=["http=80", "dns=53/UDP", "dns=53"])
DB = pod("x/db", "app=db", ports=["sql=5432"])
OPS = pod("ops/x", "app=x")
HOST = pod("x/host", "app=host", host=True, ports=["metrics=9100"])
DNS = rule(ports=["53/UDP", "53/TCP"])


def told(*things: Any) -> list[str]:
    return [f"{p.object}: {p.path}: {p.message}" for p in warnings(cluster(WEB, DB, OPS, HOST, *things))]


WARNED = [
    pytest.param(
        [policy("x/p", "app=wbe", ingress=[])],
        "NetworkPolicy x/p: spec.podSelector: app=wbe matches no pod of namespace 'x'; "
        "x/web almost matches: app=wbe, found app=web",
        id="selector that matches nothing",
    ),
    pytest.param(
        [policy("x/p", "app=host", ingress=[])],
        "NetworkPolicy x/p: spec.podSelector: "
        "app=host matches only pods that no policy applies to (host-network or no network): x/host",
        id="selector that matches host-network pods only",
    ),
    pytest.param(
        [policy("y/p", ingress=[])],
        "NetworkPolicy y/p: metadata.namespace: namespace 'y' has no pods in the input, so the policy does nothing: "
        "add its workloads",
        id="namespace without pods",
    ),
    pytest.param(
        [policy("x/p", ingress=[rule(peer("app=web")), rule(peer("app=db"), peer("app=x"))])],
        "NetworkPolicy x/p: spec.ingress[1].from[1]: matches no pod of the lab: none of namespace x has app=x; "
        "ops/x has, and needs a namespaceSelector in the same item",
        id="peer of another namespace without a namespaceSelector",
    ),
    pytest.param(
        [policy("x/p", egress=[DNS, rule(peer("app=x", "team=ops"))])],
        "NetworkPolicy x/p: spec.egress[1].to[0]: matches no pod of the lab: no namespace of the input has team=ops",
        id="peer that matches no namespace",
    ),
    pytest.param(
        [policy("x/p", ingress=[rule(peer("app=host"))])],
        "NetworkPolicy x/p: spec.ingress[0].from[0]: matches only x/host, and selectors do not "
        "apply to host-network pods; use an ipBlock",
        id="peer that is a host-network pod",
    ),
    pytest.param(
        [policy("x/p", "app=web", ingress=[rule(ports=["http", "sql"])])],
        "NetworkPolicy x/p: spec.ingress[0].ports[1].port: no pod that the policy selects has a TCP port named 'sql'; "
        "name one so, or write a number",
        id="named ingress port that the selected pods lack",
    ),
    pytest.param(
        [policy("x/p", egress=[DNS, rule(peer("app=db"), ports=["http"])])],
        "NetworkPolicy x/p: spec.egress[1].ports[0].port: no pod that the rule matches has a TCP port named 'http'; "
        "name one so, or write a number",
        id="named egress port that the peers lack",
    ),
    pytest.param(
        [policy("x/p", "app=web", ingress=[rule(ports=["http/UDP"])])],
        "NetworkPolicy x/p: spec.ingress[0].ports[0].port: no pod that the policy selects has a UDP port named 'http'; "
        "name one so, or write a number",
        id="named port of another protocol",
    ),
    pytest.param(
        [policy("x/p", egress=[DNS, rule(ports=["metrics"])])],
        "NetworkPolicy x/p: spec.egress[1].ports[0].port: no pod that the rule matches has a TCP port named 'metrics'; "
        "name one so, or write a number",
        id="named port that only a host-network pod has",
    ),
    pytest.param(
        [policy("x/p", egress=[rule(ports=["443"])])],
        "NetworkPolicy x/p: spec: isolates x/db for egress, and no rule allows DNS (53/UDP, 53/TCP); "
        "allow 53/UDP, 53/TCP to x/web under spec.egress",
        id="no DNS",
    ),
    pytest.param(
        [policy("x/p", "app=db", egress=[rule(ports=["53/UDP"])])],
        "NetworkPolicy x/p: spec: isolates x/db for egress, and no rule allows DNS (53/TCP); "
        "allow 53/TCP to x/web under spec.egress",
        id="no DNS over TCP",
    ),
    pytest.param(
        [policy("x/all", ingress=[rule()]), policy("x/p", "app=web", ingress=[rule(peer("app=db"))])],
        "NetworkPolicy x/p: spec.ingress: has no effect: x/all allows all ingress of every pod that it selects; "
        "narrow that, or remove this",
        id="shadowed ingress",
    ),
    pytest.param(
        [policy("x/all", ingress=[rule()]), policy("x/deny", ingress=[])],
        "NetworkPolicy x/deny: spec.ingress: has no effect: x/all allows all ingress of every pod that it selects; "
        "narrow that, or remove this",
        id="deny-all beside allow-all",
    ),
    pytest.param(
        [policy("x/all", egress=[rule()]), policy("x/p", "app=web", egress=[rule(ports=["443"])])],
        "NetworkPolicy x/p: spec.egress: has no effect: x/all allows all egress of every pod that it selects; "
        "narrow that, or remove this",
        id="shadowed egress",
    ),
    pytest.param(
        [policy("x/all", egress=[rule()]), policy("x/deny", ingress=[], egress=[])],
        "NetworkPolicy x/deny: spec.egress: has no effect: x/all allows all egress of every pod that it selects; "
        "narrow that, or take Egress out of its policyTypes",
        id="a direction without effect beside one with an effect",
    ),
    pytest.param(
        [topology(mode="macvlan"), policy("x/p", "app=web", ingress=[])],
        "NetworkPolicy x/p: spec.podSelector: not enforced on x/web: "
        "packets of a macvlan network bypass the node's rules",
        id="nothing enforces",
    ),
    pytest.param(
        [policy("x/p", ingress=[rule(peer(cidr="10.0.0.0/8", but=["10.0.0.0/9", "10.128.0.0/9"]))])],
        "NetworkPolicy x/p: spec.ingress[0].from[0].ipBlock: matches no address: its excepts are all of its cidr",
        id="excepts that are all of the cidr",
    ),
    pytest.param(
        [policy("x/p", egress=[DNS, rule(peer(cidr="192.0.2.0/24"), ports=["sql"])])],
        "NetworkPolicy x/p: spec.egress[1].ports[0].port: no pod that the rule matches has a TCP port named 'sql'; "
        "name one so, or write a number",
        id="named port of addresses outside, which name no ports",
    ),
]


@pytest.mark.parametrize(("things", "expected"), WARNED)
def test_warned(things: list[object], expected: str) -> None:
    """There is one warning, at the field that causes it."""
    assert [expected] == told(*things)


SILENT = [
    pytest.param([], id="no policy"),
    pytest.param([policy("x/p", ingress=[])], id="default deny of ingress"),
    pytest.param([policy("x/p", egress=[DNS])], id="DNS by number"),
    pytest.param([policy("x/p", egress=[rule(ports=["dns/UDP", "dns"])])], id="DNS by name"),
    pytest.param([policy("x/p", egress=[rule(ports=["/UDP", "50-60"])])], id="DNS by protocol and range"),
    pytest.param([policy("x/p", egress=[rule(peer(ns=""))])], id="all ports to all pods"),
    pytest.param([policy("x/p", egress=[]), policy("x/dns", egress=[DNS])], id="DNS by another policy"),
    pytest.param([policy("x/p", ingress=[rule(peer("app=x", ""))])], id="peer of another namespace"),
    pytest.param([policy("x/p", ingress=[rule(peer(cidr="192.0.2.0/24"))])], id="ipBlock of nobody in the lab"),
    pytest.param(
        [policy("x/all", "app=db", ingress=[rule()]), policy("x/p", ingress=[rule(peer("app=db"))])],
        id="allow-all of some of the pods",
    ),
    pytest.param([policy("x/all", "app=db", ingress=[rule()]), policy("x/no", ingress=[])], id="deny-all but for some"),
    pytest.param([policy("x/p", ingress=[rule(ports=["sql", "http"])])], id="named ports of some of the pods"),
]


@pytest.mark.parametrize("things", SILENT)
def test_silent(things: list[object]) -> None:
    """There is no warning about what is likely intended."""
    assert [] == told(*things)


def test_a_rule_for_dns_without_matching_peers_does_not_allow_dns() -> None:
    """A rule whose peers match no pod allows nothing, whatever its ports."""
    assert [
        "NetworkPolicy x/p: spec.egress[0].to[0]: matches no pod of the lab: none of namespace x has app=nobody",
        "NetworkPolicy x/p: spec: isolates x/db for egress, and no rule allows DNS (53/UDP, 53/TCP); "
        "allow 53/UDP, 53/TCP to x/web under spec.egress",
    ] == told(policy("x/p", egress=[rule(peer("app=nobody"))]))


def test_a_peer_may_match_pods_that_netlab_adds() -> None:
    """Each cluster has pods of DNS, though the input does not."""
    service = Service(meta("x/web"), {"app": "web"}, (ServicePort(80, 8080),))
    to_system = rule(peer(ns="kubernetes.io/metadata.name=kube-system"), ports=["9153"])
    from_nothing = rule(peer("app=no", "kubernetes.io/metadata.name=kube-system"), ports=["9153"])

    assert [] == told(service, policy("x/p", egress=[DNS, to_system]))
    assert [
        "NetworkPolicy x/p: spec.egress[1].to[0]: matches no pod of the lab: none of namespace kube-system has app=no"
    ] == told(service, policy("x/p", egress=[DNS, from_nothing]))


def test_host_network_pods_are_peers_if_the_topology_says_so() -> None:
    """With ``hostNetworkPeers: match`` a selector that matches only them matches their node."""
    chosen = replace(topology(), policy=TopologyPolicy(host_network_peers="match"))

    assert [] == told(chosen, policy("x/p", ingress=[rule(peer("app=host"))]))


def test_two_deny_policies_warn_of_dns_once() -> None:
    """Only the first policy that isolates a pod has the warning."""
    assert [
        "NetworkPolicy x/a: spec: isolates x/db for egress, and no rule allows DNS (53/UDP, 53/TCP); "
        "allow 53/UDP, 53/TCP to x/web under spec.egress"
    ] == [*told(policy("x/a", egress=[]), policy("x/b", egress=[]))]


def test_a_warning_is_a_problem_with_a_line() -> None:
    """A warning has the file and the line of the field, and its severity."""
    written = source(4, **{"spec__ingress[0]__from[0]": 11})
    found = warnings(cluster(WEB, policy("x/p", ingress=[rule(peer("app=no"))], source=written)))

    assert [("test.yaml", 11, "warning")] == [(p.file, p.line, p.severity) for p in found]


def asked(namespaces: int) -> int:
    """Return the number of matches of selectors and labels for the warnings about some equal namespaces."""
    names = [f"n{i}" for i in range(namespaces)]
    everywhere = rule(peer("app=web", ""), ports=["http"])
    things = [
        thing
        for name in names
        for thing in (
            pod(f"{name}/web", "app=web", ports=["http=8080"]),
            Service(meta(f"{name}/web"), {"app": "web"}, (ServicePort(80, 8080), ServicePort(53, 5353, "UDP", "dns"))),
            policy(f"{name}/c", "app=web,tier=x", ingress=[rule(peer("app=web", ""), ports=["80"])]),
            policy(f"{name}/a", "app=web", ingress=[rule(peer("app=web"))]),
            policy(f"{name}/b", "app=web", egress=[everywhere, DNS]),
        )
    ]
    of = cluster(*things)
    count = 0
    matches = LabelSelector.matches

    def counted(self: LabelSelector, labels: Mapping[str, str]) -> bool:
        nonlocal count
        count += 1
        return matches(self, labels)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LabelSelector, "matches", counted)
        warnings(of)
    return count


def test_twice_the_namespaces_are_twice_the_work() -> None:
    """A policy is compared with the pods of its own namespace, and a peer of many policies is evaluated once."""

    assert asked(40) - asked(20) == asked(60) - asked(40)


def test_the_policy_that_opens_a_pod_is_looked_for_once_per_pod(monkeypatch: pytest.MonkeyPatch) -> None:
    """And not once for each policy that selects the pod."""
    asked_of: list[tuple[str, str]] = []

    def noted(cluster: Any, pod: Any, direction: Any) -> Any:
        asked_of.append((pod.ref, direction))
        return isolating(cluster, pod, direction)

    monkeypatch.setitem(warnings.__globals__, "isolating", noted)
    pods = [pod(f"x/p{i}", f"a{i}=b") for i in range(20)]
    policies = [policy(f"x/n{i}", f"!a{i}", ingress=[rule(peer("x=y"))]) for i in range(20)]
    warnings(cluster(*pods, *policies))

    assert 20 == len(asked_of) == len(set(asked_of))
