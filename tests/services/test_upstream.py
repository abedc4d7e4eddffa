"""Kubernetes' end-to-end tests of Services (test/e2e/network) as tests with real packets.

Each row of the list is a test here (``ROWS``), a test elsewhere, or left out with the reason.
"""

from __future__ import annotations

import itertools
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from services.bench import Bench
from services.objects import exported, pod, service, topology

from netlab.cluster.flows import Flow
from netlab.conformance.shorthand import document
from netlab.errors import InputError
from netlab.kernel import netns
from netlab.objects.types import Document

pytestmark = pytest.mark.kernel

Build = Callable[..., Bench]
ROWS: dict[int, str] = {}
"""The tests of this file by the numbers of their rows."""


def row(*numbers: int) -> Callable[[Any], Any]:
    """Say which rows a test is."""

    def note(test: Any) -> Any:
        ROWS.update(dict.fromkeys(numbers, test.__name__))
        return test

    return note


@pytest.fixture
def lab(build: Build, unique: Callable[[str], str]) -> Build:
    """Build a lab of two nodes, with client pods u/c1 and u/c2 and an outside host, and some objects."""

    def make(*documents: Document, mode: str = "overlay", families: tuple[int, ...] = (4,), **more: Any) -> Bench:
        clients = [pod("u/c1", node="n1"), pod("u/c2", node="n2")]
        return build(topology(unique("up"), mode, families, **more), *clients, *documents)

    return make


CLIENTS = ("u/c1", "u/c2")
INSIDE = (*CLIENTS, "node:n1", "node:n2")


@row(1)
def test_endpoints_come_and_go_with_pods(lab: Build) -> None:
    """None, then p1, then both, then p2, then none."""
    b = lab(service("u/s", "app=s"))
    to = b.cluster_ip("u/s")

    assert {"refused"} == b.endpoints("u/c1", to)
    b.apply(pod("u/p1", "app=s"))
    b.serve(["u/p1"])
    assert {"u/p1"} == b.endpoints("u/c1", to)
    b.apply(pod("u/p2", "app=s", "n2"))
    b.serve(["u/p2"])
    assert {"u/p1", "u/p2"} == b.endpoints("u/c1", to)
    b.stop("u/p1")
    b.delete("Pod u/p1")
    assert {"u/p2"} == b.endpoints("u/c1", to)
    b.stop("u/p2")
    b.delete("Pod u/p2")
    assert {"refused"} == b.endpoints("u/c1", to)


@row(2)
def test_ports_of_a_service_by_name_lead_to_the_pods_that_have_them(lab: Build) -> None:
    """Port 80 has the one pod, port 81 the other."""
    b = lab(
        service("u/s", "app=s", ("a=80:svc1", "b=81:svc2")),
        pod("u/p1", "app=s", "n1", ["svc1=100"]),
        pod("u/p2", "app=s", "n2", ["svc2=101"]),
    )
    b.serve(["u/p1"], 100)
    b.serve(["u/p2"], 101)
    to = b.cluster_ip("u/s")

    assert ({"u/p1"}, {"u/p2"}) == (b.endpoints("u/c1", to, 80), b.endpoints("u/c1", to, 81))


@row(3)
def test_ports_are_added_and_removed(lab: Build) -> None:
    """A port that the Service does not have is refused."""
    b = lab(service("u/s", "app=s"), pod("u/p", "app=s"))
    b.serve(["u/p"], 80)
    b.serve(["u/p"], 81)
    to = b.cluster_ip("u/s")

    assert ("answered", "refused") == (b.ask("u/c2", to, 80).how, b.ask("u/c2", to, 81).how)
    b.apply(service("u/s", "app=s", ("a=80", "b=81")))
    assert ("answered", "answered") == (b.ask("u/c2", to, 80).how, b.ask("u/c2", to, 81).how)
    b.apply(service("u/s", "app=s", ("81",)))
    assert ("refused", "answered") == (b.ask("u/c2", to, 80).how, b.ask("u/c2", to, 81).how)


@row(4)
def test_a_server_sees_the_address_of_the_client_pod(lab: Build) -> None:
    """From the same node and from another one, through a ClusterIP."""
    b = lab(service("u/s", "app=s"), pod("u/p", "app=s"))
    b.serve(["u/p"])

    assert [b.address(c) for c in CLIENTS] == [b.ask(c, b.cluster_ip("u/s")).seen for c in CLIENTS]


