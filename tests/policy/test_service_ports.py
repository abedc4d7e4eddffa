"""Warnings about rules that list the port of a Service whose pods listen on another port."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import pytest
from builders import cluster, meta, peer, pod, policy, rule, topology

from netlab.objects.services import Endpoints, EndpointsSubset, Service, ServicePort, SliceEndpoint, SlicePort
from netlab.policy.warnings import warnings

WEB = pod("x/web", "app=web", ports=["http=8080"])
DB = pod("x/db", "app=db", ports=["5432"])
FRONT = Service(meta("x/front"), {"app": "web"}, (ServicePort(80, 8080, "TCP", "plain"),))
INGRESS = "spec.ingress[0].ports[0].port: 80 is the port of Service x/front, and the pods behind it listen on 8080: "
ADVICE = "write 8080, the pods' own port"


def warned(*things: Any) -> list[str]:
    found = [problem for problem in warnings(cluster(*things)) if problem.rule == "service-port"]
    return [f"{problem.path}: {problem.message}" for problem in found]


def into(*ports: str) -> Any:
    return policy("x/p", "app=web", ingress=[rule(ports=ports)])


def out(*ports: str, to: Any = None) -> Any:
    return policy("x/p", "app=db", egress=[rule(to or peer("app=web"), ports=ports)])


def test_the_services_port_in_ingress() -> None:
    """The warning has the pods' port, whether the target port is a number or a name."""
    named = Service(meta("x/front"), {"app": "web"}, (ServicePort(80, "http"),))

    assert [INGRESS + ADVICE] == warned(WEB, DB, FRONT, into("80"))
    assert [INGRESS + ADVICE] == warned(WEB, DB, named, into("80"))


def test_the_services_port_in_egress() -> None:
    """The warning is about the Services whose pods the peers match, in any namespace."""
    assert [INGRESS.replace("ingress", "egress") + ADVICE] == warned(WEB, DB, FRONT, out("80"))
    assert [INGRESS.replace("ingress", "egress") + ADVICE] == warned(WEB, DB, FRONT, out("80", to=peer(ns="")))


def test_the_name_of_a_services_port() -> None:
    """A named port of a policy is the name of a container port."""
    assert [
        "spec.ingress[0].ports[0].port: plain is the name of a port of Service x/front, and the pods behind it listen "
        "on 8080: " + ADVICE
    ] == warned(WEB, DB, FRONT, into("plain"))


def test_several_services_are_one_warning() -> None:
    """It names five and counts the others; both protocols of a port are one warning too."""
    things = [
        thing
        for i in range(7)
        for thing in (
            pod(f"n{i}/web", "app=web"),
            Service(meta(f"n{i}/s"), {"app": "web"}, (ServicePort(53, 5353, "UDP"), ServicePort(53, 5353, "TCP"))),
        )
    ]

    assert [
        "spec.egress[0].ports[0].port: 53 is the port of Services n0/s, n1/s, n2/s, n3/s, n4/s and 2 more, and the "
        "pods behind it listen on 5353: write 5353, the pods' own port"
    ] == warned(DB, *things, out("53/UDP", "53", to=peer("app=web", "")))


def outside(*ports: str, address: str = "192.0.2.10") -> list[Any]:
    """Return a Service without a selector, whose endpoint 192.0.2.10 listens on 5432, and a rule for an address."""
    service = Service(meta("x/old"), {}, (ServicePort(80, 0, "TCP", "sql"),), (ip_address("10.96.0.50"),))
    ends = (SliceEndpoint((ip_address("192.0.2.10"),)),)
    endpoints = Endpoints(meta("x/old"), (EndpointsSubset(ends, (), (SlicePort(5432, "TCP", "sql"),)),))
    rules = [rule(peer(cidr=f"{address}/32"), ports=ports)]
    return [DB, service, endpoints, topology(hosts={"h": ["192.0.2.10"]}), policy("x/p", "app=db", egress=rules)]


def test_a_service_without_a_selector() -> None:
    """The rule is for the exact address of an endpoint."""
    text = "of Service x/old, and its endpoints listen on 5432: write 5432, the endpoints' own port"

    assert [f"spec.egress[0].ports[0].port: 80 is the port {text}"] == warned(*outside("80"))
    assert [f"spec.egress[0].ports[0].port: sql is the name of a port {text}"] == warned(*outside("sql"))
    assert [] == warned(*outside("5432"))
    assert [] == warned(*outside("80", "5432"))
    assert [] == warned(*outside("80", address="192.0.2.11"))


@pytest.mark.parametrize(
    "things",
    [
        pytest.param([WEB, FRONT, into("8080")], id="the pods' port"),
        pytest.param([WEB, FRONT, into("80", "8080")], id="both ports"),
        pytest.param([WEB, FRONT, into("80", "http")], id="both ports, one by name"),
        pytest.param([WEB, FRONT, into("1-100")], id="a range"),
        pytest.param([WEB, FRONT, into("80/UDP")], id="another protocol"),
        pytest.param([WEB, FRONT, policy("x/p", "app=db", ingress=[rule(ports=["80"])]), DB], id="other pods"),
        pytest.param([pod("x/web", "app=web", ports=["80", "8080"]), FRONT, into("80")], id="a pod has the port too"),
        pytest.param([WEB, FRONT, DB, out("80", to=peer(cidr="0.0.0.0/0"))], id="addresses"),
        pytest.param([WEB, FRONT, DB, policy("x/p", "app=db", egress=[rule(ports=["80"])])], id="every peer"),
        pytest.param([WEB, Service(meta("x/front"), {"app": "web"}, (ServicePort(80),)), into("80")], id="same port"),
        pytest.param([WEB, Service(meta("x/front"), {}, (ServicePort(80, 8080),)), into("80")], id="no selector"),
    ],
)
def test_no_warning(things: list[Any]) -> None:
    """If a pod may have the port, or the rule lists the right port too."""
    assert [] == warned(*things)
