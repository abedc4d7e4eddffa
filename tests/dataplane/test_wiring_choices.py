"""Choices of a network's wiring in the wanted state and the ruleset; those that cannot be are refused."""

from __future__ import annotations

import re
from dataclasses import replace
from ipaddress import ip_address, ip_interface, ip_network

import pytest
from builders import cluster, pod, topology

from netlab import modes
from netlab.cluster import Cluster
from netlab.dataplane import names
from netlab.dataplane.node_rulesets import rulesets
from netlab.dataplane.wanted import wanted
from netlab.errors import NetlabError, UsageError
from netlab.kernel.state import EVERY_MAC, ForwardingEntry, InterfaceAddress, Link, Neighbour, Route, Sysctl
from netlab.modes.wiring import Wiring

V4, V6 = "10.244.0.0/16", "fd00:10:244::/56"
NODE, POD = "netlab.default.node.a", "netlab.default.pod.x.a"


def wired(wiring: Wiring, *cidrs: str, more: dict[str, tuple[str, ...]] | None = None) -> Cluster:
    """Two nodes with a pod each; every network has the wiring."""
    networks = {"default": ("bridge", *(cidrs or (V4,))), **(more or {})}
    made = topology(["a", "b"], networks)
    made = replace(made, networks=tuple(replace(one, wiring=wiring) for one in made.networks))
    return cluster(made, pod("x/a", node="a"), pod("x/b", node="b"))


def link(of: Cluster, name: str) -> Link:
    (found,) = (one for one in wanted(of)[NODE].items if isinstance(one, Link) and one.name == name)
    return found


def test_ipip_has_a_device_and_routes_by_the_nodes_addresses() -> None:
    """The device has the first address of the node's range; the next hop of remote ranges is the other node, onlink."""
    of = wired(Wiring(attachment="routed", transport="ipip", tunnel_name="tunl0"))
    items = wanted(of)[NODE].items
    made, to = link(of, "tunl0"), ip_network("10.244.1.0/24")

    assert ("ipip", 1480, {"local": "100.64.0.1"}) == (made.kind, made.mtu, made.options)
    assert InterfaceAddress("tunl0", ip_interface("10.244.0.0/32")) in items
    assert Route(to, "tunl0", via=ip_address("100.64.0.2"), onlink=True) in items
    assert {1480} == {one.mtu for one in wanted(of)[POD].items if isinstance(one, Link) and one.kind == "veth"}


def test_a_node_takes_ipip_from_nodes_only() -> None:
    """As with VXLAN: inside a tunnel a pod could send from any address."""
    text = rulesets(wired(Wiring(attachment="routed", transport="ipip")))["a"].text()

    assert "meta l4proto 4 fib daddr type local ip saddr != @nodes4 counter drop" in text
    assert "meta l4proto 4 ip daddr @nodes4 counter drop" in text
    assert "udp dport" not in text


def test_a_node_takes_vxlan_at_the_chosen_ports_only() -> None:
    """Each port of a network has its rules."""
    text = rulesets(wired(Wiring(transport="vxlan", tunnel_port=4789)))["a"].text()

    assert "udp dport 4789 fib daddr type local ip saddr != @nodes4 counter drop" in text
    assert "8472" not in text


def test_one_link_has_an_entry_for_each_pod_and_bridge_of_other_nodes() -> None:
    """The tunnel is a port of the bridge. Broadcasts go to every node, and all pods have the network's prefix."""
    of = wired(Wiring(transport="flat-vxlan", bridge_name="weave"))
    items, far = wanted(of)[NODE].items, ip_address("100.64.0.2")
    gateway, b = "0a:58:0a:f4:01:01", "0a:58:0a:f4:01:02"

    assert "weave" == link(of, "vxlan.1").master
    assert {ForwardingEntry("vxlan.1", mac, far) for mac in (EVERY_MAC, gateway, b)} == {
        one for one in items if isinstance(one, ForwardingEntry)
    }
    assert Neighbour("weave", ip_address("10.244.1.2"), b) in items
    assert InterfaceAddress("weave", ip_interface("10.244.0.1/16")) in items
    assert InterfaceAddress("eth0", ip_interface("10.244.0.2/16")) in wanted(of)[POD].items


def test_a_route_has_the_mtu_and_the_link_that_of_the_underlay() -> None:
    """With ``mtuPlace: route``; the MTU is that of the tunnel, unless one is chosen."""
    of = wired(Wiring(attachment="routed", transport="vxlan", mtu_place="route"), V4, V6)
    items = wanted(of)[POD].items

    assert {1450} == {one.mtu for one in items if isinstance(one, Route)}
    assert {1500} == {one.mtu for one in items if isinstance(one, Link) and one.name == "eth0"}


def test_the_links_of_pods_have_the_chosen_names_macs_and_gateways() -> None:
    """The IPv6 gateway is the link-local address of the MAC, as with Calico."""
    wiring = Wiring("routed", "routes", port_prefix="cali", port_mac="ee:ee:ee:ee:ee:ee", gateway="169.254.1.9")
    of = wired(wiring, V4, V6)
    port = names.port_name(of.by_ref["x/a"])  # type: ignore[arg-type]
    items = wanted(of)[POD].items

    assert re.fullmatch("cali[0-9a-f]{11}", port)
    assert "ee:ee:ee:ee:ee:ee" == link(of, port).mac
    gateways = {ip_address("169.254.1.9"), ip_address("fe80::ecee:eeff:feee:eeee")}
    assert gateways == {one.via for one in items if isinstance(one, Route)}
    assert {Neighbour("eth0", one, "ee:ee:ee:ee:ee:ee") for one in gateways} < items


