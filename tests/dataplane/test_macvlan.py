"""Macvlan mode on the real kernel: pods are machines on the underlay, and no node or policy is on the path."""

from __future__ import annotations

import pytest
from builders import flow, peer, pod, policy, rule, topology, workload
from iproute2 import columns

TWO = topology(["a", "b"], mode="macvlan", hosts={"client": ["192.0.2.10"]})
PODS = (pod("x/a", node="a"), pod("x/near", node="a"), pod("x/b", node="b"))


def test_a_pods_interface_is_a_macvlan_link_of_its_nodes(lab, facts):
    """In mode bridge, with an address on the underlay's segment and no way by the node."""
    running = lab(TWO, *PODS)

    (link,) = facts(running, "x/a", "-d", "link", "show", "eth0")
    routes = facts(running, "x/a", "route")

    assert ("macvlan", "bridge") == (link["linkinfo"]["info_kind"], link["linkinfo"]["info_data"]["mode"])
    assert [
        ("10.244.0.0/16", "eth0", "kernel", "link", "10.244.0.2"),
        ("100.64.0.0/16", "eth0", "static", "link", None),
        ("192.0.2.10", "eth0", "static", "link", None),
    ] == columns(routes, "dst", "dev", "protocol", "scope", "prefsrc")
    assert not any("gateway" in route for route in routes)


@pytest.mark.parametrize(
    ("client", "address", "server", "seen"),
    [
        ("x/a", "10.244.0.3", "x/near", "10.244.0.2"),
        ("x/a", "10.244.1.2", "x/b", "10.244.0.2"),
        ("x/a", "192.0.2.10", "host:client", "10.244.0.2"),
        ("host:client", "10.244.0.2", "x/a", "192.0.2.10"),
        ("x/a", "100.64.0.2", "node:b", "10.244.0.2"),
        ("node:b", "10.244.0.2", "x/a", "100.64.0.2"),
    ],
    ids=["sibling", "pod on another node", "outside host", "from outside", "other node", "from other node"],
)
def test_the_server_sees_the_clients_own_address(lab, connection, client, address, server, seen):
    """No node is on the way, so nothing translates."""
    running = lab(TWO, *PODS)

    assert seen == connection(running, client, address, 80, server, 80)[0]


def test_a_node_and_its_own_pods_do_not_reach_one_another(lab, connection):
    """The driver gives frames to siblings and to the wire, never to its own node."""
    running = lab(TWO, *PODS)

    with pytest.raises(OSError, match=r"timed out|No route to host"):
        connection(running, "node:a", "10.244.0.2", 80, "x/a", 80, seconds=0.5)
    with pytest.raises(OSError, match=r"timed out|No route to host"):
        connection(running, "x/a", "100.64.0.1", 80, "node:a", 80, seconds=0.5)


def test_no_policy_is_enforced_and_none_is_expected_to_be(lab, disagreements):
    """Packets pass under every policy, and the evaluator agrees on every pair."""
    running = lab(
        TWO,
        workload("Deployment", "shop/db", 4, "app=db", ports=["sql=5432"]),
        policy("shop/none", "app=db", ingress=[], egress=[]),
        policy("shop/some", "", ingress=[rule(peer("app=web"), ports=["sql"])]),
    )

    (measured,) = running.probe([flow(running.cluster, "shop/db-0", "shop/db-1", "5432/TCP")])

    assert "allow" == measured.verdict
    assert [] == disagreements(running, nodes=True)


def test_macvlan_and_overlay_networks_do_not_reach_one_another(lab, disagreements):
    """Not even by a node that has both on its links."""
    networks = {"lan": ("macvlan", "10.1.0.0/16"), "tunnels": ("overlay", "10.2.0.0/16")}
    pods = [pod(f"{n}/{node}", network=n, node=node) for n in networks for node in "ab"]
    running = lab(topology(["a", "b"], networks, {"client": ["192.0.2.10"]}), *pods)

    assert [] == disagreements(running, nodes=True)
