"""Between which endpoints controls prove that an endpoint carries traffic."""

from __future__ import annotations

import pytest
from builders import cluster, pod, topology

from netlab.probe import control


@pytest.mark.parametrize(
    ("ref", "expected"),
    [
        ("x/a", "node:n2"),
        ("x/onhost", "node:n2"),
        ("node:n1", "node:n2"),
        ("node:n2", "node:n1"),
        ("host:client", "node:n1"),
    ],
)
def test_a_peer_is_always_joined_with_its_endpoint(ref, expected):
    """A pod's own node; for a machine on the underlay any other such machine."""
    built = cluster(
        topology(["n1", "n2"], hosts={"client": ["192.0.2.10"]}),
        pod("x/a", node="n2"),
        pod("x/onhost", node="n1", host=True),
    )
    found = control.peer(built, built.by_ref[ref], 4)

    assert found is not None
    assert expected == found.ref


def test_a_lone_node_has_no_peer():
    """No other machine is on the underlay."""
    built = cluster(pod("x/a"))

    assert control.peer(built, built.by_ref["node:node-1"], 4) is None


def test_a_macvlan_pod_beside_a_lone_node_has_another_of_its_network():
    """Its own node does not reach it, nor does a pod of another network; alone it has nobody."""
    lone = topology(["n1"], {"default": ("macvlan", "10.244.0.0/16"), "other": ("bridge", "10.245.0.0/16")})
    stranger, first, second = pod("x/s", network="other"), pod("x/a"), pod("x/b")
    alone, two = cluster(lone, stranger, first), cluster(lone, stranger, first, second)
    found = control.peer(two, two.by_ref["x/a"], 4)

    assert control.peer(alone, alone.by_ref["x/a"], 4) is None
    assert found is not None
    assert "x/b" == found.ref
    assert control.peer(two, two.by_ref["node:n1"], 4) is None
