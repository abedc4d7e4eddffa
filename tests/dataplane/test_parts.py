"""The part of a lab that one machine has, and what it wants of the whole."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest
from builders import cluster, pod, topology
from machines.labs import documents

from netlab import load, modes
from netlab.cluster import resolve
from netlab.cluster.types import ImpairedLink
from netlab.dataplane import names
from netlab.dataplane.part import MOST_LABS, parts
from netlab.dataplane.wanted import wanted
from netlab.errors import UsageError
from netlab.kernel.state import EVERY_MAC, ForwardingEntry, Link, Queue
from netlab.lab.lab import Lab
from netlab.lab.parts import from_json, to_json
from netlab.objects.links import Netem
from netlab.testing import FakeKernel

THREE = {name: ip_address(f"192.0.2.{number}") for number, name in enumerate(("one", "two", "three"), start=1)}
# The modes of networks whose links netlab makes.
MODES = [name for name, of in modes.MODES.items() if not of.attachment.by_plugins and name not in ("host", "none")]


def _cluster(mode="routed", **more):
    hosts = {"client": ["192.0.2.10"]}
    pods = (pod("x/a", node="a"), pod("x/b", node="b"), pod("x/c", node="c"), pod("x/host", node="c", host=True))
    return cluster(topology(["a", "b", "c"], mode=mode, hosts=hosts, **more), *pods)


def _entries(space):
    return {(one.mac, str(one.dst)) for one in space.items if isinstance(one, ForwardingEntry)}


@pytest.mark.parametrize("mode", MODES)
def test_the_parts_of_a_lab_are_the_whole(mode):
    """Every node, pod and outside host is wired as in a lab on one machine, if the machines' network is wide enough."""
    whole = _cluster(mode)
    underlay = names.underlay_namespace(whole.name)
    want = wanted(whole)
    found = [wanted(whole, part) for part in parts(whole, THREE, 7, machine_mtu=1550).values()]
    spaces = [name for one in found for name in one if name != underlay]

    assert sorted(spaces) == sorted(want.keys() - {underlay})
    assert all(one[name] == want[name] for one in found for name in one if name != underlay)
    ports = {item for one in found for item in one[underlay].items if not _of_tunnel(item)}
    assert want[underlay].items == ports


def _of_tunnel(item):
    return getattr(item, "name", getattr(item, "dev", "")) == names.TUNNEL


def test_a_lab_without_other_machines_is_wired_as_ever():
    """One machine needs no tunnel, and loses no bytes to it."""
    whole = _cluster()
    (part,) = parts(whole, {"only": THREE["one"]}, 7).values()

    assert wanted(whole) == wanted(whole, part)


def test_a_frame_goes_to_the_machine_of_its_destination_only():
    """Each MAC of the underlay has one entry; where no pod is on the underlay nothing is sent to every machine."""
    whole = _cluster()
    part = parts(whole, THREE, 7, placed={"host:client": "three"})["one"]
    space = wanted(whole, part)[names.underlay_namespace(whole.name)]
    (tunnel,) = (item for item in space.items if isinstance(item, Link) and item.kind == "vxlan")
    macs = {one.name: names.mac_of(one.addresses[0]) for one in (*whole.nodes, *whole.hosts)}
    of = {end.ref: peer for peer in part.peers for end in (*whole.nodes, *whole.hosts) if end.ref in peer.ends}

    assert {(macs[end.partition(":")[2]], str(peer.address)) for end, peer in of.items()} == _entries(space)
    assert 3 == len(_entries(space))
    assert {"id": 7, "dstport": 4789, "learning": 0, "local": "192.0.2.1"} == tunnel.options
    assert (True, 1450) == (tunnel.outer, tunnel.mtu)


def test_only_pods_on_the_underlay_have_broadcasts_sent_to_every_machine():
    """Pods of macvlan links look for neighbours, and have entries of their own."""
    whole = _cluster("macvlan")
    space = wanted(whole, parts(whole, THREE, 7)["one"])[names.underlay_namespace(whole.name)]

    assert {"192.0.2.2", "192.0.2.3"} == {address for mac, address in _entries(space) if mac == EVERY_MAC}
    stacked = {names.mac_of(one.addresses[0]) for one in whole.pods if one.traits.attachment.on_underlay}
    assert 2 == len(stacked & {mac for mac, _ in _entries(space)})


@pytest.mark.parametrize(("address", "mtu"), [("192.0.2.1", 1450), ("2001:db8::1", 1430)])
def test_the_mtu_of_the_lab_has_room_for_the_tunnel(address, mtu):
    """An outer IPv6 header has 20 bytes more; tunnels between nodes take their own bytes of what is left."""
    machines = {"one": ip_address(address), "two": ip_address(address) + 1}
    for mode, less in (("routed", 0), ("overlay", 50), ("macvlan", 0)):
        whole = _cluster(mode)
        for part in parts(whole, machines, 7).values():
            spaces = wanted(whole, part)
            pods = {space for space in spaces if ".pod." in space}
            links = {i.mtu for name in pods for i in spaces[name].items if isinstance(i, Link) and i.name == "eth0"}
            assert {mtu - less} == links