@row(5)
@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("mode", ["overlay", "routed", "bridge"])
def test_a_pod_reaches_itself_through_its_service(lab: Build, mode: str, family: int) -> None:
    """It is client and only endpoint."""
    b = lab(service("u/s", "app=s", dual=True), pod("u/p", "app=s"), mode=mode, families=(4, 6))
    b.serve(["u/p"], families=(4, 6))

    assert {"u/p"} == b.endpoints("u/p", b.cluster_ip("u/s", family))


@row(6)
def test_services_go_up_and_down(lab: Build) -> None:
    """A deleted one is unreachable, the others stay, and addresses differ."""
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
    """At its new address."""
    b = lab(service("u/s", "app=s"), pod("u/p", "app=s"))
    b.serve(["u/p"])
    b.delete("Service u/s")
    b.apply(service("u/s", "app=s"))

    assert "answered" == b.ask("u/c2", b.cluster_ip("u/s")).how


@row(8)
def test_a_node_port_answers_at_every_node(lab: Build) -> None:
    """From inside and outside, beside its ClusterIP."""
    b = lab(service("u/s", "app=s", type="NodePort"), pod("u/p1", "app=s"), pod("u/p2", "app=s", "n2"))
    b.serve(["u/p1", "u/p2"])

    for client, node in itertools.product((*INSIDE, "host:out"), ("node:n1", "node:n2")):
        assert {"u/p1", "u/p2"} == b.endpoints(client, b.address(node), b.node_port("u/s")), (client, node)
    for client in INSIDE:
        assert {"u/p1", "u/p2"} == b.endpoints(client, b.cluster_ip("u/s")), client


