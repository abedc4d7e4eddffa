"""The pod prefixes of nodes, and the addresses of pods."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from builders import cluster, node, pod, source, topology, workload
from hypothesis import given, settings
from hypothesis import strategies as st
from sizes import samples

from netlab.cluster import Cluster, Placement
from netlab.errors import InputError

DUAL = ["10.244.0.0/16", "fd00:10:244::/56"]


def ips(of: Cluster) -> dict[str, list[str]]:
    return {p.ref: [str(a) for a in p.addresses] for p in of.pods}


def prefixes(of: Cluster, network: str = "default") -> dict[str, list[str]]:
    return {n.name: [str(p) for p in n.pod_cidrs[network]] for n in of.nodes}


@pytest.mark.parametrize(
    ("cidrs", "nodes", "expected"),
    [
        pytest.param(["10.244.0.0/16"], 3, ["10.244.0.0/24", "10.244.1.0/24", "10.244.2.0/24"], id="a /24 each"),
        pytest.param(["fd00::/56"], 2, ["fd00::/64", "fd00:0:0:1::/64"], id="a /64 each"),
        pytest.param(["10.0.0.0/24"], 1, ["10.0.0.0/24"], id="one node, just fitting"),
        pytest.param(["10.0.0.0/24"], 2, ["10.0.0.0/25", "10.0.0.128/25"], id="halves"),
        pytest.param(["10.0.0.0/24"], 3, ["10.0.0.0/26", "10.0.0.64/26", "10.0.0.128/26"], id="three of four quarters"),
        pytest.param(["10.0.0.0/26"], 1, ["10.0.0.0/26"], id="smaller than a /24"),
    ],
)
def test_parts_of_the_pod_cidr(cidrs: list[str], nodes: int, expected: list[str]) -> None:
    """Every node gets a /24 (IPv6: /64) of the podCIDR, or a smaller part if there are too few of them."""
    of = cluster(topology([f"n{i}" for i in range(nodes)], mode="overlay", cidrs=cidrs))

    assert [[p] for p in expected] == list(prefixes(of).values())


def test_bridge_nodes_have_the_whole_prefix() -> None:
    """In bridge mode every node's prefix is the whole podCIDR. podCIDRs of Node objects have no effect."""
    of = cluster(topology(["a", "b"]), node("b", pod_cidrs=["192.168.0.0/24"]))

    assert {"a": ["10.244.0.0/16"], "b": ["10.244.0.0/16"]} == prefixes(of)


def test_node_objects_state_their_prefix() -> None:
    """A node has the podCIDRs of its Node object. The other nodes get parts that do not overlap these."""
    of = cluster(topology(["a", "b", "c"], mode="routed"), node("b", pod_cidrs=["10.244.0.0/23"]))

    assert {"a": ["10.244.2.0/24"], "b": ["10.244.0.0/23"], "c": ["10.244.3.0/24"]} == prefixes(of)


def test_networks_have_prefixes_of_their_own() -> None:
    """Each node gets a part of each network's podCIDR."""
    of = cluster(topology(["a", "b"], networks={"one": ("overlay", "10.1.0.0/16"), "two": ("routed", "10.2.0.0/16")}))

    assert {"a": ["10.1.0.0/24"], "b": ["10.1.1.0/24"]} == prefixes(of, "one")
    assert {"a": ["10.2.0.0/24"], "b": ["10.2.1.0/24"]} == prefixes(of, "two")


def test_first_pod_has_the_second_address() -> None:
    """Pods begin at .2, as .1 is the gateway. Their order is namespace, owner, ordinal."""
    of = cluster(workload("Deployment", "x/w", 2), pod("a/z"))

    assert {"a/z": ["10.244.0.2"], "x/w-0": ["10.244.0.3"], "x/w-1": ["10.244.0.4"]} == ips(of)


