"""The judge of the wiring: what is wanted has the ways that ``cluster.paths`` says, in every mode, and all faults show.

A fault is one item that is missing or wrong. What may be missing without a loss of packets is listed, with the reason.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from ipaddress import ip_address
from itertools import product
from random import Random
from typing import Any

import pytest
from builders import cluster, pod, topology
from random_clusters import some_cluster
from sizes import samples

from netlab import modes
from netlab.cluster import Cluster
from netlab.conformance.wiring import disagreements
from netlab.dataplane import names
from netlab.dataplane.veth import GATEWAYS
from netlab.dataplane.wanted import wanted
from netlab.kernel.state import (
    EVERY_MAC,
    ForwardingEntry,
    InterfaceAddress,
    Item,
    Link,
    Namespace,
    Neighbour,
    Route,
    Sysctl,
)
from netlab.modes import attachments, transports
from netlab.modes.traits import Attachment, Mode, Transport
from netlab.modes.wiring import Wiring

V4, V6 = "10.244.0.0/16", "fd00:10:244::/56"
FAMILIES = {"IPv4": [V4], "IPv6": [V6], "both": [V4, V6]}
HOSTS = {
    "client": ["192.0.2.10", "2001:db8::1"],
    "near": ["100.64.200.1", "fd00:100:64::c8:1"],
    "only-4": ["192.0.2.11"],
    "only-6": ["2001:db8::2"],
}
# What plugins make is not in the wanted state.
ATTACHMENTS = [a for a in vars(attachments).values() if isinstance(a, Attachment) and a.on_network and not a.by_plugins]
TRANSPORTS = [t for t in vars(transports).values() if isinstance(t, Transport) and t is not transports.LINK]
FITTING = [
    (a, t)
    for a, t in product(ATTACHMENTS, TRANSPORTS)
    if a.on_underlay == t.on_underlay and (a.bridged or not t.one_link)
]
MODES = [mode.name for mode in modes.of_networks() if not mode.attachment.by_plugins]
# Wiring that no mode has: one link for all nodes, IPIP, pods with a larger MTU than the tunnel, proxy ARP.
TOYS = {
    mode.name: mode
    for mode in (
        Mode("one-link", attachments.BRIDGE, transports.FLAT_VXLAN, masquerade="outside-and-nodes"),
        Mode("by-ipip", attachments.VETH, transports.IPIP, masquerade="outside-and-nodes"),
        Mode("large", attachments.VETH, transports.VXLAN, masquerade="outside-and-nodes", wiring=Wiring(mtu=1500)),
        Mode(
            "by-device",
            attachments.VETH,
            transports.ROUTES,
            masquerade="outside-and-nodes",
            wiring=Wiring(default_route="device"),
        ),
    )
}


def _carried(transport: Transport) -> dict[str, list[str]]:
    """Return the podCIDRs of which a transport carries all families, by the names of the families."""
    return {
        name: cidrs
        for name, cidrs in FAMILIES.items()
        if {4 if "." in c else 6 for c in cidrs} <= {*transport.families}
    }


OF_MODES = [
    pytest.param(name, cidrs, id=f"{name}-{families}")
    for name in (*MODES, *TOYS)
    for families, cidrs in _carried((TOYS.get(name) or modes.of(name)).transport).items()
]
OF_FITTING = [
    pytest.param(a, t, cidrs, id=f"{a.name}-{t.name}-{families}")
    for a, t in FITTING
    for families, cidrs in _carried(t).items()
]


@pytest.mark.parametrize("nodes", [1, 2, 3])
@pytest.mark.parametrize(("attachment", "transport", "cidrs"), OF_FITTING)
def test_every_combination_has_the_ways_that_paths_say(
    monkeypatch: pytest.MonkeyPatch, attachment: Attachment, transport: Transport, cidrs: list[str], nodes: int
) -> None:
    """Pods of one node and of others, nodes, outside hosts, a host-network pod and one with loopback only."""
    mode = Mode("toy", attachment, transport, masquerade="none" if attachment.on_underlay else "outside-and-nodes")
    monkeypatch.setitem(modes.MODES, "toy", mode)
    of = cluster(
        topology([f"n{i}" for i in range(nodes)], mode="toy", cidrs=cidrs, hosts=HOSTS),
        *(pod(f"x/{name}", node=f"n{i % nodes}") for i, name in enumerate("abcd")),
        # Side by side on two nodes, as a cluster may have given them: one of the two is of no node's range.
        *(pod(f"x/alone-{i}", node=f"n{i}", addresses=_exported(cidrs, i)) for i in range(min(nodes, 2))),
        pod("x/on-node", node="n0", host=True),
        pod("x/loopback", node="n0", network="none"),
    )

    assert [] == [*disagreements(of)]


def _exported(cidrs: list[str], i: int) -> list[str]:
    return [
        text for text in (f"10.244.200.{7 + i}", f"fd00:10:244:c8::{7 + i}") if (V4 if "." in text else V6) in cidrs
    ]


@pytest.mark.parametrize("pair", [*product(MODES, repeat=2)], ids="-".join)
def test_networks_of_a_lab_do_not_reach_one_another(pair: tuple[str, str]) -> None:
    """Each has its own mode and families; nodes and hosts are on the underlay that joins them."""
    networks = {
        "first": (pair[0], V4, V6),
        "second": (pair[1], "10.245.0.0/16"),
        "third": (pair[0], "fd00:10:246::/56"),
    }
    of = cluster(
        topology(["n1", "n2"], networks, HOSTS),
        *(pod(f"x/{net}-{node}", node=node, network=net) for net in networks for node in ("n1", "n2")),
    )

    assert [] == [*disagreements(of)]


def test_random_clusters_have_the_ways_that_paths_say() -> None:
    """Random modes, families, networks, host-network pods and outside hosts."""
    found = {seed: [*disagreements(some_cluster(Random(seed)))] for seed in range(samples(24))}  # noqa: S311

    assert {} == {seed: wrong for seed, wrong in found.items() if wrong}


# --- faults -------------------------------------------------------------------------------------------------------


def lab(mode: str, cidrs: list[str]) -> Cluster:
    """Two nodes, pods side by side and apart, one outside host."""
    return cluster(
        topology(["n1", "n2"], mode=mode, cidrs=cidrs, hosts={"client": HOSTS["client"]}),
        *(pod(f"x/{name}", node=node) for name, node in (("a", "n1"), ("b", "n1"), ("c", "n2"))),
    )


def with_fault(spaces: Mapping[str, Namespace], place: str, item: Item, *instead: Item) -> dict[str, Namespace]:
    """Return namespaces in which one item is missing, or others are in its place."""
    assert item in spaces[place].items
    return {**spaces, place: Namespace(place, (spaces[place].items - {item}) | {*instead})}


def spared(of: Cluster, place: str, item: Item) -> str:
    """Return why packets get through without an item; "" where some do not."""
    traits = of.networks[0].traits
    if isinstance(item, Sysctl):
        return "settings are judged one by one below"
    if isinstance(item, Link) and place == names.underlay_namespace(of.name) and item.kind == "loopback":
        return "nothing in the underlay's namespace speaks"
    if isinstance(item, ForwardingEntry) and traits.transport.one_link and item.mac != EVERY_MAC:
        return "a frame to a MAC without an entry goes to every node"
    if isinstance(item, Neighbour) and traits.transport.one_link:
        own = [n for n in of.nodes if names.node_namespace(of.name, n.name) == place]
        if own and item.dev != names.UNDERLAY_DEVICE and not own[0].holds("default", item.address):
            return "only packets that the node translates need it"
    if traits.wiring.default_route and isinstance(item, (Neighbour, Route)) and GATEWAYS[4] in _addresses(item):
        return "the default route has no next hop"
    if isinstance(item, InterfaceAddress) and item.dev.startswith(("vxlan", "ipip")):
        return "a tunnel's end is known by its neighbour entry; the address is what the node's own programs speak from"
    if isinstance(item, Route) and item.prefix.version not in of.families:
        return "an outside host has a family that the lab does not have"
    if isinstance(item, Neighbour) and not item.dev.startswith("vxlan") and item.address not in GATEWAYS.values():
        if item.address.version == 4:
            return "ARP finds it"
        if place not in {names.node_namespace(of.name, node.name) for node in of.nodes}:
            return "neighbour discovery finds it"
        if traits.attachment.on_underlay:
            return "the node forwards nothing"
    return ""


def _addresses(item: Neighbour | Route) -> tuple[object, ...]:
    return (item.address,) if isinstance(item, Neighbour) else (item.prefix.network_address, item.via)


@pytest.fixture
def toys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Add the toy modes to the registry for one test."""
    for name, mode in TOYS.items():
        monkeypatch.setitem(modes.MODES, name, mode)