@row(9)
def test_a_node_port_gets_a_second_protocol(lab: Build) -> None:
    """TCP, then TCP and UDP on one port: both have a nodePort."""
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
    """From ExternalName, when it gets an address; and back, when the address is no longer answered.

    That the name then resolves to the external name is a test of DNS.
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
    """A second Service that asks for it is an error; after a deletion it is free."""
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
    """On creation and on an update."""
    b = lab(service("u/s", "app=s", type="NodePort"))

    for ref in ("u/s", "u/t"):
        with pytest.raises(InputError, match="port is not in the valid range"):
            b.apply(service(ref, "app=s", ("80@29999",), type="NodePort"))


@row(13)
def test_unready_pods_are_reached_if_the_service_publishes_them(lab: Build) -> None:
    """Also one that is being deleted."""
    b = lab(service("u/s", "app=s"), exported("u/p", "app=s", ready=False))
    b.serve(["u/p"])
    to = b.cluster_ip("u/s")

    for publish, found in ((True, "answered"), (False, "refused"), (True, "answered")):
        b.apply(service("u/s", "app=s", publishNotReadyAddresses=publish))
        assert found == b.ask("u/c2", to).how
    b.apply(exported("u/p", "app=s", ready=False, terminating=True))
    assert "answered" == b.ask("u/c2", to).how


@row(14)
@pytest.mark.parametrize("publish", [True, False])
def test_a_terminating_unready_pod(lab: Build, publish: bool) -> None:
    """Its ClusterIP and the nodePorts of both nodes answer only if the Service publishes it."""
    b = lab(
        service("u/s", "app=s", type="NodePort", publishNotReadyAddresses=publish),
        exported("u/p", "app=s", ready=False, terminating=True),
    )
    b.serve(["u/p"])
    fronts = [(b.cluster_ip("u/s"), 80)] + [(b.address(n), b.node_port("u/s")) for n in ("node:n1", "node:n2")]

    assert {"answered" if publish else "refused"} == {b.ask(c, *front).how for c in CLIENTS for front in fronts}


@row(15)
@pytest.mark.parametrize("kind", ["ClusterIP", "NodePort"])
def test_session_affinity(lab: Build, kind: str) -> None:
    """ClientIP: always one pod. None: any."""
    pods = [pod(f"u/p{i}", "app=s", f"n{1 + i % 2}") for i in range(3)]
    b = lab(service("u/s", "app=s", type=kind, sessionAffinity="ClientIP"), *pods)
    b.serve(["u/p0", "u/p1", "u/p2"])
    front = (b.cluster_ip("u/s"), 80)
    if kind == "NodePort":
        front = (b.address("node:n1"), b.node_port("u/s"))

    assert 1 == len(b.endpoints("u/c1", *front, tries=20))
    b.apply(service("u/s", "app=s", type=kind))
    assert {"u/p0", "u/p1", "u/p2"} == b.endpoints("u/c1", *front, tries=20)
    b.apply(service("u/s", "app=s", type=kind, sessionAffinity="ClientIP"))
    assert 1 == len(b.endpoints("u/c1", *front, tries=20))


@row(16)
@pytest.mark.parametrize("kind", ["ClusterIP", "NodePort"])
def test_session_affinity_ends_after_its_timeout(lab: Build, kind: str) -> None:
    """Each connection is to one pod until the client was silent for the timeout."""
    timeout: dict[str, Any] = {
        "sessionAffinity": "ClientIP",
        "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 1}},
    }
    b = lab(
        service("u/s", "app=s", type=kind, **timeout), *(pod(f"u/p{i}", "app=s", f"n{1 + i % 2}") for i in range(3))
    )
    b.serve(["u/p0", "u/p1", "u/p2"])
    front = (b.cluster_ip("u/s"), 80)
    if kind == "NodePort":
        front = (b.address("node:n1"), b.node_port("u/s"))

    found: set[str] = set()
    for _ in range(8):
        began = time.monotonic()
        once = b.endpoints("u/c1", *front, tries=5)
        # On a busy machine the timeout may pass between two tries.
        assert 1 == len(once) or time.monotonic() - began > 1
        found |= once
        if len(found) > 1:
            break
        time.sleep(1.5)
    assert len(found) > 1


@row(17, 18)
@pytest.mark.parametrize("label", ["service.kubernetes.io/service-proxy-name=other", "service.kubernetes.io/headless="])
def test_a_label_turns_the_proxy_off_and_on(lab: Build, label: str) -> None:
    """With it the address is not answered."""
    b = lab(service("u/s", "app=s"), pod("u/p", "app=s"))
    b.serve(["u/p"])
    to = b.cluster_ip("u/s")

    assert "answered" == b.ask("u/c2", to).how
    b.apply(service("u/s", "app=s", labels=label))
    assert "answered" != b.ask("u/c2", to).how
    b.apply(service("u/s", "app=s"))
    assert "answered" == b.ask("u/c2", to).how


@row(19)
@pytest.mark.parametrize("family", [4, 6])
def test_a_service_without_endpoints_refuses(lab: Build, family: int) -> None:
    """At once, for pods, nodes and outside hosts, at every address."""
    b = lab(service("u/s", "app=s", dual=True, type="LoadBalancer"), families=(4, 6))

    assert {"refused"} == {b.ask(c, b.cluster_ip("u/s", family)).how for c in INSIDE}
    everywhere = (*INSIDE, "host:out")
    assert {"refused"} == {b.ask(c, b.balancer("u/s", family)).how for c in everywhere}
    node, port = b.address("node:n1", family), b.node_port("u/s")
    assert {"refused"} == {b.ask(c, node, port).how for c in everywhere}


@row(20)
def test_evicted_pods_are_no_endpoints(lab: Build) -> None:
    """Not even of a Service that publishes what is not ready."""
    evicted = pod("u/p", "app=s", status={"phase": "Failed"})
    b = lab(service("u/s", "app=s", publishNotReadyAddresses=True), evicted)

    assert {"refused"} == {b.ask(c, b.cluster_ip("u/s")).how for c in CLIENTS}


@row(21)
@pytest.mark.parametrize("host", [False, True])
def test_internal_traffic_policy_local(lab: Build, host: bool) -> None:
    """Clients on the server's node are answered, those on the other node are dropped."""
    b = lab(
        service("u/s", "app=s", ("80:8081",), internalTrafficPolicy="Local"),
        pod("u/p", "app=s", host=host),
        pod("u/h1", host=True),
        pod("u/h2", node="n2", host=True),
    )
    b.serve(["u/p"], 8081)
    found = {c: b.ask(c, b.cluster_ip("u/s")).how for c in ("u/c1", "u/h1", "u/c2", "u/h2")}

    assert {"u/c1": "answered", "u/h1": "answered", "u/c2": "silent", "u/h2": "silent"} == found


