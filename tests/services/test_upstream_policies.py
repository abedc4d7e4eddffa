"""Kubernetes' end-to-end tests of Services, with real packets.

Rows about traffic policies, source ranges, and endpoints that terminate.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from services.bench import Bench
from services.objects import exported, pod, service
from services.upstream_rows import CLIENTS, row

pytestmark = pytest.mark.kernel

Build = Callable[..., Bench]


def _terminating(lab: Build, **spec: Any) -> Bench:
    """Return a lab with a Service whose only endpoint, on n1, serves while it terminates."""
    b = lab(
        service("u/s", "app=s", ("80:8081",), **spec),
        exported("u/p", "app=s", terminating=True),
        pod("u/h1", host=True),
        pod("u/h2", node="n2", host=True),
    )
    b.serve(["u/p"], 8081)
    return b


@row(21)
@pytest.mark.parametrize("host", [False, True])
def test_internal_traffic_policy_local(lab: Build, host: bool) -> None:
    """A node without an endpoint drops the packets of its clients."""
    b = lab(
        service("u/s", "app=s", ("80:8081",), internalTrafficPolicy="Local"),
        pod("u/p", "app=s", host=host),
        pod("u/h1", host=True),
        pod("u/h2", node="n2", host=True),
    )
    b.serve(["u/p"], 8081)
    found = {c: b.ask(c, b.cluster_ip("u/s")).how for c in ("u/c1", "u/h1", "u/c2", "u/h2")}

    assert {"u/c1": "answered", "u/h1": "answered", "u/c2": "silent", "u/h2": "silent"} == found


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
    """Clients on both nodes reach it."""
    b = _terminating(lab)

    assert {"answered"} == {b.ask(c, b.cluster_ip("u/s")).how for c in (*CLIENTS, "u/h1", "u/h2")}


@row(24)
def test_a_terminating_endpoint_serves_its_node_with_internal_policy_local(lab: Build) -> None:
    """Only clients on its own node reach it."""
    b = _terminating(lab, internalTrafficPolicy="Local")
    found = {c: b.ask(c, b.cluster_ip("u/s")).how for c in (*CLIENTS, "u/h1", "u/h2")}

    assert {"u/c1": "answered", "u/h1": "answered", "u/c2": "silent", "u/h2": "silent"} == found


@row(25)
def test_a_terminating_endpoint_serves_with_external_policy_cluster(lab: Build) -> None:
    """Clients on both nodes and outside hosts reach it by the nodePort of its node."""
    b = _terminating(lab, type="NodePort")
    frontend = (b.address("node:n1"), b.node_port("u/s"))

    assert {"answered"} == {b.ask(c, *frontend).how for c in (*CLIENTS, "u/h1", "u/h2", "host:out")}


@row(26)
def test_a_terminating_endpoint_serves_its_node_with_external_policy_local(lab: Build) -> None:
    """All clients reach it by the nodePort of its node. An outside host does not by that of another node."""
    b = _terminating(lab, type="NodePort", externalTrafficPolicy="Local")
    port = b.node_port("u/s")

    assert {"answered"} == {b.ask(c, b.address("node:n1"), port).how for c in (*CLIENTS, "host:out")}
    assert "answered" != b.ask("u/c1", b.address("node:n2"), port).how
    assert "silent" == b.ask("host:out", b.address("node:n2"), port).how


@row(42)
def test_external_policy_local_keeps_the_source(lab: Build) -> None:
    """The endpoint sees the address of an outside host that uses a load balancer's address.

    With another type the health check port is closed.
    """
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
    """At the endpoint's node, the endpoint sees the pod's own address."""
    b = lab(service("u/s", "app=s", type="NodePort", externalTrafficPolicy="Local"), pod("u/p", "app=s"))
    b.serve(["u/p"])

    assert b.address("u/c1") == b.ask("u/c1", b.address("node:n1"), b.node_port("u/s")).seen


@row(44)
def test_with_external_policy_local_only_nodes_with_endpoints_answer_outside_hosts(lab: Build) -> None:
    """The node that answers follows the pod, and so does the node whose health check succeeds."""
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
    """They do so on every node, and the endpoint sees the pod's own address."""
    b = lab(service("u/s", "app=s", type="LoadBalancer", externalTrafficPolicy="Local"), pod("u/p", "app=s"))
    b.serve(["u/p"])

    assert [b.address(c) for c in CLIENTS] == [b.ask(c, b.balancer("u/s")).seen for c in CLIENTS]


@row(46)
def test_a_change_of_the_external_policy_is_in_force(lab: Build) -> None:
    """With Local a node without an endpoint drops an outside host's packets. With Cluster it masquerades them.

    With Cluster the health check port is closed.
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
    """A pod outside of loadBalancerSourceRanges is dropped. Without ranges no pod is."""
    b = lab(service("u/s", "app=s", type="LoadBalancer"), pod("u/p", "app=s"))
    b.serve(["u/p"])
    to = b.balancer("u/s")

    for allowed in (("u/c1",), ("u/c2",), ()):
        ranges = [f"{b.address(c)}/32" for c in allowed]
        b.apply(service("u/s", "app=s", type="LoadBalancer", loadBalancerSourceRanges=ranges))
        found = {c: b.ask(c, to).how for c in CLIENTS}
        assert {c: "answered" if c in (allowed or CLIENTS) else "silent" for c in CLIENTS} == found
