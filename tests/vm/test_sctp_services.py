"""Services of SCTP with real associations. Elsewhere probes show them, as few development kernels have SCTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from services.bench import Bench
from services.objects import pod, service, topology

from netlab.conformance.shorthand import policy
from netlab.objects.types import Document

Build = Callable[..., Bench]
MODES = ["overlay", "routed"]
SERVERS = {"s/p0", "s/p1", "s/p2"}


@pytest.fixture
def lab(build: Build, unique: Callable[[str], str]) -> Build:
    """Build a lab of two nodes, a client pod, three servers of SCTP, and a Service of them."""

    def make(*documents: Document, mode: str = "overlay", **spec: Any) -> Bench:
        servers = [pod(ref, "app=s", f"n{1 + i % 2}") for i, ref in enumerate(sorted(SERVERS))]
        own = service("s/s", "app=s", ("80:8080/SCTP",), dual=True, type="LoadBalancer", **spec)
        made = build(topology(unique("sctp"), mode, (4, 6)), pod("s/client"), *servers, own, *documents)
        made.serve(sorted(SERVERS), 8080, "SCTP", (4, 6))
        return made

    return make


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("family", [4, 6])
def test_each_endpoint_takes_associations(lab: Build, mode: str, family: int) -> None:
    """By the ClusterIP, a nodePort and the load balancer's address; a port without a Service is none."""
    b = lab(mode=mode)

    assert SERVERS == b.endpoints("s/client", b.cluster_ip("s/s", family), 80, "SCTP")
    at_node = b.address("node:n1", family), b.node_port("s/s", 80, "SCTP")
    assert SERVERS == b.endpoints("host:out", *at_node, "SCTP")
    assert SERVERS == b.endpoints("host:out", b.balancer("s/s", family), 80, "SCTP")
    assert "answered" != b.ask("s/client", b.cluster_ip("s/s", family), 81, "SCTP").how


@pytest.mark.parametrize("family", [4, 6])
def test_policy_sees_the_endpoints_port(lab: Build, family: int) -> None:
    """A rule with the port of the pods allows what one with the Service's port does not."""
    b = lab(policy("s/own", "app=s", ingress=[{"ports": [{"port": 80, "protocol": "SCTP"}]}]))
    to = b.cluster_ip("s/s", family)
    assert {"silent"} == b.endpoints("s/client", to, 80, "SCTP")

    b.apply(policy("s/own", "app=s", ingress=[{"ports": [{"port": 8080, "protocol": "SCTP"}]}]))
    assert SERVERS == b.endpoints("s/client", to, 80, "SCTP")


def test_a_client_stays_with_its_endpoint(lab: Build) -> None:
    """With session affinity, until the endpoint leaves."""
    b = lab(sessionAffinity="ClientIP")
    to = b.cluster_ip("s/s")
    (first,) = b.endpoints("s/client", to, 80, "SCTP")
    assert first in SERVERS

    b.stop(first)
    b.delete(f"Pod {first}")
    (second,) = b.endpoints("s/client", to, 80, "SCTP")
    assert second in SERVERS - {first}


def test_a_source_port_that_is_used_again_reaches_an_endpoint_that_is_left(lab: Build) -> None:
    """The entry of the first association is deleted with its endpoint."""
    b = lab()
    to = b.cluster_ip("s/s")
    first = b.ask("s/client", to, 80, "SCTP", own=4444).endpoint
    assert first in SERVERS

    b.stop(first)
    b.delete(f"Pod {first}")
    assert b.ask("s/client", to, 80, "SCTP", own=4444).endpoint in SERVERS - {first}