@pytest.mark.parametrize(("setting", "is_on"), [("subject", True), ("exempt", True), ("unwired", False)])
def test_a_bridge_in_hairpin_mode_sends_frames_back_without_services(setting: str, is_on: bool) -> None:
    """Unless the policy says that hairpins are unwired."""
    of = wired(Wiring("bridge", "vxlan", hairpin_mode=True))
    of = replace(of, policy=replace(of.policy, hairpin=setting))  # type: ignore[arg-type]

    assert is_on == link(of, names.port_name(of.by_ref["x/a"])).hairpin  # type: ignore[arg-type]
    assert not link(wired(Wiring("bridge", "vxlan")), names.port_name(of.by_ref["x/a"])).hairpin  # type: ignore[arg-type]


def test_a_node_answers_arp_for_all_with_a_gateway_too() -> None:
    """With ``proxyARP``, at once; a pod without an IPv4 address has no such setting."""
    of = wired(Wiring("routed", "routes", proxy_arp=True))
    port = names.port_name(of.by_ref["x/a"])  # type: ignore[arg-type]
    settings = {Sysctl(f"ipv4/conf/{port}/proxy_arp", "1"), Sysctl(f"ipv4/neigh/{port}/proxy_delay", "0")}

    assert settings < wanted(of)[NODE].items
    assert settings.isdisjoint(wanted(wired(Wiring("routed", "routes", proxy_arp=True), V6))[NODE].items)


def test_a_default_route_by_the_device_has_a_node_that_answers_for_all() -> None:
    """The gateway has a route of its own; the node answers ARP at once."""
    of = wired(Wiring("routed", "routes", gateway="172.142.0.1", default_route="device"))
    port = names.port_name(of.by_ref["x/a"])  # type: ignore[arg-type]

    assert {Route(ip_network("172.142.0.1/32"), "eth0"), Route(ip_network("0.0.0.0/0"), "eth0")} == {
        one for one in wanted(of)[POD].items if isinstance(one, Route)
    }
    settings = {Sysctl(f"ipv4/conf/{port}/proxy_arp", "1"), Sysctl(f"ipv4/neigh/{port}/proxy_delay", "0")}
    assert settings < wanted(of)[NODE].items
    assert {port} == {one.link for one in settings}


@pytest.mark.parametrize(
    ("wiring", "message"),
    [
        (Wiring(bridge_name="br0"), "default and other would have one interface name, br0"),
        (Wiring(bridge_name="underlay0"), "the node's own link and default would have one interface name, underlay0"),
        (
            Wiring(transport="vxlan", tunnel_name="flannel.1"),
            "the tunnel of default and the tunnel of other would have one interface name, flannel.1",
        ),
        (Wiring(transport="vxlan", vni=7), "'default' and 'other' would have one VNI and UDP port"),
        (Wiring(transport="ipip"), "'default' and 'other' would have one tunnel of kind ipip"),
    ],
    ids=["bridge", "underlay", "tunnel", "VNI", "IPIP"],
)
def test_two_networks_with_one_device_are_refused(wiring: Wiring, message: str) -> None:
    """The kernel has one device of a name, and one tunnel of a kind, an identifier and a port."""
    with pytest.raises(UsageError, match=message):
        wanted(wired(wiring, more={"other": ("bridge", "10.245.0.0/16")}))


def test_a_bridge_and_a_tunnel_of_one_name_are_refused() -> None:
    with pytest.raises(UsageError, match="default and the tunnel of default would have one interface name, net0"):
        wanted(wired(Wiring(transport="vxlan", bridge_name="net0", tunnel_name="net0")))


@pytest.mark.parametrize(
    ("wiring", "cidrs", "message"),
    [
        (Wiring(transport="vxlan", tunnel_port=30500), [V4], "30500: must not be a port of nodePortRange 30000-32767"),
        (Wiring(transport="ipip"), [V4, V6], f"ipip carries no IPv6, as of {V6}"),
    ],
    ids=["port", "family"],
)
def test_a_tunnel_that_cannot_be_is_a_problem_of_the_topology(wiring: Wiring, cidrs: list[str], message: str) -> None:
    with pytest.raises(NetlabError, match=re.escape(message)):
        wired(wiring, *cidrs)


@pytest.mark.parametrize(
    ("wiring", "message"),
    [
        (Wiring(attachment="routed", transport="flat-vxlan"), "does not go with transport flat-vxlan"),
        (Wiring(transport="vxlan", prefix_length="network"), "with prefixLength network pods would look for others"),
        (Wiring(attachment="routed", prefix_length="node"), "with prefixLength node pods would look for others"),
        (Wiring(transport="flat-vxlan", mtu_place="route"), "have their MTU on the device"),
        (Wiring(transport="flat-vxlan", remote_node_source="tunnel"), "a node has no tunnel"),
    ],
)
def test_choices_that_do_not_fit_one_another_are_refused(wiring: Wiring, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        modes.wired(modes.of("overlay"), wiring)
