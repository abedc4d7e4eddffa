"""Which pods a policy keeps from asking DNS."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from builders import cluster, meta, namespace, peer, pod, policy, rule, topology

from netlab.objects.types import Service, ServicePort
from netlab.policy import warnings

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
    pytest.param(rule(ports=["5353/UDP", "5353"]), id="everybody"),
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
def test_a_rule_that_reaches_the_pods_on_their_port_resolves(allowed: Any) -> None:
    """The pods are those that the DNS Service selects, the port is the one that it leads to."""
    assert [] == cut(WEB, DB, ANSWERS, DNS, egress(allowed))


@pytest.mark.parametrize("allowed", CUT)
def test_a_rule_for_another_port_or_other_pods_does_not_resolve(allowed: Any) -> None:
    """It is told with the port and the Service."""
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
def test_what_a_dns_service_is(ref: str, port: ServicePort, right: int) -> None:
    """Port 53 of a known name, of a namespace of the system, or of any Service that names it dns; no more is served."""
    space = ref.split("/")[0]
    answers = pod(f"{space}/a", "k8s-app=kube-dns", ports=["dns=5353/UDP"])
    service = Service(meta(ref), {"k8s-app": "kube-dns"}, (port,))

    assert [] == cut(WEB, answers, service, egress(rule(ports=[f"{right}/UDP"])))
    assert 1 == len(cut(WEB, answers, service, egress(rule(ports=["52/UDP"]))))


def test_a_service_of_the_system_comes_before_another_one() -> None:
    """A resolver that a user runs beside the cluster's is not what pods ask by default."""
    own = pod("x/pihole", "app=pihole")
    beside = Service(meta("x/pihole"), {"app": "pihole"}, (ServicePort(53, 0, "UDP", "dns"),))

    assert 1 == len(cut(WEB, ANSWERS, DNS, own, beside, egress(rule(peer("app=pihole")))))


def test_an_export_without_services_has_the_pods_all_the_same() -> None:
    """They declare a UDP port named dns."""
    assert [] == cut(WEB, DB, ANSWERS, egress(rule(peer(ns=NAMED), ports=["5353/UDP", "5353"])))
    assert 1 == len(cut(WEB, DB, ANSWERS, egress(rule(peer("app=db")))))


@pytest.mark.parametrize("selected", [peer(ns=NAMED), peer("k8s-app=kube-dns", "")], ids=["namespace", "pods"])
@pytest.mark.parametrize("declared", [[], [namespace("kube-system")]], ids=["no namespace", "namespace without pods"])
def test_where_the_input_has_no_dns_a_rule_for_it_is_right(selected: Any, declared: list[Any]) -> None:
    """What it means is not in the input, and neither its peer nor its ports are warned of."""
    given = egress(rule(selected, ports=["53/UDP", "53"]))

    assert [] == warnings(cluster(WEB, DB, *declared, given))


def test_where_the_input_has_no_dns_a_rule_for_nothing_of_it_is_warned_of() -> None:
    """Port 53 is what is asked then."""
    assert [
        "isolates x/web for egress, and no rule allows DNS (53/UDP, 53/TCP); allow 53/UDP, 53/TCP under spec.egress"
    ] == cut(WEB, DB, egress(rule(peer("app=db"), ports=["5432"])))


def test_labels_that_are_not_known_may_be_right() -> None:
    """A namespace that is not in the input may have the label that a peer asks for."""
    unknown = replace(namespace("kube-system"), declared=False)
    given = egress(rule(peer(ns="name=kube-system"), ports=["5353/UDP", "5353"]))

    assert [] == cut(WEB, DB, ANSWERS, DNS, unknown, given)
    assert 1 == len(cut(WEB, DB, ANSWERS, DNS, namespace("kube-system"), given))


def test_pods_that_answer_and_pods_past_the_node_are_not_warned_of() -> None:
    """The first ask others, the second are in reach of no policy."""
    assert [] == cut(ANSWERS, DNS, policy("kube-system/p", egress=[]))
    assert [] == cut(topology(mode="macvlan"), WEB, egress())


def test_all_pods_are_named_up_to_a_few() -> None:
    """The others are counted."""
    pods = [pod(f"x/p{i}") for i in range(7)]

    assert cut(*pods, policy("x/p", egress=[]))[0].startswith("isolates x/p0, x/p1, x/p2, x/p3, x/p4 and 2 more for")