def test_bridge_addresses_are_unique_over_nodes() -> None:
    """In bridge mode no two pods of a network have the same address, on any node."""
    of = cluster(topology(["a", "b"]), workload("Deployment", "x/w", 3))

    assert {"x/w-0": ["10.244.0.2"], "x/w-1": ["10.244.0.3"], "x/w-2": ["10.244.0.4"]} == ips(of)


def test_other_modes_take_the_node_prefix() -> None:
    """In other modes a pod's addresses are in its node's prefixes, one per family."""
    of = cluster(topology(["a", "b"], mode="overlay", cidrs=DUAL), workload("Deployment", "x/w", 3))

    assert {
        "x/w-0": ["10.244.0.2", "fd00:10:244::2"],
        "x/w-1": ["10.244.1.2", "fd00:10:244:1::2"],
        "x/w-2": ["10.244.0.3", "fd00:10:244::3"],
    } == ips(of)


def test_host_network_pods_have_the_node_addresses() -> None:
    """A host-network pod has its node's addresses, a pod in mode none has none. Neither takes one of the podCIDR."""
    of = cluster(pod("x/a", host=True), pod("x/b", network="none"), pod("x/c"))

    assert {"x/a": ["100.64.0.1"], "x/b": [], "x/c": ["10.244.0.2"]} == ips(of)
    assert ["host", "none", "bridge"] == [p.attachment for p in of.pods]


def test_exported_addresses_are_kept() -> None:
    """A pod keeps the address in its status. The other pods get free addresses."""
    of = cluster(pod("x/a"), pod("x/b"), pod("x/c", addresses=["10.244.0.3"]))

    assert {"x/a": ["10.244.0.2"], "x/b": ["10.244.0.4"], "x/c": ["10.244.0.3"]} == ips(of)


@pytest.mark.parametrize("stated", ["10.9.0.5", "fd00::5", "127.0.0.1"])
def test_exported_addresses_outside_of_the_pod_cidr(stated: str) -> None:
    """An address outside of the podCIDR is not kept."""
    of = cluster(topology(["a", "b"], mode="overlay"), pod("x/a", node="a", addresses=[stated]))

    assert {"x/a": ["10.244.0.2"]} == ips(of)


@pytest.mark.parametrize("stated", ["10.244.0.0", "10.244.0.1", "10.244.255.255"])
@pytest.mark.parametrize("mode", ["bridge", "macvlan"])
def test_exported_addresses_that_no_pod_of_a_link_can_have(mode: str, stated: str) -> None:
    """If pods share a link, no pod has its first two addresses or its last one."""
    of = cluster(topology(mode=mode), pod("x/a", addresses=[stated]))

    assert {"x/a": ["10.244.0.2"]} == ips(of)


@pytest.mark.parametrize(
    "stated", ["10.244.0.0", "10.244.0.1", "10.244.0.255", "10.244.255.255", "10.244.1.1", "10.244.1.5"]
)
@pytest.mark.parametrize("mode", ["overlay", "routed"])
def test_exported_addresses_that_fit_no_part(mode: str, stated: str) -> None:
    """In other modes every address of the podCIDR is kept. The parts of nodes avoid addresses that they cannot hold."""
    of = cluster(
        topology(["a", "b"], mode=mode), pod("x/a", node="a", addresses=[stated]), pod("x/b", node="b"), pod("x/c")
    )
    address = ip_address(stated)

    assert [stated] == ips(of)["x/a"]
    assert not any(address in p for p in of.node("b").pod_cidrs["default"])
    own = of.node("a").pod_cidrs["default"][0]
    assert address not in own or address not in (own[0], own[1], own[-1])


def test_a_node_gets_the_part_with_most_of_its_exported_pods() -> None:
    """A node gets the prefix that it had on the cluster, though no Node object states it."""
    of = cluster(
        topology(["a", "b"], mode="overlay"),
        *(pod(f"x/a{i}", node="a", addresses=[f"10.244.7.{i}"]) for i in (2, 3)),
        *(pod(f"x/b{i}", node="b", addresses=[f"10.244.0.{i}"]) for i in (2, 3)),
        pod("x/moved", node="a", addresses=["10.244.0.9"]),
    )

    assert {"a": ["10.244.7.0/24"], "b": ["10.244.1.0/24"]} == prefixes(of)
    assert ["10.244.0.9"] == ips(of)["x/moved"]