def _terminating(lab: Build, **spec: Any) -> Bench:
    """A Service whose only endpoint, on n1, is serving and being deleted."""
    b = lab(
        service("u/s", "app=s", ("80:8081",), **spec),
        exported("u/p", "app=s", terminating=True),
        pod("u/h1", host=True),
        pod("u/h2", node="n2", host=True),
    )
    b.serve(["u/p"], 8081)
    return b


@row(22)
def test_a_terminating_endpoint_does_not_count_at_the_health_check_port(lab: Build) -> None:
    """200, then 503 while the pod still serves at the nodePort; the other node has 503 always."""
    b = lab(
        service("u/s", "app=s", type="LoadBalancer", externalTrafficPolicy="Local"),
        exported("u/p", "app=s", ready=True),
    )
    b.serve(["u/p"])
    b.programs()
    port = b.service("u/s").health_check_node_port
    assert [(200, 1), (503, 0)] == [b.health("host:out", n, port) for n in ("node:n1", "node:n2")]

    b.apply(exported("u/p", "app=s", terminating=True))
    assert [(503, 0), (503, 0)] == [b.health("host:out", n, port) for n in ("node:n1", "node:n2")]
    assert "answered" == b.ask("host:out", b.address("node:n1"), b.node_port("u/s")).how


def test_health_checks_are_by_family_and_by_service(lab: Build) -> None:
    """Each Service has its own port, and IPv6 clients ask for endpoints of IPv6."""
    local: dict[str, Any] = {"type": "LoadBalancer", "externalTrafficPolicy": "Local"}
    b = lab(
        service("u/s", "app=s", dual=True, **local),
        service("u/t", "app=t", ipFamilies=["IPv4"], **local),
        pod("u/p1", "app=s"),
        pod("u/p2", "app=s"),
        pod("u/p3", "app=t", "n2"),
        families=(4, 6),
    )
    b.programs()
    found = {
        (ref, node, family): b.health("host:out", node, b.service(ref).health_check_node_port, family)
        for ref, node, family in itertools.product(("u/s", "u/t"), ("node:n1", "node:n2"), (4, 6))
    }

    assert {(200, 2)} == {found["u/s", "node:n1", family] for family in (4, 6)}
    assert {(503, 0)} == {found["u/s", "node:n2", family] for family in (4, 6)}
    assert [(503, 0), (200, 1)] == [found["u/t", node, 4] for node in ("node:n1", "node:n2")]
    assert {(503, 0)} == {found["u/t", node, 6] for node in ("node:n1", "node:n2")}


@row(23)
def test_a_terminating_endpoint_serves_with_internal_policy_cluster(lab: Build) -> None:
    """Clients of both nodes reach it."""
    b = _terminating(lab)

    assert {"answered"} == {b.ask(c, b.cluster_ip("u/s")).how for c in (*CLIENTS, "u/h1", "u/h2")}


@row(24)
def test_a_terminating_endpoint_serves_its_node_with_internal_policy_local(lab: Build) -> None:
    """Clients of its own node reach it."""
    b = _terminating(lab, internalTrafficPolicy="Local")
    found = {c: b.ask(c, b.cluster_ip("u/s")).how for c in (*CLIENTS, "u/h1", "u/h2")}

    assert {"u/c1": "answered", "u/h1": "answered", "u/c2": "silent", "u/h2": "silent"} == found


@row(25)
def test_a_terminating_endpoint_serves_with_external_policy_cluster(lab: Build) -> None:
    """Clients of both nodes and outside reach it by the nodePort of its node."""
    b = _terminating(lab, type="NodePort")
    front = (b.address("node:n1"), b.node_port("u/s"))

    assert {"answered"} == {b.ask(c, *front).how for c in (*CLIENTS, "u/h1", "u/h2", "host:out")}


@row(26)
def test_a_terminating_endpoint_serves_its_node_with_external_policy_local(lab: Build) -> None:
    """All reach it by its own node's nodePort. By the other node's an outside host does not."""
    b = _terminating(lab, type="NodePort", externalTrafficPolicy="Local")
    port = b.node_port("u/s")

    assert {"answered"} == {b.ask(c, b.address("node:n1"), port).how for c in (*CLIENTS, "host:out")}
    assert "answered" != b.ask("u/c1", b.address("node:n2"), port).how
    assert "silent" == b.ask("host:out", b.address("node:n2"), port).how


