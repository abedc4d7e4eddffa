"""Nodes and outside hosts, and their addresses."""

from __future__ import annotations

import pytest
from builders import cluster, node, pod, source, topology, workload

from netlab.cluster import Cluster
from netlab.errors import InputError


def underlay(of: Cluster) -> dict[str, list[str]]:
    return {n.name: [str(a) for a in n.addresses] for n in of.nodes}


def test_no_node_at_all() -> None:
    """If the input has no nodes, the node is node-1."""
    assert {"node-1": ["100.64.0.1"]} == underlay(cluster())


def test_node_objects_alone() -> None:
    """If the Topology has no nodes, the Node objects are the nodes."""
    assert ["a", "b"] == [n.name for n in cluster(topology(), node("b"), node("a")).nodes]


def test_node_objects_add_to_the_topology() -> None:
    """A Node object adds labels to the Topology's node of its name, or else is a new node."""
    of = cluster(topology(["a"]), node("a", "zone=1"), node("b"))

    assert ["a", "b"] == [n.name for n in of.nodes]
    assert "1" == of.node("a").labels["zone"]


def test_labels_of_every_node() -> None:
    """A node has the labels that every kubelet sets unless it states others."""
    of = cluster(node("a"), node("b", "kubernetes.io/hostname=b.example,kubernetes.io/arch=arm64"))

    assert [
        {"kubernetes.io/hostname": "a", "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"},
        {"kubernetes.io/hostname": "b.example", "kubernetes.io/os": "linux", "kubernetes.io/arch": "arm64"},
    ] == [n.labels for n in of.nodes]


def test_node_names_of_pods_are_the_nodes_where_none_is_stated() -> None:
    """The nodeNames of pods, finished ones too, and of workloads, sorted."""
    of = cluster(
        topology(),
        pod("x/a", node="w-2"),
        pod("x/b", node="w-1", phase="Succeeded"),
        workload("Deployment", "x/w", 1, node="w-3"),
        pod("x/c"),
    )

    assert ["w-1", "w-2", "w-3"] == [n.name for n in of.nodes]
    assert {"w-1", "w-2", "w-3"} == {p.node for p in of.pods}


def test_node_names_add_nothing_to_stated_nodes() -> None:
    """An unknown nodeName is an error then."""
    with pytest.raises(InputError, match="no node 'w' in the lab, which has a"):
        cluster(node("a"), pod("x/a", node="w", phase="Running"))


def test_underlay_addresses_in_order() -> None:
    """Nodes get addresses of the underlay in the order of declaration, without those of hosts."""
    of = cluster(topology(["z", "a"], hosts={"client": ["100.64.0.2"]}))

    assert {"a": ["100.64.0.3"], "z": ["100.64.0.1"]} == underlay(of)


@pytest.mark.parametrize(
    ("cidrs", "expected"),
    [
        (["10.0.0.0/16"], ["100.64.0.1"]),
        (["fd00::/56"], ["fd00:100:64::1"]),
        (["fd00::/56", "10.0.0.0/16"], ["100.64.0.1", "fd00:100:64::1"]),
    ],
    ids=["IPv4", "IPv6", "dual stack"],
)
def test_underlay_families(cidrs: list[str], expected: list[str]) -> None:
    """A node has one underlay address for each family of the pod networks."""
    assert {"node-1": expected} == underlay(cluster(topology(mode="routed", cidrs=cidrs)))


def test_exported_node_address_is_kept() -> None:
    """A node keeps the address of its Node object if the underlay's prefix holds it."""
    of = cluster(topology(), node("a", addresses=["172.18.0.2"]), node("b", addresses=["100.64.0.1"]))

    assert {"a": ["100.64.0.2"], "b": ["100.64.0.1"]} == underlay(of)


def test_what_pods_state_of_their_node_is_kept() -> None:
    """The hostIP of pods, or the podIP of host-network pods. A Node object has precedence; a clash is no error."""
    of = cluster(
        pod("x/a", node="a", phase="Running", host_addresses=["10.0.1.11"]),
        pod("x/b", node="b", phase="Running", host=True, addresses=["10.0.1.12"]),
        pod("x/c", node="c", phase="Running", host_addresses=["10.0.1.12"]),
    )
    stated = cluster(node("a", addresses=["10.0.1.9"]), pod("x/a", node="a", host_addresses=["10.0.1.11"]))

    assert {"a": ["10.0.1.11"], "b": ["10.0.1.12"], "c": ["10.0.1.1"]} == underlay(of)
    assert {"a": ["10.0.1.9"]} == underlay(stated)


def test_hosts() -> None:
    """Outside hosts have the addresses of the Topology."""
    of = cluster(topology(hosts={"client": ["192.0.2.10", "2001:db8::1"]}))

    assert [("host:client", ["192.0.2.10", "2001:db8::1"])] == [
        (h.ref, [str(a) for a in h.addresses]) for h in of.hosts
    ]


REFUSED = [
    pytest.param(
        [topology(hosts={"a": ["100.64.0.9"]}), node("n", addresses=["100.64.0.9"], source=source(3))],
        "test.yaml:3: Node n: status.addresses: host a has 100.64.0.9 as well",
        id="a node with a host's address",
    ),
    pytest.param(
        [topology(["a", "b", "c"], underlay=["192.0.2.0/30"], source=source(1, spec__underlayCIDRs=5))],
        "test.yaml:5: Topology default: spec.underlayCIDRs: 192.0.2.0/30 has too few addresses for 3 nodes",
        id="more nodes than underlay addresses",
    ),
    pytest.param(
        [topology(mode="routed", cidrs=["fd00::/56"], underlay=["192.0.2.0/24"], source=source(1))],
        "test.yaml:1: Topology default: spec.underlayCIDRs: no IPv6 prefix, but a network has an IPv6 podCIDR",
        id="no underlay of a family",
    ),
]


@pytest.mark.parametrize(("things", "message"), REFUSED)
def test_refused(things: list[object], message: str) -> None:
    """Underlay addresses that are used twice or too few are errors at their field."""
    with pytest.raises(InputError) as caught:
        cluster(*things)

    assert [message] == [str(p) for p in caught.value.problems]