@pytest.mark.parametrize(("mode", "cidrs"), OF_MODES)
@pytest.mark.usefixtures("toys")
def test_every_item_that_is_missing_is_found(mode: str, cidrs: list[str]) -> None:
    """A route, an address, a link, a neighbour, a forwarding entry: some packet is lost, or it is known why none is."""
    of = lab(mode, cidrs)
    spaces = wanted(of)
    missed: list[str] = []
    vain: list[str] = []
    for place, space in spaces.items():
        for item in space.items:
            why = spared(of, place, item)
            if isinstance(item, Sysctl):
                continue
            found = any(disagreements(of, with_fault(spaces, place, item)))
            (missed if not found and not why else vain if found and why else []).append(f"{place}: {item} {why}")

    assert [] == missed
    assert [] == vain


@pytest.mark.parametrize(("mode", "cidrs"), OF_MODES)
@pytest.mark.usefixtures("toys")
def test_every_wrong_link_is_found(mode: str, cidrs: list[str]) -> None:
    """An MTU that is smaller than that of its neighbours, a master or a peer that is missing, a link that is down."""
    of = lab(mode, cidrs)
    spaces = wanted(of)
    missed = []
    for place, space in spaces.items():
        for link in (link for link in space.items if isinstance(link, Link) and link.kind != "loopback"):
            faults = [replace(link, mtu=link.mtu - 100), replace(link, up=False)]
            faults += [replace(link, master="")] * bool(link.master) + [replace(link, peer=None)] * bool(link.peer)
            faults += [replace(link, parent=None)] * (link.kind == "macvlan")
            missed += [
                f"{place}: {fault} for {link}"
                for fault in faults
                if not any(disagreements(of, with_fault(spaces, place, link, fault)))
            ]

    assert [] == missed


