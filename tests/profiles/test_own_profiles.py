"""Every profile of netlab on the kernel: ``ip -j`` lists what its data says, and packets agree with the evaluator."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from builders import topology
from iproute2 import Facts, addresses
from sizes import HANGS
from wirings import THINGS

from netlab import modes, profiles
from netlab.dataplane import names
from netlab.errors import HostError
from netlab.frozen import frozen
from netlab.kernel import netns
from netlab.lab.lab import Lab
from netlab.modes.wiring import Wiring
from netlab.objects.topology import Topology

OTHERS = {
    "calico": "calico-crosssubnet, calico-none, calico-vxlan",
    "flannel": "flannel, flannel-host-gw, flannel-netpol",
}


@frozen
class Known:
    """What a node's ``ip -j`` lists, and the source addresses of packets.

    ``device`` is that of the route to another node's pods, "" for no such route. ``by_tunnel``: its next hop is the
    tunnel's address there, by a permanent neighbour and a forwarding entry; else it is the node. ``to_nodes``: whose
    source a pod's packet to another node has. ``own_node``, ``other_node``: whose a node's packet to a pod has.
    """

    device: str
    mtu: int
    by_tunnel: bool = False
    hairpin: bool = False
    proxy_arp: bool = False
    to_nodes: str = "node"
    own_node: str = "node"
    other_node: str = "node"


_FLANNEL = Known("flannel.1", 1450, by_tunnel=True, hairpin=True, own_node="bridge", other_node="tunnel")
_CALICO = Known("underlay0", 1500, proxy_arp=True)
_CILIUM = Known("cilium_vxlan", 1500, by_tunnel=True, other_node="tunnel")
FACTS = {
    "docker": Known("", 1500, own_node="bridge"),
    "flannel": _FLANNEL,
    "flannel-netpol": _FLANNEL,
    "flannel-host-gw": replace(_FLANNEL, device="underlay0", mtu=1500, by_tunnel=False, other_node="node"),
    "calico-none": _CALICO,
    "calico-crosssubnet": _CALICO,
    "calico-vxlan": replace(_CALICO, device="vxlan.calico", mtu=1450, by_tunnel=True, other_node="tunnel"),
    "canal": replace(_CALICO, device="flannel.1", by_tunnel=True, other_node="tunnel"),
    "cilium": _CILIUM,
    "cilium-ebpf": replace(_CILIUM, to_nodes="pod"),
    "cilium-native": replace(_CILIUM, device="underlay0", by_tunnel=False, other_node="node"),
    "kube-router": Known("underlay0", 1500, to_nodes="pod", own_node="bridge"),
    "romana": Known("underlay0", 1500, proxy_arp=True),
    "weave": Known("", 1376, own_node="bridge", other_node="bridge"),
    "antrea": Known("antrea-tun0", 1450, by_tunnel=True, own_node="bridge", other_node="bridge"),
    "kindnet": Known("underlay0", 1500),
    "ovn-kubernetes": Known("genev_sys_6081", 1400, by_tunnel=True, own_node="bridge", other_node="bridge"),
    "aws-vpc": Known("underlay0", 1500, to_nodes="pod"),
}
PODS = THINGS[:3]
NAMES = [name for name in profiles.names() if profiles.named(name).wiring.transport]


def with_profile(name: str) -> Topology:
    """Two nodes and an outside host; the profile chooses everything else."""
    made = topology(["a", "b"], hosts={"client": ["192.0.2.10"]})
    unwritten = frozenset({"mode", "podCIDRs"})
    return replace(made, profile=name, networks=tuple(replace(one, unwritten=unwritten) for one in made.networks))


@pytest.mark.parametrize("name", NAMES)
def test_a_lab_has_what_the_data_of_its_profile_says(name, lab, facts, disagreements):
    """Names, kinds, numbers, MTUs, MACs, prefix lengths and gateways; where the kernel lacks a tunnel, it is said."""
    wiring = profiles.named(name).wiring
    tunnel = modes.TRANSPORTS[wiring.transport or ""].tunnel
    running = built(lab, name)
    if isinstance(running, HostError):
        assert "ipip" == tunnel
        assert "this kernel has no links of kind ipip" in str(running)
        assert f"another profile: {OTHERS[name.partition('-')[0]]}" in str(running)
        return
    links = {link["ifname"]: link for link in facts(running, "node:a", "-d", "address", "show")}
    kinds = {one: link["linkinfo"]["info_kind"] for one, link in links.items() if "linkinfo" in link}

    assert bridges(wiring) == {one for one, kind in kinds.items() if kind == "bridge"}
    assert [tunnel] * bool(tunnel) == [kind for kind in kinds.values() if kind in ("vxlan", "ipip")]
    assert_tunnel(wiring, next((links[one] for one, kind in kinds.items() if kind == tunnel), {}))
    assert_ports(wiring, [links[one] for one, kind in kinds.items() if kind == "veth" and one != "underlay0"])
    assert_pod(wiring, facts(running, "x/a", "address", "show", "dev", "eth0"), running)
    (default,) = facts(running, "x/a", "-d", "route", "show", "default")
    assert_default(wiring, default, running)
    assert [] == running.drift()
    assert [] == disagreements(running)


def built(lab: Callable[..., Lab], name: str) -> Lab | HostError:
    try:
        return lab(with_profile(name), *THINGS)
    except HostError as error:
        return error


def bridges(wiring: Wiring) -> set[str]:
    if not modes.ATTACHMENTS[wiring.attachment or ""].bridged:
        return set()
    return {wiring.bridge_name or "br-default"}


def assert_tunnel(wiring: Wiring, link: dict[str, Any]) -> None:
    if not link:
        return
    assert wiring.tunnel_name in ("", link["ifname"])
    data = link["linkinfo"]["info_data"]
    if link["linkinfo"]["info_kind"] == "vxlan":
        assert (wiring.vni or 1, wiring.tunnel_port or 8472) == (data["id"], data["port"])


def assert_ports(wiring: Wiring, ports: list[dict[str, Any]]) -> None:
    assert 2 == len(ports)
    for port in ports:
        assert port["ifname"].startswith(wiring.port_prefix or "veth")
        assert wiring.port_mac in ("", port["address"])
        if wiring.mtu and wiring.mtu_place != "route":
            assert wiring.mtu == port["mtu"]


def assert_pod(wiring: Wiring, eth0: Facts, running: Any) -> None:
    network, node = running.cluster.networks[0], running.cluster.node("a")
    lengths = {"single": 32, "node": node.pod_cidrs["default"][0].prefixlen, "network": network.pod_cidrs[0].prefixlen}
    (address,) = (one for one in addresses(eth0) if ":" not in one)
    if wiring.prefix_length:
        assert lengths[wiring.prefix_length] == int(address.partition("/")[2])
    if wiring.mtu_place == "route":
        assert 1500 == eth0[0]["mtu"]


def assert_default(wiring: Wiring, default: dict[str, Any], running: Any) -> None:
    if wiring.default_route == "device":
        assert "gateway" not in default
    elif modes.ATTACHMENTS[wiring.attachment or ""].node_gateway:
        assert str(running.cluster.node("a").pod_cidrs["default"][0][1]) == default["gateway"]
    else:
        assert (wiring.gateway or "169.254.1.1") == default["gateway"]
    if wiring.mtu_place == "route":
        assert [wiring.mtu or 1450] == [one["mtu"] for one in default["metrics"]]


@pytest.mark.parametrize("name", [name for name in NAMES if name in FACTS])
def test_a_node_has_the_routes_neighbours_and_settings_of_its_cni(name, lab, facts):
    """As the CNI sets them: the route to another node, entries of its tunnel, MTU, proxy ARP and hairpin mode."""
    expected = FACTS[name]
    running = lab(with_profile(name), *THINGS)
    node = running.cluster.node("b")
    other = str(node.pod_cidrs["default"][0])
    routes = {one["dst"]: one for one in facts(running, "node:a", "route", "show")}
    ports = [
        one
        for one in facts(running, "node:a", "-d", "link", "show")
        if one.get("linkinfo", {}).get("info_kind") == "veth" and one["ifname"] != "underlay0"
    ]
    (eth0,) = facts(running, "x/a", "link", "show", "dev", "eth0")
    if expected.device:
        route = routes[other]
        gateway = other.partition("/")[0] if expected.by_tunnel else str(node.addresses[0])
        assert (gateway, expected.device, expected.by_tunnel) == (
            route["gateway"],
            route["dev"],
            "onlink" in route["flags"],
        )
    else:
        assert "gateway" not in routes.get(other, {})
    if expected.by_tunnel:
        (near,) = facts(running, "node:a", "neigh", "show", "dev", expected.device)
        entries = facts(running, "node:a", "fdb", "show", "dev", expected.device, program="bridge")
        assert (other.partition("/")[0], ["PERMANENT"]) == (near["dst"], near["state"])
        assert [(near["lladdr"], str(node.addresses[0]))] == [
            (one["mac"], one["dst"]) for one in entries if "dst" in one
        ]
    assert expected.mtu == eth0["mtu"]
    assert {expected.hairpin} == {one["linkinfo"].get("info_slave_data", {}).get("hairpin", False) for one in ports}
    with netns.inside(names.endpoint_namespace(running.name, running.cluster.by_ref["node:a"])):
        answers = {Path(f"/proc/sys/net/ipv4/conf/{one['ifname']}/proxy_arp").read_text().strip() for one in ports}
    assert {str(int(expected.proxy_arp))} == answers


@pytest.mark.parametrize("name", FACTS)
def test_packets_have_the_source_address_that_the_cni_gives_them(name: str, lab: Callable[..., Lab]) -> None:
    """Packets of a pod are masqueraded to hosts, and by most CNIs to other nodes; those of nodes vary."""
    running = lab(with_profile(name), *PODS)
    expected, by_ref = FACTS[name], running.cluster.by_ref
    a, b = running.cluster.node("a"), running.cluster.node("b")
    own = str(by_ref["x/a"].addresses[0])
    sources = {
        "node": str(a.addresses[0]),
        "bridge": str(a.pod_cidrs["default"][0][1]),
        "tunnel": str(a.pod_cidrs["default"][0][0]),
        "pod": own,
    }

    assert sources["node"] == source_of(running, "x/a", "host:client")
    assert own == source_of(running, "x/a", "node:a")
    assert sources[expected.own_node] == source_of(running, "node:a", "x/a")
    if name == "docker":
        return
    assert own == source_of(running, "x/a", "x/c")
    assert sources[expected.to_nodes] == source_of(running, "x/a", f"node:{b.name}")
    assert sources[expected.other_node] == source_of(running, "node:a", "x/c")


def source_of(running: Lab, sender: str, receiver: str) -> str:
    """Return the source address of a datagram as its receiver sees it; no policy may deny it."""
    by_ref = running.cluster.by_ref
    with netns.inside(names.endpoint_namespace(running.name, by_ref[receiver])):
        listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with netns.inside(names.endpoint_namespace(running.name, by_ref[sender])):
        caller = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with listener, caller:
        listener.settimeout(HANGS)
        listener.bind(("", 4000))
        caller.sendto(b"?", (str(by_ref[receiver].addresses[0]), 4000))
        return str(listener.recvfrom(16)[1][0])
