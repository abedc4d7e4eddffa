"""Warnings about pods that policies cut off from DNS."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from builders import cluster, meta, namespace, peer, pod, policy, rule, topology

from netlab.objects.services import Service, ServicePort
from netlab.policy.warnings import warnings

WEB = pod("x/web", "app=web")
DB = pod("x/db", "app=db", ports=["5432"])
ANSWERS = pod("kube-system/coredns", "k8s-app=kube-dns", ports=["dns=5353/UDP", "dns-tcp=5353"])
PORTS = (ServicePort(53, "dns", "UDP", "dns"), ServicePort(53, "dns-tcp", "TCP", "dns-tcp"))
DNS = Service(meta("kube-system/kube-dns"), {"k8s-app": "kube-dns"}, PORTS)
NAMED = "kubernetes.io/metadata.name=kube-system"


def cut(*things: Any) -> list[str]:
    """Return the messages about DNS."""
    return [problem.message for problem in warnings(cluster(*things)) if problem.rule == "dns-cut"]


def egress(*rules: Any) -> Any:
    return policy("x/p", "app=web", egress=rules)


RESOLVES = [
    pytest.param(rule(peer(ns=NAMED), ports=["5353/UDP", "5353"]), id="the pods' own port"),
    pytest.param(rule(peer(ns=NAMED), ports=["dns/UDP", "dns-tcp"]), id="the pods' own port by name"),
    pytest.param(rule(peer(ns=NAMED), ports=["5000-6000/UDP", "5000-6000"]), id="a range"),
    pytest.param(rule(peer(ns=NAMED)), id="every port of the pods"),
    pytest.param(rule(peer("k8s-app=kube-dns", "")), id="the pods in every namespace"),
    pytest.param(rule(ports=["5353/UDP", "5353"]), id="every peer"),
    pytest.param(rule(peer(cidr="0.0.0.0/0")), id="a block that holds the pods"),
    pytest.param(rule(peer(cidr="169.254.20.10/32"), ports=["53/UDP", "53"]), id="a node's own resolver"),
]
CUT = [
    pytest.param(rule(peer(ns=NAMED), ports=["53/UDP", "53"]), id="the Service's port"),
    pytest.param(rule(peer("app=db")), id="every port of other pods"),
    pytest.param(rule(peer("app=db"), ports=["5353/UDP", "5353"]), id="the port of other pods"),
    pytest.param(rule(peer(cidr="0.0.0.0/0", but=["10.0.0.0/8"])), id="a block without the pods"),
]


@pytest.mark.parametrize("allowed", RESOLVES)
def test_a_rule_for_the_pods_of_dns_on_their_port_allows_dns(allowed: Any) -> None:
    """The DNS Service selects the pods, and their port is its target port."""
    assert [] == cut(WEB, DB, ANSWERS, DNS, egress(allowed))


@pytest.mark.parametrize("allowed", CUT)
def test_a_rule_for_another_port_or_other_pods_does_not_allow_dns(allowed: Any) -> None:
    """The warning has the port and the Service."""
    assert [
        "isolates x/web for egress, and no rule allows DNS (5353/UDP, 5353/TCP); "
        "allow 5353/UDP, 5353/TCP to the pods of Service kube-system/kube-dns under spec.egress"
    ] == cut(WEB, DB, ANSWERS, DNS, egress(allowed))


@pytest.mark.parametrize(
    ("ref", "port", "right"),
    [
        ("kube-system/rke2-coredns", ServicePort(53, 1053, "UDP", "udp-53"), 1053),
        ("openshift-dns/dns-default", ServicePort(53, "dns", "UDP"), 5353),
        ("infra/coredns", ServicePort(53, 0, "UDP"), 53),
        ("infra/resolver", ServicePort(53, 5353, "UDP", "dns"), 5353),
    ],
)
def test_a_dns_service_has_port_53_and_a_known_name_namespace_or_port_name(
    ref: str, port: ServicePort, right: int
) -> None:
    """Only its target port allows DNS."""
    space = ref.split("/")[0]
    answers = pod(f"{space}/a", "k8s-app=kube-dns", ports=["dns=5353/UDP"])
    service = Service(meta(ref), {"k8s-app": "kube-dns"}, (port,))

    assert [] == cut(WEB, answers, service, egress(rule(ports=[f"{right}/UDP"])))
    assert 1 == len(cut(WEB, answers, service, egress(rule(ports=["52/UDP"]))))


def test_the_cluster_dns_service_comes_before_another_one() -> None:
    """By default pods do not use a DNS server that a user runs."""
    own = pod("x/pihole", "app=pihole")
    beside = Service(meta("x/pihole"), {"app": "pihole"}, (ServicePort(53, 0, "UDP", "dns"),))

    assert 1 == len(cut(WEB, ANSWERS, DNS, own, beside, egress(rule(peer("app=pihole")))))


def test_without_services_the_pods_of_dns_declare_a_udp_port_named_dns() -> None:
    """An export of pods may have no Services."""
    assert [] == cut(WEB, DB, ANSWERS, egress(rule(peer(ns=NAMED), ports=["5353/UDP", "5353"])))
    assert 1 == len(cut(WEB, DB, ANSWERS, egress(rule(peer("app=db")))))


@pytest.mark.parametrize("selected", [peer(ns=NAMED), peer("k8s-app=kube-dns", "")], ids=["namespace", "pods"])
@pytest.mark.parametrize("declared", [[], [namespace("kube-system")]], ids=["no namespace", "namespace without pods"])
def test_without_dns_in_the_input_a_rule_for_it_has_no_warning(selected: Any, declared: list[Any]) -> None:
    """Neither about its peer nor about its ports."""
    given = egress(rule(selected, ports=["53/UDP", "53"]))

    assert [] == warnings(cluster(WEB, DB, *declared, given))


def test_without_dns_in_the_input_a_policy_needs_a_rule_for_port_53() -> None:
    """Else there is a warning."""
    assert [
        "isolates x/web for egress, and no rule allows DNS (53/UDP, 53/TCP); allow 53/UDP, 53/TCP under spec.egress"
    ] == cut(WEB, DB, egress(rule(peer("app=db"), ports=["5432"])))


API = Service(meta("x/db"), {"app": "db"}, (ServicePort(5432),))
"""A Service, so that the lab has DNS of netlab's own."""


