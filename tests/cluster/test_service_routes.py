"""The node that packets to a load-balancer address or external IP reach."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest
from builders import cluster, meta, pod, topology

from netlab.cluster.services.endpoints import endpoints
from netlab.cluster.services.routes import balancer_node, outer_addresses
from netlab.objects.services import EndpointSlice, LoadBalancerIngress, Service, ServicePort, SliceEndpoint, SlicePort

PORT = (ServicePort(80, node_port=30080),)


def balancer(address: str = "198.18.0.9", **more: object) -> Service:
    status = (LoadBalancerIngress(ip_address(address)),)
    fields = {"selector": {"app": "db"}, "ports": PORT, "type": "LoadBalancer", "load_balancer": status}
    return Service(meta("shop/db"), **{**fields, **more})  # type: ignore[arg-type]


def test_the_address_alone_chooses_a_node() -> None:
    of = cluster(topology(nodes=["a", "b"], mode="overlay"), balancer())
    found = [balancer_node(of, ip_address(f"198.18.0.{last}")) for last in range(4)]
    assert all(node in found for node in of.nodes)
    assert found == [balancer_node(of, ip_address(f"198.18.0.{last}")) for last in range(4)]


def test_with_policy_local_it_is_a_node_with_a_ready_endpoint() -> None:
    """This holds for every address."""
    db = pod("shop/db", "app=db", node="b")
    for last in range(4):
        of = cluster(
            topology(nodes=["a", "b", "c"], mode="overlay"),
            db,
            balancer(f"198.18.0.{last}", external_traffic_policy="Local"),
        )
        assert balancer_node(of, ip_address(f"198.18.0.{last}")) == of.node("b")


def test_a_nodes_address_is_that_node() -> None:
    of = cluster(topology(nodes=["a", "b"], mode="overlay"))
    for node in of.nodes:
        assert balancer_node(of, node.addresses[0]) == node


def test_nodes_translate_no_address_with_ip_mode_proxy_or_of_another_proxy() -> None:
    proxy = balancer(load_balancer=(LoadBalancerIngress(ip_address("198.18.0.9"), ip_mode="Proxy"),))
    other = balancer()
    other.meta.labels["service.kubernetes.io/service-proxy-name"] = "mine"  # type: ignore[index]
    of = cluster(topology(nodes=["a"]), proxy)
    assert outer_addresses(of.services[0]) == ()
    assert outer_addresses(cluster(topology(nodes=["a"]), other).services[0]) == ()


@pytest.mark.parametrize("label", ["service.kubernetes.io/service-proxy-name", "service.kubernetes.io/headless"])
def test_nodes_ignore_a_slice_of_another_proxy_and_one_for_a_headless_service(label: str) -> None:
    """Names of a headless Service lead to its endpoints all the same."""
    of_service = {"kubernetes.io/service-name": "db"}
    found = []
    for headless in (False, True):
        for labels in (of_service, {**of_service, label: "x"}):
            slice_ = EndpointSlice(
                replace(meta("shop/db-1"), labels=labels),
                4,
                (SliceEndpoint((ip_address("10.1.1.1"),)),),
                (SlicePort(80),),
                "db",
            )
            service = Service(meta("shop/db"), ports=(ServicePort(80),), headless=headless)
            of = cluster(topology(nodes=["a"]), service, slice_)
            found.append(len(endpoints(of, of.services[-1], of.services[-1].ports[0], 4)))

    assert [1, 0, 1, 1] == found