@row(27)
def test_one_port_for_tcp_and_udp(lab: Build) -> None:
    """Exactly the protocols that the Service declares are answered."""
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
def test_one_port_for_tcp_and_udp_of_a_load_balancer(lab: Build) -> None:
    """With target ports by name, which are one number in two protocols."""
    b = lab(
        service("u/s", "app=s", ("a=80:svc1", "b=80:svc2/UDP"), type="LoadBalancer"),
        pod("u/p", "app=s", "n1", ["svc1=100", "svc2=100/UDP"]),
    )
    for protocol in ("TCP", "UDP"):
        b.serve(["u/p"], 100, protocol)
        assert "answered" == b.ask("u/c2", b.cluster_ip("u/s"), 80, protocol).how
        assert "answered" == b.ask("host:out", b.balancer("u/s"), 80, protocol).how


@row(29)
def test_an_sctp_service(lab: Build) -> None:
    """Its endpoints come and go, by packets of its protocol."""
    b = lab(service("u/s", "app=s", ("5060/SCTP",)), pod("u/p", "app=s"))

    def asked() -> str:
        here = b.lab.cluster
        flow = Flow(here.by_ref["u/c2"], None, 4, "SCTP", 5060, b.service("u/s").cluster_ips[0])
        return next(iter(b.lab.probe([flow]))).verdict

    assert "allow" == asked()
    b.delete("Pod u/p")
    assert "deny" == asked()


@row(31)
def test_endpoints_of_a_service_without_a_selector(lab: Build) -> None:
    """They are those of its Endpoints object, and of the object that replaces it."""
    b = lab(service("u/s"), pod("u/p1"), pod("u/p2", node="n2"))
    b.serve(["u/p1"], 80)
    b.serve(["u/p2"], 8080)
    to = b.cluster_ip("u/s")
    assert {"refused"} == b.endpoints("u/c1", to)

    for ref, port in (("u/p1", 80), ("u/p2", 8080)):
        subset = {"addresses": [{"ip": b.address(ref)}], "ports": [{"port": port}]}
        b.apply(document("Endpoints", "u/s", subsets=[subset]))
        assert {ref} == b.endpoints("u/c1", to)


@row(32)
def test_the_status_of_a_load_balancer_is_kept(lab: Build) -> None:
    """Its address answers."""
    status = {"loadBalancer": {"ingress": [{"ip": "203.0.113.1"}]}}
    b = lab(
        service("u/s", "app=s", type="LoadBalancer", loadBalancerClass="example.com/internal-vip", status=status),
        pod("u/p", "app=s"),
    )
    b.serve(["u/p"])

    assert "203.0.113.1" == b.balancer("u/s")
    assert {"answered"} == {b.ask(c, "203.0.113.1").how for c in (*INSIDE, "host:out")}


@row(33, 37)
@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("protocol", ["TCP", "UDP"])
def test_every_endpoint_is_reached(lab: Build, protocol: str, family: int) -> None:
    """From pods, nodes and host-network pods, by ClusterIP and by every node's port; in both families."""
    b = lab(
        service("u/s", "app=s", (f"80:8080/{protocol}",), dual=True, type="NodePort"),
        pod("u/p1", "app=s", "n1"),
        pod("u/p2", "app=s", "n2"),
        pod("u/h1", host=True),
        families=(4, 6),
    )
    b.serve(["u/p1", "u/p2"], 8080, protocol, (4, 6))
    fronts = [(b.address(node, family), b.node_port("u/s", 80, protocol)) for node in ("node:n1", "node:n2")]

    for client, front in itertools.product((*INSIDE, "u/h1", "u/p1"), [(b.cluster_ip("u/s", family), 80), *fronts]):
        assert {"u/p1", "u/p2"} == b.endpoints(client, *front, protocol), (client, front)


FAMILY_CASES: list[tuple[dict[str, Any], tuple[int, ...]]] = [
    ({"ipFamilyPolicy": "SingleStack", "ipFamilies": ["IPv4"]}, (4,)),
    ({"ipFamilyPolicy": "SingleStack", "ipFamilies": ["IPv6"]}, (6,)),
    ({"ipFamilyPolicy": "RequireDualStack", "ipFamilies": ["IPv4", "IPv6"]}, (4, 6)),
    ({"ipFamilyPolicy": "RequireDualStack", "ipFamilies": ["IPv6", "IPv4"]}, (6, 4)),
    ({}, (4,)),
]