def test_a_nodes_pod_cidr_with_pods_of_another_node_is_not_used() -> None:
    """Some CNIs do not use a Node's podCIDR."""
    of = cluster(
        topology(["a", "b"], mode="routed"),
        node("a", pod_cidrs=["10.244.0.0/24"]),
        node("b", pod_cidrs=["10.244.1.0/24"]),
        pod("x/b", node="b", addresses=["10.244.0.9"]),
    )

    assert {"a": ["10.244.2.0/24"], "b": ["10.244.1.0/24"]} == prefixes(of)
    assert {"x/b": ["10.244.0.9"]} == ips(of)


def test_parts_have_precedence_over_exported_addresses() -> None:
    """If the podCIDR is too small for both, nodes have their parts, and pods outside of them get new addresses."""
    stated = {i: f"10.244.0.{i}" for i in (1, 3, 5, 7, 9, 11, 13, 15)}
    of = cluster(
        topology(["a", "b"], mode="overlay", cidrs=["10.244.0.0/28"]),
        *(pod(f"x/{i}", node="a" if i < 8 else "b", addresses=[a]) for i, a in stated.items()),
    )

    assert {"a": ["10.244.0.0/29"], "b": ["10.244.0.8/29"]} == prefixes(of)
    assert {3, 5, 11, 13} == {i for i, a in stated.items() if ips(of)[f"x/{i}"] == [a]}


def test_parts_shrink_to_keep_addresses() -> None:
    """But only if more addresses are kept then."""
    of = cluster(
        topology(["a", "b"], mode="overlay", cidrs=["10.244.0.0/28"]),
        *(pod(f"x/{i}", node="ab"[i % 2], addresses=[f"10.244.0.{i}"]) for i in range(2, 14)),
    )

    assert {f"x/{i}": [f"10.244.0.{i}"] for i in range(2, 14)} == ips(of)


def test_each_family_is_kept_alone() -> None:
    """Each of two exported addresses is kept if the lab's podCIDRs hold it."""
    lab = topology(mode="overlay", cidrs=DUAL)
    of = cluster(lab, pod("x/a", addresses=["10.9.0.5", "fd00:10:244::99"]))

    assert {"x/a": ["10.244.0.2", "fd00:10:244::99"]} == ips(of)


def test_running_pods_keep_their_address() -> None:
    """A pod that runs keeps its address. A new pod gets a free one."""
    keep = {"x/b": Placement("node-1", (ip_address("10.244.0.2"),))}
    of = cluster(pod("x/a"), pod("x/b"), keep=keep)

    assert {"x/a": ["10.244.0.3"], "x/b": ["10.244.0.2"]} == ips(of)


def test_stated_addresses_have_precedence_over_running_pods() -> None:
    """If the input states an address for a pod, another pod that runs with it gets a new one."""
    keep = {"x/b": Placement("node-1", (ip_address("10.244.0.9"),))}
    of = cluster(pod("x/a", addresses=["10.244.0.9"]), pod("x/b"), keep=keep)

    assert {"x/a": ["10.244.0.9"], "x/b": ["10.244.0.2"]} == ips(of)


def test_a_pod_that_moves_is_a_new_pod() -> None:
    """A pod on another node gets a new address."""
    keep = {"x/a": Placement("a", (ip_address("10.244.0.9"),))}
    of = cluster(topology(["a", "b"]), pod("x/a", node="b"), keep=keep)

    assert {"x/a": ["10.244.0.2"]} == ips(of)


