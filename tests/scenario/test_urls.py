"""A URL in a cluster: where a request goes, and which endpoints must answer it."""

from __future__ import annotations

from typing import Any

import pytest
from builders import cluster, meta, pod, topology

from netlab.cluster import Cluster
from netlab.objects.ingresses import Ingress, IngressBackend, IngressPath, IngressRule
from netlab.objects.scenarios import HttpExpectation
from netlab.objects.services import Service, ServicePort
from netlab.scenario.urls import connect_to, listeners, unknown_hosts


@pytest.fixture(scope="module")
def lab() -> Cluster:
    """A Service, a headless one, an Ingress with two hosts, and an outside host."""
    backend = IngressBackend("api", "http")
    paths = (IngressPath("/", "Prefix", backend),)
    return cluster(
        topology(["n1"], hosts={"out": ["192.0.2.1"]}),
        pod("shop/web", "app=web", addresses=["10.244.0.9"]),
        pod("shop/api", "app=api", addresses=["10.244.0.7"]),
        pod("other/x", addresses=["10.244.0.8"]),
        Service(
            meta("shop/api"), {"app": "api"}, (ServicePort(80, 8080, name="http", node_port=30080),), type="NodePort"
        ),
        Service(meta("shop/web"), {"app": "web"}, (ServicePort(80, 8081),), headless=True),
        Ingress(meta("shop/entry"), rules=(IngressRule("shop.example", paths), IngressRule("*.wild.example", paths))),
    )


def places(of: Cluster, url: str, source: str = "shop/web") -> list[str]:
    asked = HttpExpectation(source, url, 200)
    return [f"{endpoint.ref}:{port}" for endpoint, port in listeners(of, of.by_ref[source], asked)]


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("http://api", ["shop/api:8080"]),
        ("http://api.shop/x", ["shop/api:8080"]),
        ("http://api.shop.svc.cluster.local.:80", ["shop/api:8080"]),
        ("http://api:81", []),
        ("http://web:9000", ["shop/web:9000"]),
        ("http://10.244.0.8:1234", ["other/x:1234"]),
        ("https://192.0.2.1", ["host:out:443"]),
        ("http://shop.example/cart", ["shop/api:8080"]),
        ("http://a.wild.example", ["shop/api:8080"]),
        ("http://a.b.wild.example", []),
        ("http://elsewhere.example", []),
    ],
)
def test_the_endpoints_behind_a_url_must_answer(lab: Cluster, url: str, found: list[str]) -> None:
    """Those of a Service on the pods' port, those of a headless one on the URL's, and what an Ingress leads to."""

    assert found == places(lab, url)


def test_the_addresses_of_a_service_and_a_node_port_lead_to_its_endpoints(lab: Cluster) -> None:
    """Nodes translate both to the pods' ports."""
    (address,) = next(one for one in lab.services if one.meta.key == "shop/api").cluster_ips
    node = lab.nodes[0].addresses[0]

    assert ["shop/api:8080"] == places(lab, f"http://{address}")
    assert ["shop/api:8080"] == places(lab, f"http://{node}:30080")
    assert [] == places(lab, f"http://{node}:30081")


def test_a_short_name_is_in_the_namespace_of_the_source(lab: Cluster) -> None:
    """A source in another namespace needs the longer name."""

    assert [] == places(lab, "http://api", "other/x")
    assert ["shop/api:8080"] == places(lab, "http://api.shop", "other/x")


def test_a_host_of_an_ingress_is_at_the_controller(lab: Cluster) -> None:
    """Public DNS would lead the host there. The source resolves other hosts."""

    def at(url: str, **more: Any) -> list[str]:
        return [str(one) for one in connect_to(lab, HttpExpectation("shop/web", url, 200, **more))]

    controller = next(one for one in lab.services if one.meta.key == "ingress-nginx/controller")

    assert [str(one.address) for one in controller.load_balancer] == at("http://shop.example/cart")
    assert at("https://x.wild.example")
    assert [] == at("http://shop.example", family=6)
    assert [] == at("http://api.shop")


def test_a_name_of_the_cluster_must_exist(lab: Cluster) -> None:
    """Only a full name is certainly one of the cluster."""

    def unknown(url: str) -> list[str]:
        return list(unknown_hosts(lab, HttpExpectation("shop/web", url, 200)))

    assert ["no Service 'shop/nosuch'"] == unknown("http://nosuch.shop.svc.cluster.local")
    assert [] == unknown("http://api.shop.svc")
    assert [] == unknown("http://nosuch.shop")
    assert [] == unknown("http://db-0.db.shop.svc")