@row(37)
def test_cluster_ips_have_the_families_that_are_asked_for(lab: Build) -> None:
    """In their order, and each answers."""
    services = [service(f"u/s{i}", "app=s", **spec) for i, (spec, _) in enumerate(FAMILY_CASES)]
    b = lab(*services, pod("u/p", "app=s"), families=(4, 6))
    b.serve(["u/p"], families=(4, 6))

    for i, (_, families) in enumerate(FAMILY_CASES):
        addresses = b.service(f"u/s{i}").cluster_ips
        assert families == tuple(address.version for address in addresses)
        assert {"answered"} == {b.ask("u/c2", address).how for address in addresses}


@row(34)
def test_two_services_with_one_selector(lab: Build) -> None:
    """The deletion of the first does not concern the second."""
    b = lab(service("u/s1", "app=s"), service("u/s2", "app=s"), pod("u/p", "app=s"))
    b.serve(["u/p"])
    b.delete("Service u/s1")

    assert {"u/p"} == b.endpoints("u/c2", b.cluster_ip("u/s2"))


@row(35, 37)
@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("protocol", ["TCP", "UDP"])
def test_a_deleted_endpoint_loses_no_connection(lab: Build, protocol: str, family: int) -> None:
    """All connections reach the rest."""
    pods = [pod(f"u/p{i}", "app=s", f"n{1 + i % 2}") for i in range(3)]
    b = lab(service("u/s", "app=s", (f"80/{protocol}",), dual=True), *pods, families=(4, 6))
    b.serve(["u/p0", "u/p1", "u/p2"], 80, protocol, (4, 6))
    to = b.cluster_ip("u/s", family)
    assert {"u/p0", "u/p1", "u/p2"} == b.endpoints("u/c1", to, 80, protocol, tries=20)

    b.stop("u/p0")
    b.delete("Pod u/p0")
    assert {"u/p1", "u/p2"} == b.endpoints("u/c1", to, 80, protocol, tries=20)


@row(36)
@pytest.mark.parametrize("protocol", ["TCP", "UDP"])
def test_a_deleted_node_port_reaches_nothing(lab: Build, protocol: str) -> None:
    """No endpoint answers at any node."""
    b = lab(service("u/s", "app=s", (f"80/{protocol}",), type="NodePort"), pod("u/p", "app=s"))
    b.serve(["u/p"], 80, protocol)
    port = b.node_port("u/s", 80, protocol)
    assert "answered" == b.ask("host:out", b.address("node:n1"), port, protocol).how

    b.delete("Service u/s")
    for client, node in itertools.product((*CLIENTS, "host:out"), ("node:n1", "node:n2")):
        assert "answered" != b.ask(client, b.address(node), port, protocol).how


@row(38)
@pytest.mark.parametrize("kind", ["ClusterIP", "NodePort"])
def test_a_udp_client_with_a_fixed_port_follows_its_server(lab: Build, kind: str) -> None:
    """The connection entry of the server that left is gone."""
    b = lab(service("u/s", "app=s", ("80/UDP",), type=kind), pod("u/p1", "app=s"))
    b.serve(["u/p1"], 80, "UDP")
    front = (b.cluster_ip("u/s"), 80)
    if kind == "NodePort":
        front = (b.address("node:n1"), b.node_port("u/s", 80, "UDP"))
    assert "u/p1" == b.ask("u/c2", *front, "UDP", own=12345).endpoint

    b.apply(pod("u/p2", "app=s", "n2"))
    b.serve(["u/p2"], 80, "UDP")
    b.stop("u/p1")
    b.delete("Pod u/p1")
    assert "u/p2" == b.ask("u/c2", *front, "UDP", own=12345).endpoint


@row(39)
def test_a_udp_client_that_asked_too_early_is_answered_later(lab: Build) -> None:
    """From the same source port, as soon as the endpoint is ready."""
    b = lab(service("u/s", "app=s", ("80/UDP",)), exported("u/p", "app=s", ready=False))
    b.serve(["u/p"], 80, "UDP")
    assert "answered" != b.ask("u/c2", b.cluster_ip("u/s"), 80, "UDP", own=12345).how

    b.apply(exported("u/p", "app=s"))
    assert "u/p" == b.ask("u/c2", b.cluster_ip("u/s"), 80, "UDP", own=12345).endpoint


