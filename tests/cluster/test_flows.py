"""The flows of "every pair"."""

from __future__ import annotations

import pytest
from builders import cluster, pod, topology

from netlab.cluster import Cluster
from netlab.cluster.flows import declared_ports, every_pair


@pytest.fixture
def lab() -> Cluster:
    """Two pods and two outside hosts on a dual-stack network; one of the hosts has IPv4 only."""
    return cluster(
        topology(
            ["n1"],
            mode="routed",
            cidrs=["10.244.0.0/16", "fd00:10:244::/56"],
            hosts={"both": ["192.0.2.1", "2001:db8::1"], "four": ["192.0.2.2"]},
        ),
        pod("x/a", ports=["web=80", "53/UDP", "admin=80"]),
        pod("x/b"),
    )


def test_every_pair(lab: Cluster) -> None:
    """All pairs of pods and hosts, without pairs of two hosts and of an endpoint with itself."""
    pairs = {(flow.source.ref, flow.target) for flow in every_pair(lab)}
    ends = ["x/a", "x/b", "host:both", "host:four"]

    assert {(s, d) for s in ends for d in ends if s != d and not (s[0] == d[0] == "h")} == pairs


def test_nodes_on_demand(lab: Cluster) -> None:
    """With nodes, the node is a source and a destination too."""
    pairs = {(flow.source.ref, flow.target) for flow in every_pair(lab, nodes=True)}

    assert {("node:n1", "x/a"), ("x/a", "node:n1"), ("node:n1", "host:both")} <= pairs


def test_self_pairs_on_demand(lab: Cluster) -> None:
    """With self pairs, there are flows from a pod to itself."""
    pairs = {(flow.source.ref, flow.target) for flow in every_pair(lab, self_pairs=True)}

    assert ("x/a", "x/a") in pairs


def test_declared_ports_once_each(lab: Cluster) -> None:
    """A pod's declared ports, each once, in order."""
    assert [("TCP", 80), ("UDP", 53)] == declared_ports(lab.by_ref["x/a"])


def test_no_declared_port_is_tcp_80(lab: Cluster) -> None:
    """An endpoint without declared ports has TCP 80."""
    assert [("TCP", 80)] == declared_ports(lab.by_ref["x/b"]) == declared_ports(lab.by_ref["host:four"])


def test_ports_replace_declared_ones(lab: Cluster) -> None:
    """Given ports replace the declared ports of every destination."""
    asked = {(flow.protocol, flow.port) for flow in every_pair(lab, [("TCP", 8080), ("ICMP", None)])}

    assert {("TCP", 8080), ("ICMP", None)} == asked


def test_families(lab: Cluster) -> None:
    """Every pair has flows in each family of the lab, a host only in families that it has addresses of."""
    asked = {(flow.source.ref, flow.target, flow.family) for flow in every_pair(lab)}

    assert {4, 6} == {family for s, d, family in asked if (s, d) == ("x/a", "x/b")}
    assert {4} == {family for s, d, family in asked if "host:four" in (s, d)}


def test_families_narrow(lab: Cluster) -> None:
    """Flows of one family only."""
    assert {6} == {flow.family for flow in every_pair(lab, families=[6])}


def test_a_pod_without_address_is_asked() -> None:
    """A pod in mode none has flows too. Their verdict is deny."""
    of = cluster(pod("x/a"), pod("x/lo", network="none"))

    assert [("x/a", "x/lo"), ("x/lo", "x/a")] == [(flow.source.ref, flow.target) for flow in every_pair(of)]
