"""Pods and nodes with the addresses that a cluster gave them: packets and policy agree."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from builders import node, peer, pod, policy, rule, topology, workload

from netlab.objects.topology import Topology, TopologyHost

HOSTS = (TopologyHost("client", tuple(map(ip_address, ("192.0.2.10", "2001:db8::10")))),)
POLICIES = [
    policy(
        "x/in", "app=a", ingress=[rule(peer(cidr="10.0.1.0/24", but=["10.0.1.73/32"])), rule(peer(cidr="fd00::/16"))]
    ),
    policy("x/out", "app=b", egress=[rule(peer(cidr="10.0.1.11/32")), rule(peer("app=a"))]),
]


def blocks(mode: str) -> list[object]:
    """Pods of two nodes in blocks that have nothing to do with the nodes' own, as Calico gives them."""
    return [
        topology(mode=mode, cidrs=["10.0.0.0/16", "fd00:10::/56"], hosts={"client": ["192.0.2.10", "2001:db8::10"]}),
        node("n1", pod_cidrs=["10.0.0.0/24"]),
        node("n2", pod_cidrs=["10.0.1.0/24"]),
        pod("x/a1", "app=a", node="n1", addresses=["10.0.1.64", "fd00:10::1:40"]),
        pod("x/a2", "app=a", node="n2", addresses=["10.0.1.73", "fd00:10::2:40"], ports=["8080:80"]),
        pod("x/b1", "app=b", node="n1", addresses=["10.0.0.1", "fd00:10::1:41"], ports=["8080:80"]),
        pod("x/b2", "app=b", node="n2", addresses=["10.0.200.255", "fd00:10::1:42"]),
        workload("Deployment", "x/new", 4, "app=b"),
    ]


@pytest.mark.parametrize("mode", ["overlay", "routed"])
def test_addresses_of_no_nodes_prefix(lab, disagreements, mode):
    """Every pod keeps its address, and packets agree with the policies on every pair."""
    running = lab(*blocks(mode), *POLICIES)
    found = {p.ref: [str(a) for a in p.addresses] for p in running.cluster.pods if "new" not in p.ref}

    assert {
        "x/a1": ["10.0.1.64", "fd00:10::1:40"],
        "x/a2": ["10.0.1.73", "fd00:10::2:40"],
        "x/b1": ["10.0.0.1", "fd00:10::1:41"],
        "x/b2": ["10.0.200.255", "fd00:10::1:42"],
    } == found
    assert [] == disagreements(running, nodes=True, ports=[("TCP", 80), ("TCP", 8080)])
    assert [] == running.drift()


@pytest.mark.parametrize("mode", ["", "routed"])
def test_a_clouds_pods_have_addresses_of_its_nodes_network(lab, disagreements, mode):
    """As with the VPC CNI: no address changes, and a masqueraded pod reaches nodes with its own node's address."""
    shape = topology(mode=mode, hosts={"client": ["192.0.2.10"]}) if mode else Topology(hosts=HOSTS)
    if mode:
        networks = (shape.networks[0].__class__("default", "routed", unwritten=frozenset({"podCIDRs"})),)
        shape = Topology(networks=networks, hosts=HOSTS)
    running = lab(
        shape,
        node("n1", addresses=["10.0.1.11"]),
        node("n2", addresses=["10.0.2.12"]),
        pod("x/a1", "app=a", node="n1", addresses=["10.0.1.50"]),
        pod("x/a2", "app=a", node="n2", addresses=["10.0.1.73"], ports=["8080:80"]),
        pod("x/b1", "app=b", node="n1", addresses=["10.0.2.60"], ports=["8080:80"]),
        pod("x/sys", node="n2", host=True, addresses=["10.0.2.12"]),
        workload("Deployment", "x/new", 3, "app=b"),
        *POLICIES,
    )

    assert ["10.0.1.11", "10.0.2.12"] == [str(n.addresses[0]) for n in running.cluster.nodes]
    assert ["10.0.1.50", "10.0.1.73", "10.0.2.60"] == [
        str(running.cluster.by_ref[ref].addresses[0]) for ref in ("x/a1", "x/a2", "x/b1")
    ]
    assert [] == disagreements(running, nodes=True, ports=[("TCP", 80), ("TCP", 8080)])
    assert [] == running.drift()
