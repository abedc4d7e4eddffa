"""Allowed flows as graphs."""

from __future__ import annotations

import subprocess
import sys

import pytest
from builders import cluster, flow, peer, pod, policy, rule, topology, workload

from netlab.cluster import Cluster
from netlab.policy.reachability import reachability, workload_reachability


@pytest.fixture
def shop() -> Cluster:
    """Return a lab where only the web pods may reach a database, on one port."""
    return cluster(
        topology(hosts={"client": ["192.0.2.1"]}),
        workload("Deployment", "shop/web", 2, "app=web", ports=["80"]),
        pod("shop/db", "app=db", ports=["5432", "9100"]),
        policy("shop/db", "app=db", ingress=[rule(peer("app=web"), ports=["5432"])], egress=[]),
    )


def test_edges_are_allowed_pairs(shop: Cluster) -> None:
    """Each pair with an allowed flow has an edge with the allowed ports."""
    graph = reachability(shop)

    assert {
        ("shop/web-0", "shop/db"): [(4, "TCP", 5432)],
        ("shop/web-1", "shop/db"): [(4, "TCP", 5432)],
        ("shop/web-0", "shop/web-1"): [(4, "TCP", 80)],
        ("shop/web-1", "shop/web-0"): [(4, "TCP", 80)],
        ("shop/web-0", "host:client"): [(4, "TCP", 80)],
        ("shop/web-1", "host:client"): [(4, "TCP", 80)],
    } == {(s, d): allowed for s, d, allowed in graph.edges(data="allowed")}


def test_nodes_have_kind_and_workload(shop: Cluster) -> None:
    """Every endpoint is a node of the graph."""
    graph = reachability(shop)

    assert {
        "host:client": ("host", "Host client"),
        "node:node-1": ("node", "Node node-1"),
        "shop/db": ("pod", "Pod shop/db"),
        "shop/web-0": ("pod", "Deployment shop/web"),
        "shop/web-1": ("pod", "Deployment shop/web"),
    } == {ref: (of["kind"], of["workload"]) for ref, of in graph.nodes(data=True)}


def test_questions_can_be_chosen(shop: Cluster) -> None:
    """Only the given flows count; a flow to an address without a machine is no edge."""
    graph = reachability(
        shop, [flow(shop, "shop/web-0", "shop/db", "9100/TCP"), flow(shop, "shop/web-0", "203.0.113.1")]
    )

    assert [] == list(graph.edges)


def test_by_workload(shop: Cluster) -> None:
    """Two workloads have an edge if some of their pods have one, with the numbers of allowed flows and of all flows."""
    graph = workload_reachability(shop)

    assert {
        ("Deployment shop/web", "Pod shop/db"): (2, 4),
        ("Deployment shop/web", "Deployment shop/web"): (2, 2),
        ("Deployment shop/web", "Host client"): (2, 2),
    } == {(s, d): (of["allowed"], of["asked"]) for s, d, of in graph.edges(data=True)}
    assert {"Deployment shop/web", "Pod shop/db", "Host client", "Node node-1"} == set(graph.nodes)


def test_networkx_is_loaded_on_demand() -> None:
    """Importing the room does not load networkx: commands that draw no graph start without it."""
    code = "import sys, netlab.policy; print('networkx' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "False" == done.stdout.strip()