@row(40)
def test_packets_out_of_window_do_not_end_a_connection(lab: Build) -> None:
    """Conntrack takes them for invalid; untranslated they would reach the client from a stranger, which resets."""
    b = lab(service("u/s", "app=s"), pod("u/p", "app=s"))
    with netns.inside(b.namespace("u/p")):
        server = socket.create_server(("", 80))
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    with netns.inside(b.namespace("u/c2")):
        client = socket.socket()
    with server, raw, client:
        client.settimeout(5)
        client.connect((b.cluster_ip("u/s"), 80))
        connection, _ = server.accept()
        with connection:
            _, port = client.getsockname()
            raw.sendto(_out_of_window(b.address("u/p"), b.address("u/c2"), port), (b.address("u/c2"), 0))
            time.sleep(0.1)
            client.sendall(b"still here")
            connection.settimeout(5)
            assert b"still here" == connection.recv(100)


def _out_of_window(source: str, to: str, port: int) -> bytes:
    from scapy.layers.inet import IP, TCP

    return bytes(IP(src=source, dst=to) / TCP(sport=80, dport=port, flags="A", seq=1, ack=1, window=10))


@row(41)
@pytest.mark.parametrize("distribution", ["PreferClose", "PreferSameZone", "PreferSameNode"])
def test_traffic_distribution(lab: Build, distribution: str) -> None:
    """Clients reach the endpoints of their own zone only; where it has none, they reach all.

    With PreferSameNode the endpoints of their node come first.
    """
    zones = {"n1": "a", "n2": "b", "n3": "c", "n4": "a"}
    nodes = [{"name": name, "labels": {"topology.kubernetes.io/zone": zone}} for name, zone in zones.items()]
    b = lab(
        service("u/s", "app=s", trafficDistribution=distribution),
        pod("u/p1", "app=s", "n1"),
        pod("u/p2", "app=s", "n2"),
        pod("u/c3", node="n3"),
        pod("u/c4", node="n4"),
        nodes=nodes,
    )
    b.serve(["u/p1", "u/p2"])
    found = {c: b.endpoints(c, b.cluster_ip("u/s")) for c in ("u/c1", "u/c2", "u/c3", "u/c4")}

    assert {"u/c1": {"u/p1"}, "u/c2": {"u/p2"}, "u/c3": {"u/p1", "u/p2"}, "u/c4": {"u/p1"}} == found


@row(42)
def test_external_policy_local_keeps_the_source(lab: Build) -> None:
    """Of an outside client, at a load balancer's address. With another type the health check port is closed."""
    b = lab(service("u/s", "app=s", type="LoadBalancer", externalTrafficPolicy="Local"), pod("u/p", "app=s"))
    b.serve(["u/p"])
    b.programs()
    b.ip("host:out", "route", "replace", b.balancer("u/s"), "via", b.address("node:n1"))
    port = b.service("u/s").health_check_node_port

    assert b.address("host:out") == b.ask("host:out", b.balancer("u/s")).seen
    assert (200, 1) == b.health("host:out", "node:n1", port)
    b.apply(service("u/s", "app=s"))
    assert 0 == b.service("u/s").health_check_node_port
    assert "refused" == b.health("host:out", "node:n1", port)


@row(43)
def test_external_policy_local_keeps_the_source_of_pods_at_a_node_port(lab: Build) -> None:
    """At the node of the endpoint."""
    b = lab(service("u/s", "app=s", type="NodePort", externalTrafficPolicy="Local"), pod("u/p", "app=s"))
    b.serve(["u/p"])

    assert b.address("u/c1") == b.ask("u/c1", b.address("node:n1"), b.node_port("u/s")).seen


@row(44)
def test_only_nodes_with_endpoints_answer_from_outside(lab: Build) -> None:
    """The node that answers follows the pod, and so does the one whose health check succeeds."""
    b = lab(service("u/s", "app=s", type="LoadBalancer", externalTrafficPolicy="Local"))
    b.programs()
    port = b.service("u/s").health_check_node_port
    for node in ("n1", "n2"):
        b.apply(pod(f"u/on-{node}", "app=s", node))
        b.serve([f"u/on-{node}"])
        found = {n: b.ask("host:out", b.address(f"node:{n}"), b.node_port("u/s")).how for n in ("n1", "n2")}
        assert {"n1": "silent", "n2": "silent", node: "answered"} == found
        healthy = {n: b.health("host:out", f"node:{n}", port) for n in ("n1", "n2")}
        assert {"n1": (503, 0), "n2": (503, 0), node: (200, 1)} == healthy
        b.stop(f"u/on-{node}")
        b.delete(f"Pod u/on-{node}")