NODE, POD = "netlab.default.node.n1", "netlab.default.pod.x.a"


@pytest.mark.parametrize(
    ("mode", "cidr", "place", "right", "wrong", "message"),
    [
        ("overlay", V4, NODE, "link vxlan.1", {"mtu": 1500}, "packets of 1500 bytes are sent"),
        ("overlay", V4, NODE, "link vxlan.1", {"mac": "0a:58:00:00:00:01"}, "no way"),
        ("overlay", V4, NODE, "link vxlan.1", {"options": {"id": 9, "dstport": 8472}}, "no way"),
        ("overlay", V4, NODE, "fdb", {"dst": ip_address("100.64.0.1")}, "no way"),
        ("overlay", V6, NODE, "fdb", {"dst": ip_address("192.0.2.10")}, "no way"),
        ("routed", V4, NODE, "route 10.244.1.0/24", {"via": ip_address("192.0.2.10")}, "no way"),
        ("bridge", V4, POD, "route 0.0.0.0/0", {"via": ip_address("10.244.0.3")}, "no way"),
        ("bridge", V4, NODE, "sysctl net.ipv4.ip_forward", {"value": "0"}, "no way"),
        ("bridge", V6, NODE, "sysctl net.ipv6.conf.all.forwarding", {"value": "0"}, "no way"),
        ("bridge", V6, POD, "sysctl net.ipv6.conf.all.disable_ipv6", {"value": "1"}, "no way"),
        ("bridge", V4, NODE, "sysctl net.bridge.bridge-nf-call-iptables", {"value": "0"}, "egress is enforced"),
        ("bridge", V6, NODE, "sysctl net.bridge.bridge-nf-call-ip6tables", {"value": "0"}, "ingress is enforced"),
    ],
)
def test_a_wrong_item_is_named_by_what_it_does(
    mode: str, cidr: str, place: str, right: str, wrong: dict[str, Any], message: str
) -> None:
    """A tunnel to the wrong node, a route to the wrong next hop, a setting that stops what a node does."""
    of = lab(mode, [cidr])
    spaces = wanted(of)
    (item,) = (item for item in spaces[place].items if str(item).startswith(right))
    found = [*disagreements(of, with_fault(spaces, place, item, replace(item, **wrong)))]

    assert any(message in line for line in found), found


def test_an_extra_way_is_found() -> None:
    """Routes to pods of other nodes and from outside, in a mode without them."""
    of = lab("routed", [V4])
    said = replace(
        of,
        networks=tuple(replace(network, mode="bridge") for network in of.networks),
        pods=tuple(replace(pod, attachment="bridge") for pod in of.pods),
    )
    found = [*disagreements(said, wanted(of))]

    assert any(line.startswith("x/a to x/c, IPv4: a way by") for line in found)
    assert any(line.startswith("host:client to x/a, IPv4: a way by") for line in found)


def test_networkx_is_loaded_on_demand() -> None:
    """Importing the room does not load networkx: commands that build labs start without it."""
    code = "import sys, netlab.conformance.wiring; print('networkx' in sys.modules)"

    assert "False\n" == subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
