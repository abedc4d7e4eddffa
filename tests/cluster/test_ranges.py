"""Default modes and ranges: they hold the addresses that the input states, and avoid the ranges that it states."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from builders import cluster, node, objects, pod, workload
from hypothesis import given, settings
from hypothesis import strategies as st
from sizes import samples

from netlab.cluster import Cluster, Placement, resolve, try_resolve
from netlab.cluster.ranges import POD_DEFAULTS, UNDERLAY_DEFAULTS
from netlab.errors import InputError
from netlab.objects.topology import Topology, TopologyHost, TopologyNetwork, TopologyNode

OPEN = frozenset({"mode", "podCIDRs"})


def shape(nodes: str = "", hosts: tuple[str, ...] = (), **more: Any) -> Topology:
    """A Topology with nodes (a letter each) and hosts only."""
    machines = tuple(TopologyHost(f"h{i}", (ip_address(a),)) for i, a in enumerate(hosts))
    return Topology(nodes=tuple(TopologyNode(n) for n in nodes), hosts=machines, **more)


def network(*cidrs: str, mode: str = "bridge", unwritten: frozenset[str] = frozenset()) -> TopologyNetwork:
    return TopologyNetwork("default", mode, tuple(map(ip_network, cidrs)), unwritten=unwritten)


def pod_cidrs(of: Cluster) -> list[str]:
    return [str(cidr) for cidr in of.networks[0].pod_cidrs]


def underlay(of: Cluster) -> list[str]:
    return [str(cidr) for cidr in of.underlay_cidrs if cidr.version in of.families]


def exported(ref: str, address: str, node: str = "", **more: Any) -> Any:
    return pod(ref, node=node, addresses=address.split(), phase="Running", **more)


# --- modes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("things", "mode"),
    [
        ([], "bridge"),
        ([shape("a")], "bridge"),
        ([shape("ab")], "overlay"),
        ([node("a")], "bridge"),
        ([node("a"), node("b")], "overlay"),
        ([shape("a"), node("b")], "overlay"),
        ([pod("x/a", node="a"), pod("x/b", node="b")], "overlay"),
        ([pod("x/a", node="a"), pod("x/b", node="a")], "bridge"),
        ([shape("ab", networks=(network("10.1.0.0/16", mode="bridge"),))], "bridge"),
        ([shape("ab", networks=(network("10.1.0.0/16", unwritten=frozenset({"mode"})),))], "overlay"),
        ([shape("a", networks=(network("10.1.0.0/16", mode="routed"),))], "routed"),
    ],
)
def test_the_mode_joins_the_nodes(things: list[Any], mode: str) -> None:
    """The default mode is bridge on one node and overlay on several. A written mode counts."""
    assert mode == cluster(*things).networks[0].mode


# --- pods' ranges -----------------------------------------------------------------------------------------------

K3S = [exported("x/a", "10.42.0.5"), exported("x/b", "10.42.0.6")]


@pytest.mark.parametrize(
    ("things", "cidrs"),
    [
        pytest.param([], ["10.244.0.0/16"], id="nothing shows"),
        pytest.param(K3S, ["10.42.0.0/16"], id="pods of one node"),
        pytest.param([node("a", pod_cidrs=["10.42.0.0/24"])], ["10.42.0.0/16"], id="a Node alone"),
        pytest.param(
            [node("a", pod_cidrs=["10.4.0.0/24"]), node("b", pod_cidrs=["10.7.3.0/24"])], ["10.4.0.0/14"], id="GKE"
        ),
        pytest.param(
            [exported("x/a", "10.244.1.2 fd00:10:244:1::2")], ["10.244.0.0/16", "fd00:10:244::/56"], id="dual stack"
        ),
        pytest.param([exported("x/a", "2001:db8:42:1::2")], ["2001:db8:42::/56"], id="IPv6 alone"),
        pytest.param(
            [node("a", pod_cidrs=["10.244.0.0/24"]), exported("x/a", "192.168.5.3", "a")],
            ["192.168.0.0/16"],
            id="podCIDRs that the CNI does not look at",
        ),
        pytest.param(
            [node("a", pod_cidrs=["10.244.0.0/24"]), node("b", pod_cidrs=["10.245.0.0/24"]), *K3S[:0]],
            ["10.244.0.0/15"],
            id="podCIDRs of two ranges",
        ),
        pytest.param([exported("x/a", "10.9.9.9", host=True)], ["10.244.0.0/16"], id="a host-network pod"),
        pytest.param([pod("x/a", addresses=["10.9.9.9"], phase="Succeeded")], ["10.244.0.0/16"], id="a finished pod"),
        pytest.param([exported("x/a", "10.9.9.9", network="none")], ["10.244.0.0/16"], id="a pod without a network"),
        pytest.param([exported("x/a", "169.254.1.9")], ["10.244.0.0/16"], id="an address that no pod keeps"),
        pytest.param([shape(hosts=("10.42.9.9",)), *K3S], ["10.42.0.0/21"], id="around a host"),
        pytest.param([shape(hosts=("10.244.0.9",))], ["10.245.0.0/16"], id="a host in the default"),
        pytest.param(
            [shape(underlay_cidrs=(ip_network("10.244.0.0/24"),), unwritten=frozenset())],
            ["10.245.0.0/16"],
            id="a written underlay in the default",
        ),
        pytest.param([node("a", addresses=["10.244.3.4"])], ["10.245.0.0/16"], id="a node's address in the default"),
        pytest.param([exported("x/a", "10.42.0.1")], ["10.40.0.0/14"], id="a pod where the bridge's gateway would be"),
        pytest.param(
            [exported("x/a", "10.42.0.5"), exported("x/b", "10.42.0.6"), exported("x/c", "172.20.0.9")],
            ["10.42.0.0/16"],
            id="most pods count where one range cannot hold all",
        ),
    ],
)
def test_the_pod_cidr_holds_what_is_exported(things: list[Any], cidrs: list[str]) -> None:
    """Or it is the first free default. It avoids written ranges."""
    assert cidrs == pod_cidrs(cluster(*things))


def test_a_range_has_room_for_the_pods_that_draw_from_it() -> None:
    """A range between written ones is not used if it is too small for all pods."""
    near = shape(hosts=("10.42.0.40", "10.42.0.1"))
    narrow = cluster(near, exported("x/a", "10.42.0.20"), workload("Deployment", "x/w", 5))
    wide = cluster(near, exported("x/a", "10.42.0.20"), workload("Deployment", "x/w", 20))

    assert ["10.42.0.16/28"] == pod_cidrs(narrow)
    assert ["10.244.0.0/16"] == pod_cidrs(wide)


def test_a_written_pod_cidr_does_not_change() -> None:
    """It does not follow the pods."""
    assert ["10.1.0.0/16"] == pod_cidrs(cluster(shape(networks=(network("10.1.0.0/16"),)), *K3S))


# --- the underlay -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("things", "cidrs"),
    [
        pytest.param([], ["100.64.0.0/16"], id="nothing shows"),
        pytest.param(
            [node("a", addresses=["10.0.1.11"]), node("b", addresses=["10.0.1.12"])], ["10.0.1.0/24"], id="near"
        ),
        pytest.param(
            [node("a", addresses=["10.0.1.11"]), node("b", addresses=["10.0.7.12"])], ["10.0.0.0/21"], id="far"
        ),
        pytest.param([node("a", addresses=["10.0.1.0"])], ["10.0.0.0/23"], id="no edge of the range"),
        pytest.param(
            [pod("x/a", node="w", phase="Running", host_addresses=["10.0.1.11"])], ["10.0.1.0/24"], id="status.hostIP"
        ),
        pytest.param([exported("x/a", "10.0.1.11", "w", host=True)], ["10.0.1.0/24"], id="a host-network pod"),
        pytest.param(
            [shape(networks=(network("100.64.0.0/14"),))], ["100.127.0.0/16"], id="a podCIDR over the default"
        ),
        pytest.param(
            [shape(networks=(network("100.64.0.0/10"),))], ["172.31.0.0/16"], id="a podCIDR over two defaults"
        ),
        pytest.param([shape(networks=(network("fd00::/16"),))], ["fdff:100:64::/64"], id="an IPv6 podCIDR over it"),
        pytest.param([shape(hosts=("100.64.0.2",))], ["100.127.0.0/16"], id="a host in the default"),
        pytest.param([exported("x/a", "100.64.3.4")], ["100.127.0.0/16"], id="exported pods in the default"),
        pytest.param(
            [shape(networks=(network("10.0.0.0/16"),)), node("a", addresses=["10.0.1.11"])],
            ["100.64.0.0/16"],
            id="a bridge network has the nodes' range",
        ),
        pytest.param(
            [shape(networks=(network("10.0.0.0/16", mode="routed"),)), node("a", addresses=["10.0.1.11"])],
            ["10.0.1.0/24"],
            id="a routed network has it",
        ),
    ],
)
def test_the_underlay_holds_the_nodes(things: list[Any], cidrs: list[str]) -> None:
    """Or it is the first free default."""
    assert cidrs == underlay(cluster(*things))


def test_a_written_underlay_is_left_alone() -> None:
    """Nodes with other addresses get new ones in it."""
    lab = shape(underlay_cidrs=(ip_network("192.0.2.0/24"),), unwritten=frozenset())
    of = cluster(lab, node("a", addresses=["10.0.1.11"]))

    assert ["192.0.2.0/24"] == underlay(of)
    assert ["192.0.2.1"] == [str(a) for a in of.node("a").addresses]


def test_without_a_free_default_a_range_must_be_stated() -> None:
    """It is an error at the field."""
    hosts = [str(cidr[9]) for of in (*POD_DEFAULTS.values(), *UNDERLAY_DEFAULTS.values()) for cidr in of]
    with pytest.raises(InputError) as caught:
        cluster(shape(hosts=tuple(hosts)))

    assert ["spec.networks[0].podCIDRs", "spec.underlayCIDRs"] == [p.path for p in caught.value.problems]
    assert {"no default range is free: write one"} == {p.message for p in caught.value.problems}


def test_nodes_without_an_address_have_room_beside_those_that_state_one() -> None:
    """They get addresses of the same range."""
    of = cluster(*(node(f"n{i}") for i in range(300)), node("z", addresses=["10.0.1.11"]))

    assert 301 == len({n.addresses for n in of.nodes})
    assert "10.0.1.11" == str(of.node("z").addresses[0])


# --- all together -----------------------------------------------------------------------------------------------

ADDRESSES = st.builds(
    lambda net, low: str(ip_network(net)[low]),
    st.sampled_from(["10.42.0.0/24", "10.42.1.0/24", "10.0.1.0/24", "10.0.0.0/16", "192.168.0.0/16", "100.64.0.0/16"]),
    st.integers(0, 255),
)
PODS = st.lists(st.tuples(ADDRESSES, st.sampled_from(["", "a", "b", "c"])), max_size=8, unique_by=lambda p: p[0])
NODES = st.dictionaries(
    st.sampled_from("abc"),
    st.tuples(st.sampled_from(["", "10.42.0.0/24", "10.42.1.0/24", "10.0.1.0/26"]), st.one_of(st.just(""), ADDRESSES)),
    max_size=3,
)


@settings(max_examples=samples(200), deadline=None)
@given(PODS, NODES, st.sampled_from([None, "bridge", "overlay", "routed", "macvlan"]), st.integers(0, 3))
def test_every_export_makes_a_consistent_lab(pods: Any, nodes: Any, mode: str | None, new: int) -> None:
    """No two machines have the same address, no pod has one in another node's prefix, and the result is repeatable."""
    networks = (
        (network("10.244.0.0/16", mode=mode, unwritten=frozenset({"podCIDRs"})),) if mode else Topology().networks
    )
    things = [
        shape(networks=networks),
        *(node(n, pod_cidrs=[c] if c else [], addresses=[a] if a else []) for n, (c, a) in nodes.items()),
        *(exported(f"x/p{i}", a, n if not nodes or n in nodes else "") for i, (a, n) in enumerate(pods)),
        workload("Deployment", "x/w", new),
    ]
    found, problems = try_resolve(objects(*things), warn=True)
    wrong = [p for p in problems if p.severity == "error"]
    # What Node objects state may clash by itself.
    if wrong:
        assert {p.path for p in wrong} <= {"spec.podCIDRs[0]", "status.addresses"}
        return

    everyone = [a for e in (*found.pods, *found.nodes) for a in e.addresses]  # type: ignore[attr-defined]
    assert len(everyone) == len({*everyone})
    for one in found.pods:
        assert all(any(a in cidr for cidr in found.networks[0].pod_cidrs) for a in one.addresses)
        if found.networks[0].mode in ("overlay", "routed"):
            others = [n for n in found.nodes if n.name != one.node]
            assert not any(n.holds("default", a) for n in others for a in one.addresses)
    if found.networks[0].mode in ("overlay", "routed"):
        assert not any(n.holds("default", a) for n in found.nodes for m in found.nodes for a in m.addresses)
    placed = {p.ref: Placement(p.node, p.addresses) for p in found.pods}
    assert found == resolve(objects(*things), placed)
    assert found == resolve(objects(*things[: 1 + len(nodes)], *reversed(things[1 + len(nodes) :])))
