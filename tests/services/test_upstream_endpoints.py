"""Kubernetes' end-to-end tests of Services, with real packets.

Rows about endpoints: which pods and addresses are behind a Service.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
from services.bench import Bench
from services.objects import exported, pod, service
from services.upstream_rows import CLIENTS, INSIDE, row

from netlab.conformance.shorthand import document

pytestmark = pytest.mark.kernel

Build = Callable[..., Bench]


@row(1)
def test_endpoints_come_and_go_with_pods(lab: Build) -> None:
    """A pod of the selector is an endpoint as long as it exists."""
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
    """Each port leads to the pod that has a container port of the target's name."""
    b = lab(
        service("u/s", "app=s", ("a=80:svc1", "b=81:svc2")),
        pod("u/p1", "app=s", "n1", ["svc1=100"]),
        pod("u/p2", "app=s", "n2", ["svc2=101"]),
    )
    b.serve(["u/p1"], 100)
    b.serve(["u/p2"], 101)
    to = b.cluster_ip("u/s")

    assert ({"u/p1"}, {"u/p2"}) == (b.endpoints("u/c1", to, 80), b.endpoints("u/c1", to, 81))


@row(4)
def test_a_server_sees_the_address_of_the_client_pod(lab: Build) -> None:
    """The node that translates a ClusterIP does not masquerade pods, on the endpoint's node or on another."""
    b = lab(service("u/s", "app=s"), pod("u/p", "app=s"))
    b.serve(["u/p"])

    assert [b.address(c) for c in CLIENTS] == [b.ask(c, b.cluster_ip("u/s")).seen for c in CLIENTS]


@row(5)
@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("mode", ["overlay", "routed", "bridge"])
def test_a_pod_reaches_itself_through_its_service(lab: Build, mode: str, family: int) -> None:
    """The client is the only endpoint."""
    b = lab(service("u/s", "app=s", dual=True), pod("u/p", "app=s"), mode=mode, families=(4, 6))
    b.serve(["u/p"], families=(4, 6))

    assert {"u/p"} == b.endpoints("u/p", b.cluster_ip("u/s", family))


@row(13)
def test_unready_pods_are_reached_if_the_service_publishes_them(lab: Build) -> None:
    """With publishNotReadyAddresses a pod is reached, also while it terminates."""
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
def test_a_terminating_unready_pod_is_reached_only_if_it_is_published(lab: Build, publish: bool) -> None:
    """This holds for the ClusterIP and for the nodePorts of both nodes."""
    b = lab(
        service("u/s", "app=s", type="NodePort", publishNotReadyAddresses=publish),
        exported("u/p", "app=s", ready=False, terminating=True),
    )
    b.serve(["u/p"])
    frontends = [(b.cluster_ip("u/s"), 80)] + [(b.address(n), b.node_port("u/s")) for n in ("node:n1", "node:n2")]

    assert {"answered" if publish else "refused"} == {
        b.ask(c, *frontend).how for c in CLIENTS for frontend in frontends
    }


@row(20)
def test_evicted_pods_are_no_endpoints(lab: Build) -> None:
    """This holds with publishNotReadyAddresses too."""
    evicted = pod("u/p", "app=s", status={"phase": "Failed"})
    b = lab(service("u/s", "app=s", publishNotReadyAddresses=True), evicted)

    assert {"refused"} == {b.ask(c, b.cluster_ip("u/s")).how for c in CLIENTS}


@row(31)
def test_endpoints_of_a_service_without_a_selector(lab: Build) -> None:
    """The endpoints are those of its Endpoints object, also after the object is replaced."""
    b = lab(service("u/s"), pod("u/p1"), pod("u/p2", node="n2"))
    b.serve(["u/p1"], 80)
    b.serve(["u/p2"], 8080)
    to = b.cluster_ip("u/s")
    assert {"refused"} == b.endpoints("u/c1", to)

    for ref, port in (("u/p1", 80), ("u/p2", 8080)):
        subset = {"addresses": [{"ip": b.address(ref)}], "ports": [{"port": port}]}
        b.apply(document("Endpoints", "u/s", subsets=[subset]))
        assert {ref} == b.endpoints("u/c1", to)


@row(33, 37)
@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("protocol", ["TCP", "UDP"])
def test_every_endpoint_is_reached(lab: Build, protocol: str, family: int) -> None:
    """Pods, nodes and host-network pods reach each endpoint by ClusterIP and by every nodePort, in both families."""
    b = lab(
        service("u/s", "app=s", (f"80:8080/{protocol}",), dual=True, type="NodePort"),
        pod("u/p1", "app=s", "n1"),
        pod("u/p2", "app=s", "n2"),
        pod("u/h1", host=True),
        families=(4, 6),
    )
    b.serve(["u/p1", "u/p2"], 8080, protocol, (4, 6))
    frontends = [(b.address(node, family), b.node_port("u/s", 80, protocol)) for node in ("node:n1", "node:n2")]

    for client, frontend in itertools.product(
        (*INSIDE, "u/h1", "u/p1"), [(b.cluster_ip("u/s", family), 80), *frontends]
    ):
        assert {"u/p1", "u/p2"} == b.endpoints(client, *frontend, protocol), (client, frontend)


@row(34)
def test_two_services_with_one_selector(lab: Build) -> None:
    """After the deletion of the first Service the second one still answers."""
    b = lab(service("u/s1", "app=s"), service("u/s2", "app=s"), pod("u/p", "app=s"))
    b.serve(["u/p"])
    b.delete("Service u/s1")

    assert {"u/p"} == b.endpoints("u/c2", b.cluster_ip("u/s2"))


@row(35, 37)
@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("protocol", ["TCP", "UDP"])
def test_a_deleted_endpoint_loses_no_connection(lab: Build, protocol: str, family: int) -> None:
    """After the deletion of an endpoint all connections reach the other endpoints."""
    pods = [pod(f"u/p{i}", "app=s", f"n{1 + i % 2}") for i in range(3)]
    b = lab(service("u/s", "app=s", (f"80/{protocol}",), dual=True), *pods, families=(4, 6))
    b.serve(["u/p0", "u/p1", "u/p2"], 80, protocol, (4, 6))
    to = b.cluster_ip("u/s", family)
    assert {"u/p0", "u/p1", "u/p2"} == b.endpoints("u/c1", to, 80, protocol, tries=60)

    b.stop("u/p0")
    b.delete("Pod u/p0")
    assert {"u/p1", "u/p2"} == b.endpoints("u/c1", to, 80, protocol, tries=60)


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
