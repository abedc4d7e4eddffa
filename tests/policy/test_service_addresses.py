"""Warnings about ipBlocks of addresses that only Services have."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import pytest
from builders import cluster, meta, peer, pod, policy, rule, topology

from netlab.objects.services import LoadBalancerIngress, Service, ServicePort
from netlab.policy.warnings import warnings

WEB = pod("x/web", "app=web")
FRONT = Service(
    meta("x/front"),
    {"app": "web"},
    (ServicePort(80, 8080, node_port=30080),),
    (ip_address("10.96.0.50"),),
    "LoadBalancer",
    load_balancer=(LoadBalancerIngress(ip_address("198.18.0.9")),),
    external_ips=(ip_address("203.0.113.9"),),
)


def warned(*things: Any) -> list[str]:
    found = [problem for problem in warnings(cluster(*things)) if problem.rule == "service-address"]
    return [f"{problem.path}: {problem.message}" for problem in found]


def out(cidr: str) -> Any:
    return policy("x/p", "app=web", egress=[rule(peer(cidr=cidr))])


@pytest.mark.parametrize(
    ("address", "what"),
    [
        ("10.96.0.50", "the ClusterIP"),
        ("198.18.0.9", "a load-balancer address"),
        ("203.0.113.9", "an external IP"),
    ],
)
def test_the_address_of_a_service(address: str, what: str) -> None:
    """The warning names the Service and the labels of its pods."""
    assert [
        f"spec.egress[0].to[0].ipBlock.cidr: {address} is {what} of Service x/front, so it matches no packet: policies"
        " see the address of the endpoint; select its pods, app=web"
    ] == warned(WEB, FRONT, out(f"{address}/32"))


def test_a_part_of_the_service_range() -> None:
    """The warning is there for ingress too, as no packet comes from there."""
    text = (
        "10.96.4.0/24 is in the service range 10.96.0.0/16, so it matches no packet: policies see the address of the"
        " endpoint; select the pods behind the Service"
    )
    into = policy("x/p", "app=web", ingress=[rule(peer(cidr="10.96.4.0/24"))])

    assert [f"spec.egress[0].to[0].ipBlock.cidr: {text}"] == warned(WEB, FRONT, out("10.96.4.0/24"))
    assert [f"spec.ingress[0].from[0].ipBlock.cidr: {text}"] == warned(WEB, FRONT, into)


def test_a_block_that_holds_the_service_range_and_nothing_else() -> None:
    """10.96.0.0/12 is the default of kubeadm."""
    assert [
        "spec.egress[0].to[0].ipBlock.cidr: 10.96.0.0/12 holds the service range 10.96.0.0/16 and no address of the"
        " lab's pods, nodes and hosts: policies see the address of the endpoint; select the pods behind the Service"
    ] == warned(WEB, FRONT, out("10.96.0.0/12"))


@pytest.mark.parametrize(
    "things",
    [
        pytest.param(
            [WEB, FRONT, topology(hosts={"h": ["10.100.0.9"]}), out("10.96.0.0/12")], id="a range with a host"
        ),
        pytest.param([WEB, out("10.96.0.50/32")], id="no Service"),
        pytest.param([WEB, FRONT, out("10.0.0.0/8")], id="a wider range"),
        pytest.param([WEB, FRONT, out("198.18.0.0/24")], id="a range of load balancers"),
        pytest.param(
            [WEB, FRONT, topology(hosts={"h": ["203.0.113.9"]}), out("203.0.113.9/32")], id="a host's address"
        ),
    ],
)
def test_no_warning(things: list[Any]) -> None:
    """Packets may have an address of the block."""
    assert [] == warned(*things)
