"""The difference between two states turns one into the other, touches nothing else, and is empty for equal ones."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, ip_address, ip_interface, ip_network
from typing import Any

import pytest
from builders import cluster, pod, topology
from hypothesis import given, settings
from hypothesis import strategies as st
from sizes import samples

from netlab.dataplane.plan import difference
from netlab.dataplane.wanted import wanted
from netlab.kernel.state import Change, InterfaceAddress, Link, Namespace, Neighbour, Route, Sysctl
from netlab.testing import FakeKernel

NODES = topology(["node-1", "node-2"], hosts={"client": ["192.0.2.10"], "server": ["203.0.113.5"]})
WEB, DB, CLIENT = (
    pod("shop/web", node="node-1", addresses=["10.244.0.2"]),
    pod("shop/db", node="node-1", addresses=["10.244.0.3"]),
    pod("other/client", node="node-2", addresses=["10.244.0.4"]),
)
MAC = "0a:58:00:00:00:01"
SHOP, SMALLER = cluster(NODES, WEB, DB, CLIENT), cluster(NODES, WEB, CLIENT)


def build(kernel: FakeKernel, want: dict[str, Namespace], have: dict[str, Namespace] | None = None) -> None:
    """Carry out the difference between two states."""
    step = difference(have or {}, want)
    kernel.create(step.create)
    kernel.apply(step.changes)
    kernel.remove(step.remove)


def read(kernel: FakeKernel, want: dict[str, Namespace]) -> dict[str, Namespace]:
    return {
        name: kernel.read(name, [i.name for i in space.items if isinstance(i, Sysctl)])
        for name, space in want.items()
        if kernel.exists(name)
    }


def test_a_built_state_has_no_difference() -> None:
    """A built state read back differs in nothing from the wanted one."""
    kernel, want = FakeKernel(), dict(wanted(SHOP))
    build(kernel, want)

    assert not difference(read(kernel, want), want, want)


def test_one_pod_less_touches_only_that_pod() -> None:
    """The pod's namespace goes, its port and its neighbour on its node go; nothing else is named."""
    before, after = dict(wanted(SHOP)), dict(wanted(SMALLER))
    step = difference(before, after)

    assert ((), ("netlab.default.pod.shop.db",)) == (step.create, step.remove)
    assert {"netlab.default.node.node-1"} == {change.namespace for change in step.changes}
    assert {("delete", Link), ("delete", Neighbour)} == {(c.verb, type(c.item)) for c in step.changes}


@pytest.mark.parametrize("mode", ["bridge", "overlay", "routed", "macvlan"])
def test_items_that_go_with_a_link_or_a_namespace_are_not_deleted(mode: str) -> None:
    """A pod's port is deleted once, and nothing on it; nothing is deleted in a namespace that goes."""
    machines = topology(["node-1", "node-2"], mode=mode)
    pods = [pod(f"shop/p{i}", node="node-1", addresses=[f"10.244.0.{i + 10}"]) for i in range(5)]
    before, after = (dict(wanted(cluster(machines, *some))) for some in (pods, pods[:2]))
    step = difference(before, after)
    deleted = [(c.namespace, c.item) for c in step.changes if c.verb == "delete"]
    links = [(space, item.name) for space, item in deleted if isinstance(item, Link)]

    assert 3 == len(step.remove)
    assert len(set(links)) == len(links) == (0 if mode == "macvlan" else 3)
    assert [] == [i for space, i in deleted if not isinstance(i, (Link, Sysctl)) and (space, i.dev) in links]
    assert set() == {space for space, _ in deleted} & set(step.remove)


def test_one_pod_more_touches_only_that_pod() -> None:
    """Its namespace is made, and on its node its port and its neighbour."""
    before, after = dict(wanted(SMALLER)), dict(wanted(SHOP))
    step = difference(before, after)

    assert ("netlab.default.pod.shop.db",) == step.create
    assert {"netlab.default.node.node-1", "netlab.default.pod.shop.db"} == {c.namespace for c in step.changes}
    assert {"add"} == {c.verb for c in step.changes}


def test_items_that_netlab_did_not_add_stay() -> None:
    """A route and a link of a user."""
    kernel, want = FakeKernel(), dict(wanted(SHOP))
    build(kernel, want)
    name = "netlab.default.pod.shop.web"
    theirs = (Link("dummy0", "veth"), Route(ip_network("198.51.100.0/24"), "eth0"))
    kernel.apply([Change("add", name, item) for item in theirs])

    assert not difference(read(kernel, want), want, want)


def test_a_link_that_differs_is_changed_in_place() -> None:
    """Its MTU is changed, and the items on it are added again, as the kernel may have dropped them."""
    kernel, want = FakeKernel(), dict(wanted(SHOP))
    build(kernel, want)
    name = "netlab.default.pod.shop.web"
    (eth0,) = [i for i in want[name].items if isinstance(i, Link) and i.name == "eth0"]
    kernel.apply([Change("add", name, Link("eth0", "veth", mac=eth0.mac, mtu=1400))])
    step = difference(read(kernel, want), want, want)

    on_it = {i for i in want[name].items if not isinstance(i, (Link, Sysctl))}
    assert {Change("add", name, item) for item in {eth0, *on_it}} == set(step.changes)


