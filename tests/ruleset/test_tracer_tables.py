"""The tracer reads every table of every mode, and follows frames and translations."""

from pathlib import Path
from typing import Any

import pytest

from netlab.cluster import resolve
from netlab.conformance.shorthand import document
from netlab.dataplane.names import mac_of, port_name
from netlab.dataplane.node_rulesets import rulesets
from netlab.objects import decode, load
from netlab.testing.nft_text import SetText, TraceError
from netlab.testing.tracer import Link, Packet, Tracer

TOPOLOGIES = sorted((Path(__file__).parents[2] / "topologies").glob("*.yaml"))
UNDERLAY = Link("underlay0")
OUTSIDE = "192.0.2.10"


def lab(mode="bridge", nodes=1, ipv6=False, **networks):
    """Return a lab with pods a and b on its first node; a publishes port 80 as 8080, b as 8081 on one address."""
    cidrs = ["10.244.0.0/16", *(["fd00:10:244::/56"] if ipv6 else [])]
    spec = {
        "nodes": [{"name": f"n{n}"} for n in range(1, nodes + 1)],
        "networks": [
            {"name": "default", "mode": mode, "podCIDRs": cidrs},
            *({"name": name, "mode": mode, "podCIDRs": [cidr]} for name, cidr in networks.items()),
        ],
    }
    ports: dict[str, dict[str, Any]] = {
        "a": {"containerPort": 80, "hostPort": 8080},
        "b": {"containerPort": 80, "hostPort": 8081},
    }
    ports["b"]["hostIP"] = "100.64.0.1"
    pods = [
        document("Pod", f"x/{name}", {"nodeName": "n1", "containers": [{"name": "c", "image": "i", "ports": [port]}]})
        for name, port in ports.items()
    ]
    for network in networks:
        pods.append(document("Pod", f"x/{network}", {"nodeName": "n1", "containers": [{"name": "c", "image": "i"}]}))
        pods[-1].data["metadata"]["annotations"] = {"netlab/network": network}
    cluster = resolve(decode([document("Topology", "lab", spec), *pods])[0])
    return cluster, Tracer(rulesets(cluster)["n1"])


def address(cluster, name, family=4):
    """A pod's address."""
    return next(a for a in cluster.by_ref[f"x/{name}"].addresses if a.version == family)


def link(cluster, name):
    """The node's end of a pod's link."""
    pod = cluster.by_ref[f"x/{name}"]
    bridge = "br-default" if pod.traits.attachment.bridged else ""
    return Link(port_name(pod), mac_of(pod.addresses[0]), bridge)


@pytest.mark.parametrize("file", TOPOLOGIES, ids=lambda file: file.stem)
def test_it_reads_the_text_that_is_applied(file):
    """The tracer knows every rule of every node of every topology."""
    for ruleset in rulesets(resolve(load([str(file)])[0])).values():
        tracer = Tracer(ruleset)

        assert set(ruleset.sets) == set(tracer.tables.sets)
        assert {(table.title, chain.name) for table in ruleset.tables for chain in table.chains} == set(
            tracer.tables.chains
        )


@pytest.mark.parametrize("mode", ["bridge", "overlay", "routed"])
def test_a_pod_sends_from_its_own_address_only(mode):
    """A frame with another address, or another MAC, is dropped before policy."""
    cluster, tracer = lab(mode)
    own, port = address(cluster, "a"), link(cluster, "a")

    def verdict(source, came_by):
        return tracer.verdict(Packet(source, OUTSIDE, "TCP", 80, came_by=came_by, goes_by=UNDERLAY)).verdict

    assert "accept" == verdict(own, port)
    assert "drop" == verdict(address(cluster, "b"), port)
    assert "drop" == verdict(own, Link(port.ifname, "02:00:00:00:00:99", port.bridge))
    assert "accept" == verdict(OUTSIDE, UNDERLAY)


FRAMES = [
    pytest.param("accept", {"ether type": "arp", "arp saddr ip": "A", "arp saddr ether": "MAC"}, id="own ARP"),
    pytest.param("drop", {"ether type": "arp", "arp saddr ip": "B", "arp saddr ether": "MAC"}, id="ARP of another"),
    pytest.param("drop", {"ether type": "8021q"}, id="tagged"),
    pytest.param("drop", {"icmpv6 type": "nd-router-advert"}, id="router advertisement"),
    pytest.param("drop", {"icmpv6 type": "nd-neighbor-advert", "@th,64,128": "B"}, id="advertisement of another"),
    pytest.param("accept", {"icmpv6 type": "nd-neighbor-advert", "@th,64,128": "A"}, id="own advertisement"),
]


