"""Terminating endpoints and source ranges, by packets, as in kube-proxy's own tests (nftables/proxier_test.go)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from services.bench import Bench
from services.objects import exported, pod, service, topology

pytestmark = pytest.mark.kernel

Build = Callable[..., Bench]
READY: dict[str, bool] = {}
SERVING = {"terminating": True}
NOT_SERVING = {"ready": False, "terminating": True}
LOCAL = ("s/local-0", "s/local-1")
# The states of two endpoints on the node that translates and of one on another node, and the endpoints that answer: at
# the ClusterIP, and from outside with external policy Local and with policy Cluster.
STATES: dict[str, tuple[tuple[Any, Any, Any], set[str], set[str], set[str]]] = {
    "all are ready": ((READY, READY, READY), {*LOCAL, "s/remote"}, {*LOCAL}, {*LOCAL, "s/remote"}),
    "the local ones serve and end": ((SERVING, SERVING, READY), {"s/remote"}, {*LOCAL}, {"s/remote"}),
    "only a remote one serves, and ends": (
        (NOT_SERVING, NOT_SERVING, SERVING),
        {"s/remote"},
        {"silent"},
        {"s/remote"},
    ),
    "none serves": ((NOT_SERVING,) * 3, {"refused"}, {"refused"}, {"refused"}),
}


@pytest.mark.parametrize("mode", ["overlay", "routed"])
@pytest.mark.parametrize(("states", "inside", "local", "cluster"), STATES.values(), ids=STATES)
def test_endpoints_that_end(
    build: Build,
    unique: Callable[[str], str],
    mode: str,
    states: tuple[Any, Any, Any],
    inside: set[str],
    local: set[str],
    cluster: set[str],
) -> None:
    """Ready ones are used; without one, those that still serve. Each list is judged by itself, in both families."""
    names = dict(zip((*LOCAL, "s/remote"), ("n1", "n1", "n2"), strict=True))
    b = build(
        topology(unique("ending"), mode, (4, 6)),
        pod("s/client", node="n1"),
        *(exported(ref, "app=s", node, **state) for (ref, node), state in zip(names.items(), states, strict=True)),
        service("s/local", "app=s", dual=True, type="LoadBalancer", externalTrafficPolicy="Local"),
        service("s/cluster", "app=s", dual=True, type="LoadBalancer"),
    )
    b.serve(names, families=(4, 6))
    ports = [b.node_port(f"s/{name}") for name in ("local", "cluster")]
    for family in (4, 6):
        node = b.address("node:n1", family)
        balancers = [b.balancer(f"s/{name}", family) for name in ("local", "cluster")]
        for to in balancers:
            b.ip("host:out", f"-{family}", "route", "replace", to, "via", node)
        own = [b.cluster_ip(f"s/{name}", family) for name in ("local", "cluster")]

        assert [inside, inside] == [b.endpoints("s/client", to) for to in own]
        assert [local, cluster] == [b.endpoints("host:out", to) for to in balancers]
        assert [local, cluster] == [b.endpoints("host:out", node, port) for port in ports]


RANGES = {4: ["192.168.0.0/24", "203.0.113.0/25"], 6: ["fd00:192:168::/64", "2001:db8:203::/112"]}
HOSTS = {"listed": ["203.0.113.10", "2001:db8:203::10"], "other": ["192.0.2.10", "2001:db8::10"]}


@pytest.mark.parametrize("mode", ["overlay", "routed"])
def test_source_ranges(build: Build, unique: Callable[[str], str], mode: str) -> None:
    """Of the load balancer's address only: pods and other clients are dropped there, and reach the nodePort."""
    hosts = [{"name": name, "addresses": addresses} for name, addresses in HOSTS.items()]
    b = build(
        topology(unique("ranges"), mode, (4, 6), hosts=hosts),
        pod("s/client", node="n1"),
        pod("s/local", "app=s", "n1"),
        pod("s/remote", "app=s", "n2"),
    )

    def allow(*ranges: str) -> None:
        spec: dict[str, Any] = {"type": "LoadBalancer", "loadBalancerSourceRanges": list(ranges)}
        b.apply(service("s/s", "app=s", dual=True, **spec))

    allow(*RANGES[4], *RANGES[6])
    b.serve(["s/local", "s/remote"], families=(4, 6))
    both = {"s/local", "s/remote"}
    for family in (4, 6):
        to, node = b.balancer("s/s", family), b.address("node:n1", family)
        for host in HOSTS:
            b.ip(f"host:{host}", f"-{family}", "route", "replace", to, "via", node)

        assert {"silent"} == b.endpoints("s/client", to)
        assert {"silent"} == b.endpoints("host:other", to)
        assert {"silent"} == b.endpoints("node:n1", to)
        listed = b.answers("host:listed", to)
        assert both == {one.endpoint for one in listed}
        assert {one.seen for one in listed} <= b.own_addresses("node:n1")
        assert both == b.endpoints("host:other", node, b.node_port("s/s"))
        assert both == b.endpoints("s/client", b.cluster_ip("s/s", family))

    # A node whose address a range holds may connect.
    own = [f"{b.address('node:n1', 4)}/32", f"{b.address('node:n1', 6)}/128"]
    allow(*RANGES[4], *RANGES[6], *own)
    for family in (4, 6):
        assert both == b.endpoints("node:n1", b.balancer("s/s", family))
        assert {"silent"} == b.endpoints("s/client", b.balancer("s/s", family))


@pytest.mark.parametrize("family", [4, 6])
def test_a_node_port_is_at_the_first_address_of_a_node(build: Build, unique: Callable[[str], str], family: int) -> None:
    """Another address of the node does not take it (``--nodeport-addresses primary``)."""
    b = build(
        topology(unique("second"), "overlay", (4, 6)),
        pod("s/p", "app=s", "n2"),
        service("s/s", "app=s", dual=True, type="NodePort"),
    )
    b.serve(["s/p"], families=(family,))
    second = "100.64.77.7/32" if family == 4 else "fd00:100:64::77:7/128"
    b.ip("node:n1", "address", "add", second, "dev", "lo")
    node = b.address("node:n1", family)
    b.ip("host:out", f"-{family}", "route", "replace", second, "via", node)

    assert "answered" == b.ask("host:out", node, b.node_port("s/s")).how
    assert "refused" == b.ask("host:out", second.split("/")[0], b.node_port("s/s")).how