@pytest.mark.parametrize(
    ("allowed", "missing"),
    [
        pytest.param(rule(peer("app=db")), "53/UDP, 53/TCP", id="every port of pods that are not DNS"),
        pytest.param(rule(peer("app=db"), ports=["5432"]), "53/UDP, 53/TCP", id="another port"),
        pytest.param(rule(peer("k8s-app=kube-dns", ""), ports=["53/UDP"]), "53/TCP", id="only UDP"),
    ],
)
def test_a_lab_with_services_answers_dns_itself(allowed: Any, missing: str) -> None:
    """A rule for every port of the user's own pods does not allow DNS."""
    assert [
        f"isolates x/web for egress, and no rule allows DNS ({missing}); allow {missing} to the pods of Service"
        " kube-system/kube-dns under spec.egress"
    ] == cut(WEB, DB, API, egress(allowed))


@pytest.mark.parametrize(
    "allowed",
    [
        pytest.param(rule(peer("k8s-app=kube-dns", "")), id="the pods that netlab adds"),
        pytest.param(rule(ports=["53/UDP", "53"]), id="every peer"),
        pytest.param(rule(peer("app=coredns", "team=dns"), ports=["53/UDP", "53"]), id="DNS of the user's cluster"),
        pytest.param(rule(peer("app=coredns", "team=dns")), id="every port of pods that are not in the input"),
    ],
)
def test_a_rule_for_dns_of_the_lab_or_of_the_users_cluster_allows_dns(allowed: Any) -> None:
    """The input has no DNS, so any rule that may mean it counts."""
    assert [] == cut(WEB, DB, API, egress(allowed))


def test_a_peer_may_match_dns_by_unknown_labels() -> None:
    """A namespace outside the input may have the label that the peer requires."""
    unknown = replace(namespace("kube-system"), declared=False)
    given = egress(rule(peer(ns="name=kube-system"), ports=["5353/UDP", "5353"]))

    assert [] == cut(WEB, DB, ANSWERS, DNS, unknown, given)
    assert 1 == len(cut(WEB, DB, ANSWERS, DNS, namespace("kube-system"), given))


def test_there_is_no_warning_about_dns_servers_and_macvlan_pods() -> None:
    """A DNS server uses servers outside the cluster, and nothing enforces policies on macvlan pods."""
    assert [] == cut(ANSWERS, DNS, policy("kube-system/p", egress=[]))
    assert [] == cut(topology(mode="macvlan"), WEB, egress())


def test_a_warning_names_the_first_pods_and_counts_the_others() -> None:
    """It names five."""
    pods = [pod(f"x/p{i}") for i in range(7)]

    assert cut(*pods, policy("x/p", egress=[]))[0].startswith("isolates x/p0, x/p1, x/p2, x/p3, x/p4 and 2 more for")