@row(45)
def test_pods_reach_a_load_balancer_with_external_policy_local(lab: Build) -> None:
    """From every node, and the endpoint sees the pod's own address."""
    b = lab(service("u/s", "app=s", type="LoadBalancer", externalTrafficPolicy="Local"), pod("u/p", "app=s"))
    b.serve(["u/p"])

    assert [b.address(c) for c in CLIENTS] == [b.ask(c, b.balancer("u/s")).seen for c in CLIENTS]


@row(46)
def test_external_policy_changes_and_back(lab: Build) -> None:
    """At the nodePort of a node without an endpoint: dropped, then masqueraded, then dropped.

    With policy Cluster the health check port is closed.
    """
    local: dict[str, Any] = {"type": "LoadBalancer", "externalTrafficPolicy": "Local"}
    b = lab(service("u/s", "app=s", ("80@30100",), **local), pod("u/p", "app=s"))
    b.serve(["u/p"])
    b.programs()
    own, other = (b.address("node:n1"), 30100), (b.address("node:n2"), 30100)

    for _ in range(2):
        assert b.address("host:out") == b.ask("host:out", *own).seen
        assert "silent" == b.ask("host:out", *other).how
        port = b.service("u/s").health_check_node_port
        assert (503, 0) == b.health("host:out", "node:n2", port)
        b.apply(service("u/s", "app=s", ("80@30100",), type="LoadBalancer"))
        seen = b.ask("host:out", *other)
        assert "answered" == seen.how
        assert b.address("host:out") != seen.seen
        assert "refused" == b.health("host:out", "node:n2", port)
        b.apply(service("u/s", "app=s", ("80@30100",), **local))


@row(47)
def test_source_ranges_of_a_load_balancer(lab: Build) -> None:
    """Only the pod in the range, then only the other one, then both."""
    b = lab(service("u/s", "app=s", type="LoadBalancer"), pod("u/p", "app=s"))
    b.serve(["u/p"])
    to = b.balancer("u/s")

    for allowed in (("u/c1",), ("u/c2",), ()):
        ranges = [f"{b.address(c)}/32" for c in allowed]
        b.apply(service("u/s", "app=s", type="LoadBalancer", loadBalancerSourceRanges=ranges))
        found = {c: b.ask(c, to).how for c in CLIENTS}
        assert {c: "answered" if c in (allowed or CLIENTS) else "silent" for c in CLIENTS} == found


@row(48)
def test_one_host_port_by_address_and_protocol(lab: Build) -> None:
    """Three pods publish one port: on two addresses, and in another protocol."""

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
    """As API servers read it."""
    b = lab(service("u/s", "app=s", clusterIP="10.096.0.050"), pod("u/p", "app=s"))
    b.serve(["u/p"])

    assert "10.96.0.50" == b.cluster_ip("u/s")
    assert "answered" == b.ask("u/c2", "10.96.0.50").how


NAMES = "names/test_upstream.py"
ELSEWHERE = {
    30: "cluster/services/test_system.py: test_a_service_brings_dns_and_the_service_kubernetes",
    50: f"{NAMES}: test_50_dns_of_the_cluster",
    51: f"{NAMES}: test_51_partial_names",
    52: f"{NAMES}: test_52_hosts_file",
    53: f"{NAMES}: test_53_dns_of_services",
    54: f"{NAMES}: test_54_hostname_and_subdomain",
    55: f"{NAMES}: test_55_external_name",
    56: f"{NAMES}: test_56_dns_config",
    57: f"{NAMES}: test_57_own_server",
    58: f"{NAMES}: test_58_many_search_domains",
    59: "cluster/services/test_system.py: test_the_default_class_is_filled_in",
}
LEFT_OUT: dict[int, str] = {}


def test_every_row_is_a_test_or_has_a_reason() -> None:
    """All 59, each once."""
    assert list(range(1, 60)) == sorted([*ROWS, *ELSEWHERE, *LEFT_OUT])


@pytest.mark.parametrize("where", ELSEWHERE.values(), ids=map(str, ELSEWHERE))
def test_tests_elsewhere_exist(where: str) -> None:
    """The table names a file and a test in it."""
    file, test = where.split(": ")

    assert f"def {test}(" in (Path(__file__).parents[1] / file).read_text()
