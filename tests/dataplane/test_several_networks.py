"""Several networks in one lab: pods reach their own network and no other."""

from __future__ import annotations

import socket

import pytest
from builders import pod, topology

FOUR = {
    "front": ("bridge", "10.1.0.0/16"),
    "back": ("bridge", "10.2.0.0/16"),
    "tunnels": ("overlay", "10.3.0.0/16"),
    "routes": ("routed", "10.4.0.0/16"),
}
PODS = [
    pod(f"{network}/{name}", network=network, node=node)
    for network in FOUR
    for name, node in (("one", "a"), ("two", "a"), ("far", "b"))
]


def test_pods_reach_their_own_network_and_no_other(lab, disagreements):
    """On one node and between nodes, for every pair of four networks of three modes."""
    running = lab(topology(["a", "b"], FOUR, {"client": ["192.0.2.10"]}), *PODS)

    assert [] == disagreements(running, nodes=True)


@pytest.mark.parametrize("other", ["back", "tunnels", "routes"])
def test_not_even_protocols_without_policies_pass(lab, inside, other):
    """The node drops packets between networks before it looks at their connection."""
    running = lab(topology(["a", "b"], FOUR), *PODS)
    far = str(running.cluster.by_ref[f"{other}/two"].addresses[0])
    with inside(running, f"{other}/two"):
        capture = socket.socket(socket.AF_INET, socket.SOCK_RAW, 253)
    with inside(running, "front/one"):
        stranger = socket.socket(socket.AF_INET, socket.SOCK_RAW, 253)
    with inside(running, f"{other}/one"):
        friend = socket.socket(socket.AF_INET, socket.SOCK_RAW, 253)
    with capture, stranger, friend:
        capture.settimeout(5)
        stranger.sendto(b"stranger", (far, 0))
        friend.sendto(b"friend", (far, 0))
        first = capture.recv(100)

    assert b"friend" == first[20:]


def test_two_overlays_have_their_own_identifiers(lab, facts):
    """One VXLAN device for each network on every node, with different VNIs and one port."""
    networks = {"red": ("overlay", "10.1.0.0/16"), "blue": ("overlay", "10.2.0.0/16")}
    running = lab(topology(["a", "b"], networks), pod("x/a", network="red", node="a"))

    links = facts(running, "node:a", "-d", "link", "show", "type", "vxlan")

    assert {"vxlan.1": 1, "vxlan.2": 2} == {link["ifname"]: link["linkinfo"]["info_data"]["id"] for link in links}