def test_an_mtu_that_the_input_chooses_still_fits_or_is_still_too_large():
    """A choice shrinks only as far as it must."""
    from netlab.dataplane.build import Build

    whole = _cluster("overlay")
    part = parts(whole, THREE, 7)["one"]
    build = Build(whole.name, whole.families, part)
    (network,) = whole.networks

    def chosen(mtu):
        wiring = replace(network.traits.wiring, mtu=mtu)
        return build.mtu_of_pods(replace(network, traits=replace(network.traits, wiring=wiring)), 1400)

    assert [1400, 1280, 1400, 1400, 1401, 1450] == [chosen(mtu) for mtu in (None, 1280, 1400, 1450, 1451, 1500)]


def test_every_machine_finds_the_same_parts():
    """Nodes go to machines evenly, by name; what is placed stays."""
    whole = _cluster()
    found = parts(whole, THREE, 7, placed={"node:b": "two"})

    assert found == parts(whole, dict(reversed(THREE.items())), 7, placed={"node:b": "two"})
    assert {"node:a", "host:client"} == found["one"].ends
    assert {"node:b"} == found["two"].ends - {"node:c"}
    every = [end for part in found.values() for end in part.ends]
    assert sorted(every) == sorted(one.ref for one in (*whole.nodes, *whole.hosts))
    assert all({peer.name for peer in part.peers} == found.keys() - {name} for name, part in found.items())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"number": 0}, "number of lab"),
        ({"number": MOST_LABS + 1}, "number of lab"),
        ({"port": 0}, "UDP port"),
        ({"machine_mtu": 600}, "leaves 550 to the lab"),
        ({"ends": frozenset()}, "is on no machine"),
        ({"ends": frozenset({"node:a", "node:b", "node:c", "host:client"})}, "is on several machines"),
        ({"ends": frozenset({"node:a", "host:client", "node:z"})}, "node:z is no node or outside host"),
        ({"address": ip_address("2001:db8::1")}, "another IP family"),
        ({"address": ip_address("224.0.0.1")}, "no address that other machines reach"),
        ({"address": ip_address("192.0.2.2")}, "have one address"),
        ({"machine_mtu": 65537}, "the MTU between machines is 65537; it must be at most 65536"),
        ({"machine_mtu": 10**12}, "it must be at most 65536"),
    ],
)
def test_a_part_that_does_not_fit_is_refused(change, words):
    """What would be wired wrong on some machine is an error before anything is made."""
    whole = _cluster()
    part = parts(whole, THREE, 7, placed={"node:a": "one", "node:b": "two", "node:c": "three", "host:client": "one"})[
        "one"
    ]

    with pytest.raises(UsageError, match=words):
        wanted(whole, replace(part, **change))


def test_a_part_is_the_same_after_the_record():
    """The record of a lab keeps its part."""
    part = parts(_cluster(), THREE, 7, port=4790, machine_mtu=9000)["two"]

    assert part == from_json(to_json(part))
    damaged: list[dict[str, object]] = [{"number": "7"}, {"address": 5}, {"peers": [{}]}, {"ends": [5]}]
    for wrong in damaged:
        with pytest.raises((TypeError, ValueError, KeyError)):
            from_json({**to_json(part), **wrong})


def test_a_part_on_no_machine_is_refused():
    """A lab needs a machine, and a node cannot be placed on an unknown one."""
    with pytest.raises(UsageError, match="no machine"):
        parts(_cluster(), {}, 7)
    with pytest.raises(UsageError, match="'four' is not there"):
        parts(_cluster(), THREE, 7, placed={"node:a": "four"})


def test_a_link_is_impaired_on_the_machine_of_its_ends_only():
    """All other machines are behind one port of the underlay, so a queue cannot tell them apart."""
    slow, part = Netem(delay=20_000_000), parts(_cluster(), THREE, 7)["one"]
    alone, near, far = (
        ImpairedLink(ends, slow) for ends in (("node:c",), ("host:client", "node:a"), ("node:a", "node:b"))
    )
    spaces = wanted(replace(_cluster(), links=(alone, near)), part)

    assert {names.underlay_namespace("default")} == {name for name, one in spaces.items() if one.of(Queue)}
    with pytest.raises(UsageError, match="between two machines: node:a and node:b"):
        wanted(replace(_cluster(), links=(far,)), part)


def test_a_part_is_in_the_record_and_in_every_change(tmp_path):
    """An opened lab has its part; a change of labels keeps it, and only the nodes of the part have rules."""
    kernel, file = FakeKernel(tmp_path / "labs"), tmp_path / "lab.yaml"
    file.write_text(documents("parted", "routed", 3))
    of, _ = load([str(file)])
    part = parts(resolve(of), THREE, 7, placed={"node:n2": "two", "node:n1": "one", "node:n3": "three"})["two"]
    with Lab.up(of, name="parted", machine=kernel, part=part):
        pass
    lab = Lab.open("parted", kernel)
    with pytest.raises(UsageError, match="change it with --etcd"):
        lab.edit(lambda now: now)
    made = lab.edit(lambda now: now, part=part)

    assert part == lab.part
    assert [] == lab.drift()
    assert not made
    assert {"netlab.parted.node.n2", "netlab.parted.pod.default.p2", "netlab.parted.underlay"} == {*kernel.spaces}
    assert (True, False) == (lab.here("netlab.parted.node.n2"), lab.here("netlab.parted.node.n1"))
    with pytest.raises(UsageError, match="on several machines"):
        Lab.up(of, name="parted", machine=kernel)
    lab.down()
    assert {} == dict(kernel.spaces)