@pytest.mark.parametrize(("verdict", "fields"), FRAMES)
def test_frames(verdict, fields):
    """The verdict on ARP and neighbour discovery depends on the addresses inside."""
    cluster, tracer = lab(ipv6=True)
    family = 6 if any("icmpv6" in name for name in fields) else 4
    a, b = (address(cluster, name, family) for name in "ab")
    port = link(cluster, "a")
    known = {"A": str(a), "B": str(b), "MAC": port.mac}
    fields = {name: known.get(value, value) for name, value in fields.items()}
    packet = Packet(a, b, "ICMP", came_by=port, goes_by=link(cluster, "b"), fields=fields)

    assert verdict == tracer.verdict(packet).verdict


def test_a_bridged_packet_is_for_the_receiver_of_its_frame():
    """The bridge's forward chain drops a frame whose destination is not the address of the port's pod."""
    cluster, tracer = lab()
    a, b = address(cluster, "a"), address(cluster, "b")

    def verdict(goes_by):
        return tracer.verdict(Packet(a, b, "TCP", 80, came_by=link(cluster, "a"), goes_by=goes_by)).verdict

    assert "accept" == verdict(link(cluster, "b"))
    assert "drop" == verdict(link(cluster, "a"))


def test_a_published_port_is_followed_to_its_pod():
    """On every address of the node or on one; policy then sees the pod's own address and port."""
    cluster, tracer = lab()

    def sent(to, port):
        trace = tracer.verdict(Packet(OUTSIDE, to, "TCP", port, for_node=True, came_by=UNDERLAY))
        return trace.destination, trace.port

    assert (address(cluster, "a"), 80) == sent("100.64.0.1", 8080)
    assert (address(cluster, "b"), 80) == sent("100.64.0.1", 8081)
    assert 8081 == sent("10.244.0.1", 8081)[1]


@pytest.mark.parametrize(("mode", "masqueraded"), [("bridge", True), ("overlay", True), ("routed", False)])
def test_a_pod_leaves_the_cluster_as_its_node(mode, masqueraded):
    """Masquerade applies to packets that leave by the underlay to an address that is not a pod's."""
    cluster, tracer = lab(mode)

    def leaving(to):
        return tracer.verdict(Packet(address(cluster, "a"), to, "TCP", 80, goes_by=UNDERLAY)).masqueraded

    assert masqueraded == leaving(OUTSIDE)
    assert not leaving("10.244.9.9")


def test_networks_are_separate_except_for_published_ports():
    """Packets are dropped in both directions; a published port of the node is open to both networks."""
    cluster, tracer = lab(second="10.245.0.0/16")
    a, other = address(cluster, "a"), address(cluster, "second")

    assert "drop" == tracer.verdict(Packet(a, other, "TCP", 80)).verdict
    assert "drop" == tracer.verdict(Packet(other, a, "TCP", 80)).verdict
    assert "drop" == tracer.verdict(Packet(other, a, "253")).verdict
    assert "accept" == tracer.verdict(Packet(other, "100.64.0.1", "TCP", 8080, for_node=True)).verdict


def test_tunnels_join_nodes_only():
    """A node drops VXLAN from other machines, and does not forward it to a node; VXLAN of nodes is not tracked."""
    cluster, tracer = lab("overlay", nodes=2)
    own, far = (str(node.addresses[0]) for node in cluster.nodes)

    assert "untracked" == tracer.verdict(Packet(far, own, "UDP", 8472, for_node=True)).state
    assert "drop" == tracer.verdict(Packet(OUTSIDE, own, "UDP", 8472, for_node=True)).verdict
    assert "drop" == tracer.verdict(Packet(address(cluster, "a"), far, "UDP", 8472)).verdict
    assert "untracked" == tracer.verdict(Packet(own, far, "UDP", 8472, from_node=True)).state


def test_any_field_of_an_interval_set_may_be_a_range():
    """A lookup compares all fields of a key, and overlapping elements are an error."""
    found = SetText("s", ("ipv4_addr", "ipv4_addr"), interval=True)
    found.add("10.0.0.0/8 . 192.0.2.0/24")
    found.add("10.0.0.0/8 . 192.0.3.1")
    found.add("11.0.0.1 . 192.0.2.0-192.0.2.9")

    def at(*parts):
        from ipaddress import ip_address

        return found.find(tuple(int(ip_address(part)) for part in parts)) is not None

    assert at("10.255.0.0", "192.0.2.255")
    assert at("10.0.0.0", "192.0.3.1")
    assert at("11.0.0.1", "192.0.2.9")
    assert not at("11.0.0.1", "192.0.2.10")
    assert not at("9.255.255.255", "192.0.2.0")
    with pytest.raises(TraceError, match="overlaps"):
        found.add("10.1.0.0/16 . 192.0.2.7")
