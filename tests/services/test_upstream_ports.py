"""Kubernetes' end-to-end tests of Services, with real packets.

Rows about the types of Services, and about addresses, ports and protocols.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from services.bench import Bench
from services.objects import pod, service
from services.upstream_rows import CLIENTS, INSIDE, row

from netlab.cluster.flows import Flow
from netlab.conformance.shorthand import document
from netlab.errors import InputError
from netlab.objects.types import Document

pytestmark = pytest.mark.kernel

Build = Callable[..., Bench]


@row(3)
def test_ports_are_added_and_removed(lab: Build) -> None:
    """A port answers while the Service has it, and is refused else."""
    b = lab(service("u/s", "app=s"), pod("u/p", "app=s"))
    b.serve(["u/p"], 80)
    b.serve(["u/p"], 81)
    to = b.cluster_ip("u/s")

    assert ("answered", "refused") == (b.ask("u/c2", to, 80).how, b.ask("u/c2", to, 81).how)
    b.apply(service("u/s", "app=s", ("a=80", "b=81")))
    assert ("answered", "answered") == (b.ask("u/c2", to, 80).how, b.ask("u/c2", to, 81).how)
    b.apply(service("u/s", "app=s", ("81",)))
    assert ("refused", "answered") == (b.ask("u/c2", to, 80).how, b.ask("u/c2", to, 81).how)


@row(6)
def test_services_go_up_and_down(lab: Build) -> None:
    """A deleted Service is unreachable. Others keep their addresses, and new ones get other addresses."""
    b = lab(service("u/s1", "app=s"), service("u/s2", "app=s"), pod("u/p", "app=s"))
    b.serve(["u/p"])
    first, second = b.cluster_ip("u/s1"), b.cluster_ip("u/s2")
    assert ["answered"] * 2 == [b.ask("u/c2", to).how for to in (first, second)]

    b.delete("Service u/s1")
    assert "answered" != b.ask("u/c2", first).how
    assert "answered" == b.ask("u/c2", second).how
    b.apply(service("u/s3", "app=s"))
    assert second != b.cluster_ip("u/s3")
    assert ["answered"] * 2 == [b.ask("u/c2", to).how for to in (second, b.cluster_ip("u/s3"))]


@row(7)
def test_a_service_that_is_made_again_works(lab: Build) -> None:
    """After deletion and creation, the Service answers at its new address."""
    b = lab(service("u/s", "app=s"), pod("u/p", "app=s"))
    b.serve(["u/p"])
    b.delete("Service u/s")
    b.apply(service("u/s", "app=s"))

    assert "answered" == b.ask("u/c2", b.cluster_ip("u/s")).how


@row(8)
def test_a_node_port_answers_at_every_node(lab: Build) -> None:
    """Clients inside and outside reach each endpoint by every node. The ClusterIP works too."""
    b = lab(service("u/s", "app=s", type="NodePort"), pod("u/p1", "app=s"), pod("u/p2", "app=s", "n2"))
    b.serve(["u/p1", "u/p2"])

    for client, node in itertools.product((*INSIDE, "host:out"), ("node:n1", "node:n2")):
        assert {"u/p1", "u/p2"} == b.endpoints(client, b.address(node), b.node_port("u/s")), (client, node)
    for client in INSIDE:
        assert {"u/p1", "u/p2"} == b.endpoints(client, b.cluster_ip("u/s")), client


@row(9)
def test_a_node_port_gets_a_second_protocol(lab: Build) -> None:
    """If UDP is added to a TCP port, both protocols answer at a nodePort."""
    b = lab(service("u/s", "app=s", type="NodePort"), pod("u/p", "app=s"))
    for protocol in ("TCP", "UDP"):
        b.serve(["u/p"], protocol=protocol)
    b.apply(service("u/s", "app=s", ("a=80", "b=80/UDP"), type="NodePort"))

    for protocol in ("TCP", "UDP"):
        port = b.node_port("u/s", protocol=protocol)
        assert "answered" == b.ask("host:out", b.address("node:n2"), port, protocol).how
        assert "answered" == b.ask("u/c2", b.cluster_ip("u/s"), 80, protocol).how


@row(10)
@pytest.mark.parametrize("kind", ["ClusterIP", "NodePort"])
def test_the_type_of_a_service_changes(lab: Build, kind: str) -> None:
    """A Service that is no longer ExternalName gets an address. Back as ExternalName it no longer answers at it.

    A test of DNS shows that its name then leads to the external name.
    """
    external = document("Service", "u/s", {"type": "ExternalName", "externalName": "other.example"})
    b = lab(external, pod("u/p", "app=s"))
    b.serve(["u/p"])
    assert () == b.service("u/s").cluster_ips

    b.apply(service("u/s", "app=s", type=kind))
    to = b.cluster_ip("u/s")
    assert "answered" == b.ask("u/c2", to).how
    if kind == "NodePort":
        assert "answered" == b.ask("u/c2", b.address("node:n1"), b.node_port("u/s")).how
    b.apply(external)
    assert () == b.service("u/s").cluster_ips
    assert "answered" != b.ask("u/c2", to).how


@row(11)
def test_a_node_port_is_given_once(lab: Build) -> None:
    """A second Service that writes the same nodePort is an error, until the first Service is deleted."""
    b = lab(service("u/s", "app=s", ("80@30100",), type="NodePort"), pod("u/p", "app=s"))
    b.serve(["u/p"])
    second = service("u/t", "app=s", ("80@30100",), type="NodePort")

    with pytest.raises(InputError, match="port is already allocated"):
        b.apply(second)
    b.delete("Service u/s")
    b.apply(second)
    assert "answered" == b.ask("host:out", b.address("node:n1"), 30100).how


@row(12)
def test_a_node_port_out_of_range_is_an_error(lab: Build) -> None:
    """This holds for a new Service and for an update."""
    b = lab(service("u/s", "app=s", type="NodePort"))

    for ref in ("u/s", "u/t"):
        with pytest.raises(InputError, match="port is not in the valid range"):
            b.apply(service(ref, "app=s", ("80@29999",), type="NodePort"))


@row(27)
def test_one_port_may_serve_tcp_and_udp(lab: Build) -> None:
    """Only the protocols that the Service has are answered."""
    b = lab(service("u/s", "app=s", ("a=80", "b=80/UDP")), pod("u/p", "app=s"))
    for protocol in ("TCP", "UDP"):
        b.serve(["u/p"], protocol=protocol)
    to = b.cluster_ip("u/s")

    def found() -> list[str]:
        return [b.ask("u/c2", to, 80, protocol).how for protocol in ("TCP", "UDP")]

    assert ["answered", "answered"] == found()
    b.apply(service("u/s", "app=s", ("a=80",)))
    assert ["answered", "refused"] == found()
    b.apply(service("u/s", "app=s", ("b=80/UDP",)))
    assert ["refused", "answered"] == found()


@row(28)
def test_one_port_of_a_load_balancer_may_serve_tcp_and_udp(lab: Build) -> None:
    """Both target ports have names, and one number in two protocols."""
    b = lab(
        service("u/s", "app=s", ("a=80:svc1", "b=80:svc2/UDP"), type="LoadBalancer"),
        pod("u/p", "app=s", "n1", ["svc1=100", "svc2=100/UDP"]),
    )
    for protocol in ("TCP", "UDP"):
        b.serve(["u/p"], 100, protocol)
        assert "answered" == b.ask("u/c2", b.cluster_ip("u/s"), 80, protocol).how
        assert "answered" == b.ask("host:out", b.balancer("u/s"), 80, protocol).how


@row(29)
def test_an_sctp_service_has_its_endpoints(lab: Build) -> None:
    """SCTP packets reach the Service while it has an endpoint."""
    b = lab(service("u/s", "app=s", ("5060/SCTP",)), pod("u/p", "app=s"))

    def asked() -> str:
        here = b.lab.cluster
        flow = Flow(here.by_ref["u/c2"], None, 4, "SCTP", 5060, b.service("u/s").cluster_ips[0])
        return next(iter(b.lab.probe([flow]))).verdict

    assert "allow" == asked()
    b.delete("Pod u/p")
    assert "deny" == asked()


@row(32)
def test_the_status_of_a_load_balancer_is_kept(lab: Build) -> None:
    """The address of the status answers."""
    status = {"loadBalancer": {"ingress": [{"ip": "203.0.113.1"}]}}
    b = lab(
        service("u/s", "app=s", type="LoadBalancer", loadBalancerClass="example.com/internal-vip", status=status),
        pod("u/p", "app=s"),
    )
    b.serve(["u/p"])

    assert "203.0.113.1" == b.balancer("u/s")
    assert {"answered"} == {b.ask(c, "203.0.113.1").how for c in (*INSIDE, "host:out")}


@row(36)
@pytest.mark.parametrize("protocol", ["TCP", "UDP"])
def test_a_deleted_node_port_reaches_nothing(lab: Build, protocol: str) -> None:
    """After the deletion of the Service no node answers at its nodePort."""
    b = lab(service("u/s", "app=s", (f"80/{protocol}",), type="NodePort"), pod("u/p", "app=s"))
    b.serve(["u/p"], 80, protocol)
    port = b.node_port("u/s", 80, protocol)
    assert "answered" == b.ask("host:out", b.address("node:n1"), port, protocol).how

    b.delete("Service u/s")
    for client, node in itertools.product((*CLIENTS, "host:out"), ("node:n1", "node:n2")):
        assert "answered" != b.ask(client, b.address(node), port, protocol).how


FAMILY_CASES: list[tuple[dict[str, Any], tuple[int, ...]]] = [
    ({"ipFamilyPolicy": "SingleStack", "ipFamilies": ["IPv4"]}, (4,)),
    ({"ipFamilyPolicy": "SingleStack", "ipFamilies": ["IPv6"]}, (6,)),
    ({"ipFamilyPolicy": "RequireDualStack", "ipFamilies": ["IPv4", "IPv6"]}, (4, 6)),
    ({"ipFamilyPolicy": "RequireDualStack", "ipFamilies": ["IPv6", "IPv4"]}, (6, 4)),
    ({}, (4,)),
]


@row(37)
def test_cluster_ips_have_the_families_that_are_asked_for(lab: Build) -> None:
    """The addresses are in the order of ipFamilies, and each answers."""
    services = [service(f"u/s{i}", "app=s", **spec) for i, (spec, _) in enumerate(FAMILY_CASES)]
    b = lab(*services, pod("u/p", "app=s"), families=(4, 6))
    b.serve(["u/p"], families=(4, 6))

    for i, (_, families) in enumerate(FAMILY_CASES):
        addresses = b.service(f"u/s{i}").cluster_ips
        assert families == tuple(address.version for address in addresses)
        assert {"answered"} == {b.ask("u/c2", address).how for address in addresses}


@row(48)
def test_pods_share_a_host_port_by_address_and_protocol(lab: Build) -> None:
    """Three pods of a node publish one port: at two addresses, and in a second protocol."""

    def published(name: str, protocol: str = "TCP", ip: str = "") -> Document:
        port = {"containerPort": 8080, "hostPort": 5432, "protocol": protocol} | ({"hostIP": ip} if ip else {})
        return document("Pod", f"u/{name}", {"nodeName": "n1", "containers": [{"name": "c", "ports": [port]}]})

    own = "100.64.0.1"
    b = lab(published("loop", ip="127.0.0.1"), published("node", ip=own), published("udp", "UDP", own))
    b.serve(["u/loop", "u/node"], 8080)
    b.serve(["u/udp"], 8080, "UDP")
    assert own == b.address("node:n1")

    assert "u/loop" == b.ask("node:n1", "127.0.0.1", 5432).endpoint
    assert "u/node" == b.ask("u/c2", own, 5432).endpoint
    assert "u/udp" == b.ask("u/c2", own, 5432, "UDP").endpoint


@row(49)
def test_a_cluster_ip_with_leading_zeros_is_decimal(lab: Build) -> None:
    """API servers read an IPv4 address with leading zeros so. Since 1.36 they refuse a new one."""
    b = lab(service("u/s", "app=s", clusterIP="10.096.0.050"), pod("u/p", "app=s"), kubernetesVersion="1.35")
    b.serve(["u/p"])

    assert "10.96.0.50" == b.cluster_ip("u/s")
    assert "answered" == b.ask("u/c2", "10.96.0.50").how