REFUSED = [
    pytest.param(
        [topology(cidrs=["10.244.0.0/29"]), workload("Deployment", "x/w", 7)],
        "Topology default: spec.networks[0].podCIDRs: 10.244.0.0/29 has no address left for 2 of 7 pods",
        id="pool exhausted",
    ),
    pytest.param(
        [topology(["a", "b", "c"], mode="routed", cidrs=["10.244.0.0/31"])],
        "Topology default: spec.networks[0].podCIDRs: 10.244.0.0/31 is too small for 3 nodes",
        id="more nodes than parts",
    ),
    pytest.param(
        [topology(mode="routed"), node("n1", pod_cidrs=["10.9.0.0/24"], source=source(1, **{"spec__podCIDRs[0]": 8}))],
        "test.yaml:8: Node n1: spec.podCIDRs[0]: 10.9.0.0/24 is in no podCIDR of the lab: 10.244.0.0/16",
        id="node prefix outside",
    ),
    pytest.param(
        [
            topology(mode="routed"),
            node("a", pod_cidrs=["10.244.0.0/23"]),
            node("b", pod_cidrs=["10.244.1.0/24"], source=source(9)),
        ],
        "test.yaml:9: Node b: spec.podCIDRs[0]: 10.244.1.0/24 overlaps 10.244.0.0/23 of node a",
        id="node prefixes overlap",
    ),
    pytest.param(
        [pod("x/a", addresses=["10.244.0.5"]), pod("x/b", addresses=["10.244.0.5"], source=source(6))],
        "test.yaml:6: Pod x/b: status.podIPs: pod x/a has 10.244.0.5 as well",
        id="one address stated twice",
    ),
]


@pytest.mark.parametrize(("things", "message"), REFUSED)
def test_refused(things: list[object], message: str) -> None:
    """Prefixes and addresses that are too few or used twice are errors at their field."""
    with pytest.raises(InputError) as caught:
        cluster(*things)

    assert [message] == [str(p).removeprefix("<input>: ") for p in caught.value.problems]


def test_a_huge_stated_prefix_takes_no_time() -> None:
    """A Node object may state a prefix of 2**63 parts. The search for other parts ends at once, without any."""
    lab = topology(["a", "b"], mode="routed", cidrs=["fd00::/56"])

    with pytest.raises(InputError, match="too small for 2 nodes"):
        cluster(lab, node("a", pod_cidrs=["fd00::/56"]))


@settings(max_examples=samples(50), deadline=None)
@given(st.sampled_from(["bridge", "overlay", "routed", "macvlan"]), st.integers(1, 4), st.integers(0, 20))
def test_an_address_names_one_pod(mode: str, nodes: int, pods: int) -> None:
    """In every mode each pod has its own address, in its node's prefix, and none is a gateway's."""
    of = cluster(topology([f"n{i}" for i in range(nodes)], mode=mode), workload("Deployment", "x/w", pods))
    found = [p.addresses[0] for p in of.pods]
    own = [of.node(p.node).pod_cidrs["default"][0] for p in of.pods]

    assert pods == len(set(found))
    assert all(a in prefix for a, prefix in zip(found, own, strict=True))
    assert not {ip_network(p)[1] for p in own} & set(found)


@settings(max_examples=samples(50), deadline=None)
@given(st.sets(st.integers(0, 9), min_size=1), st.sets(st.integers(0, 9), min_size=1))
def test_a_change_keeps_the_nodes_and_addresses_of_other_pods(before: set[int], after: set[int]) -> None:
    """Pods that do not change keep their nodes and addresses while others are added and removed."""
    lab = topology(["a", "b"])
    first = cluster(lab, *(pod(f"x/p{i}") for i in before))
    keep = {p.ref: Placement(p.node, p.addresses) for p in first.pods}
    second = cluster(lab, *(pod(f"x/p{i}") for i in after), keep=keep)

    assert {r: keep[r] for r in (f"x/p{i}" for i in before & after)} == {
        p.ref: Placement(p.node, p.addresses) for p in second.pods if p.ref in keep
    }