def test_what_goes_with_an_address_is_added_again() -> None:
    """Routes and neighbours of its device, and on other devices the routes that start from it; nothing else."""
    address = [InterfaceAddress("underlay0", ip_interface(f"100.64.0.{i}/16")) for i in (1, 2)]
    start = [Route(ip_network("10.244.0.2/32"), "port", source=a.interface.ip) for a in address]
    link, port = Link("underlay0", "veth"), Link("port", "veth")
    stay = {Route(ip_network("10.244.1.0/24"), "underlay0"), Neighbour("underlay0", ip_address("100.64.0.9"), MAC)}
    other = {Route(ip_network("10.244.0.3/32"), "port"), Neighbour("port", ip_address("10.244.0.3"), MAC)}
    before, after = (frozenset[Any]({link, port, *stay, *other, a, r}) for a, r in zip(address, start, strict=True))
    step = difference({"n": Namespace("n", before)}, {"n": Namespace("n", after)})

    assert {("delete", address[0]), ("delete", start[0])} == {(c.verb, c.item) for c in step.changes[:2]}
    assert {("add", item) for item in {address[1], start[1], *stay}} == {(c.verb, c.item) for c in step.changes[2:]}


def test_a_route_that_starts_from_an_address_on_another_device_goes_with_it() -> None:
    """The kernel drops it (fib_sync_down_addr), even if the address is added again at once."""
    gone, here = (InterfaceAddress("underlay0", ip_interface(f"100.64.0.1/{length}")) for length in (16, 24))
    route = Route(ip_network("10.244.0.2/32"), "port", source=ip_address("100.64.0.1"))
    links = Link("underlay0", "veth"), Link("port", "veth")
    before, after = (frozenset[Any]({*links, route, address}) for address in (gone, here))
    step = difference({"n": Namespace("n", before)}, {"n": Namespace("n", after)})

    assert [("delete", gone), ("add", here), ("add", route)] == [(c.verb, c.item) for c in step.changes]


@pytest.mark.parametrize(
    "other",
    [
        {"options": {"id": 1, "local": "100.64.0.2"}},
        {"parent": ("n", "underlay1")},
    ],
)
def test_a_tunnel_that_cannot_be_changed_is_made_again(other: dict[str, Any]) -> None:
    """Another end, or another parent: it is deleted, and made again with all links and items on it."""
    link = Link("vxlan.1", "vxlan", parent=("n", "underlay0"), options={"id": 1, "local": "100.64.0.1"})
    new = replace(link, **other)
    on_it = {Neighbour("vxlan.1", ip_address("10.244.1.0"), MAC), Route(ip_network("10.244.1.0/24"), "vxlan.1")}
    spaces = [{"n": Namespace("n", frozenset({one, *on_it}))} for one in (link, new)]  # type: ignore[arg-type]
    step = difference(*spaces)

    assert [Change("delete", "n", link)] == list(step.changes[:1])
    assert {Change("add", "n", item) for item in {new, *on_it}} == set(step.changes[1:])  # type: ignore[arg-type]


def test_half_a_veth_is_made_again_whole() -> None:
    """When one end is gone under its name, the other is deleted and both are made, with what they carry."""
    kernel, want = FakeKernel(), dict(wanted(SHOP))
    build(kernel, want)
    name = "netlab.default.pod.shop.web"
    kernel.spaces[name] = {i for i in kernel.spaces[name] if getattr(i, "name", "") != "eth0"}
    build(kernel, want, read(kernel, want))

    assert not difference(read(kernel, want), want, want)


def test_the_plan_prints_as_ip_arguments() -> None:
    """A reader who knows iproute2 can read it."""
    lines = difference({}, dict(wanted(SHOP))).lines()

    assert "netns add netlab.default.pod.shop.web" in lines
    assert any(line.startswith("-n netlab.default.node.node-1 link add br-default type bridge") for line in lines)
    assert any("route add 0.0.0.0/0 via 10.244.0.1 dev eth0" in line for line in lines)


@settings(max_examples=samples(60), deadline=None)
@given(st.data())
def test_any_damage_is_repaired_in_one_step(data: st.DataObject) -> None:
    """The difference restores any items that are taken out of a built state, and is then empty."""
    kernel, want = FakeKernel(), dict(wanted(SHOP))
    build(kernel, want)
    names = sorted(want)
    for _ in range(data.draw(st.integers(1, 6))):
        name = data.draw(st.sampled_from(names))
        if not kernel.exists(name):
            continue
        if data.draw(st.integers(0, 4)) == 0:
            kernel.remove([name])
            continue
        items = sorted(kernel.spaces[name], key=str)
        victim = data.draw(st.sampled_from(items))
        if victim != Link("lo", "loopback", mtu=65536) and not isinstance(victim, Sysctl):
            kernel.apply([Change("delete", name, victim)])
    build(kernel, want, read(kernel, want))

    assert not difference(read(kernel, want), want, want)


@pytest.mark.parametrize("ref", ["node.node-1", "host.client"])
def test_every_machine_has_a_route_to_every_outside_host(ref: str) -> None:
    """Outside hosts may have any addresses; nodes and hosts reach them over the underlay."""
    items = wanted(SHOP)[f"netlab.default.{ref}"].items

    assert Route(ip_network("203.0.113.5/32"), "underlay0") in items


def test_a_pod_is_attached_as_by_the_bridge_plugin() -> None:
    """eth0 with the address and the prefix, the bridge's address as gateway, the port on the bridge."""
    spaces = wanted(SHOP)
    items = spaces["netlab.default.pod.shop.web"].items
    (address,) = [i.interface.ip for i in items if isinstance(i, InterfaceAddress)]
    (port,) = [
        i
        for i in spaces["netlab.default.node.node-1"].items
        if isinstance(i, Link) and i.peer == ("netlab.default.pod.shop.web", "eth0")
    ]

    assert address in {p.addresses[0] for p in SHOP.pods}
    assert isinstance(address, IPv4Address)
    assert Route(ip_network("0.0.0.0/0"), "eth0", via=ip_address("10.244.0.1")) in items
    assert ("br-default", "veth") == (port.master, port.kind)
