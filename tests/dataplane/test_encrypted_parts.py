"""The part of an encrypted lab: the tunnel to other machines is inside of a WireGuard device."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest
from builders import cluster, pod, topology

from netlab.dataplane import names
from netlab.dataplane.part import parts
from netlab.dataplane.plan import difference
from netlab.dataplane.wanted import wanted
from netlab.errors import UsageError
from netlab.kernel.state import ForwardingEntry, InterfaceAddress, Link, Route, Sysctl
from netlab.lab.parts import from_json, to_json

MACHINES = {4: "192.0.2.1", 6: "2001:db8::1"}


def _cluster(mode="routed"):
    pods = (pod("x/a", node="a"), pod("x/b", node="b"), pod("x/c", node="c"))
    return cluster(topology(["a", "b", "c"], mode=mode), *pods)


def _part(whole, family=4, **more):
    first = ip_address(MACHINES[family])
    return parts(whole, {"one": first, "two": first + 1, "three": first + 2}, 7, encrypted=True, **more)["one"]


def _underlay(whole, part):
    return wanted(whole, part)[names.underlay_namespace(whole.name)]


def _links(space):
    return {one.name: one for one in space.items if isinstance(one, Link)}


@pytest.mark.parametrize("family", [4, 6])
def test_only_the_packets_of_wireguard_leave_the_underlay(family):
    """The VXLAN device has its packets in the underlay's namespace, which reaches machines by WireGuard only."""
    whole = _cluster()
    space = _underlay(whole, _part(whole, family))
    links, own = _links(space), ip_address(MACHINES[family])

    assert {"wireguard"} == {name for name, link in links.items() if link.outer}
    assert ("vxlan", "underlay") == (links["encrypted"].kind, links["encrypted"].master)
    assert names.TUNNEL not in links
    assert str(own) == links["encrypted"].options["local" if family == 4 else "local6"]
    assert {(str(own), "wireguard")} == {(str(i.interface.ip), i.dev) for i in space.of(InterfaceAddress)}
    to = {(str(route.prefix[0]), route.prefix.num_addresses, route.dev) for route in space.of(Route)}
    assert {(str(own + 1), 1, "wireguard"), (str(own + 2), 1, "wireguard")} == to
    assert {own + 1, own + 2} == {entry.dst for entry in space.of(ForwardingEntry)}


@pytest.mark.parametrize(("family", "wireguard", "lab"), [(4, 1440, 1390), (6, 1420, 1350)])
def test_the_mtu_has_room_for_both_tunnels(family, wireguard, lab):
    """WireGuard takes 60 bytes with outer IPv4 and 80 with IPv6, VXLAN inside 50 or 70, a tunnel of nodes 50 more."""
    for mode, less in (("routed", 0), ("overlay", 50)):
        whole = _cluster(mode)
        part = _part(whole, family)
        links = _links(_underlay(whole, part))
        of_pod = _links(wanted(whole, part)[names.own_namespace(whole.name, "x", "a")])

        assert (wireguard, lab) == (links["wireguard"].mtu, links["encrypted"].mtu)
        assert lab - less == of_pod["eth0"].mtu


def test_the_underlay_answers_for_no_machine():
    """A node may have the address of a machine, and pods on the underlay ask for its MAC."""
    whole = _cluster()
    settings = {(i.name, i.value) for i in _underlay(whole, _part(whole)).of(Sysctl) if isinstance(i, Sysctl)}

    assert {("ipv4/conf/all/arp_ignore", "1"), ("ipv4/ip_forward", "0")} <= settings


def test_ipv6_is_on_where_the_tunnel_has_ipv6_ends_only():
    """Without it the kernel would refuse the address; the bridge has none of its own."""
    whole = _cluster()
    found = {
        family: {(i.name, i.value) for i in _underlay(whole, _part(whole, family)).of(Sysctl) if isinstance(i, Sysctl)}
        for family in (4, 6)
    }

    assert ("ipv6/conf/all/disable_ipv6", "1") in found[4]
    assert {("ipv6/conf/all/disable_ipv6", "0"), ("ipv6/conf/default/addr_gen_mode", "1")} <= found[6]


def test_nodes_and_pods_are_wired_as_without_encryption():
    """Where the network between machines has 60 bytes more, only the underlay differs."""
    whole = _cluster("overlay")
    plain = parts(whole, {"one": ip_address("192.0.2.1"), "two": ip_address("192.0.2.2")}, 7)["one"]
    encrypted = replace(plain, encrypted=True, machine_mtu=1560)
    want, found = wanted(whole, plain), wanted(whole, encrypted)

    assert want.keys() == found.keys()
    assert {names.underlay_namespace(whole.name)} == {name for name in want if want[name] != found[name]}


def test_a_tunnel_in_the_clear_is_deleted_when_the_lab_is_encrypted():
    """The devices have other names, so neither can be taken for the other; and back."""
    whole = _cluster()
    encrypted = _part(whole)
    states = [wanted(whole, replace(encrypted, encrypted=on)) for on in (False, True)]
    for before, after, gone in ((0, 1, {"machines"}), (1, 0, {"encrypted", "wireguard"})):
        changes = difference(states[before], states[after]).changes

        assert gone == {c.item.name for c in changes if c.verb == "delete" and isinstance(c.item, Link)}


def test_a_lab_on_one_machine_needs_no_wireguard():
    """It has no tunnel."""
    whole = _cluster()
    (part,) = parts(whole, {"only": ip_address("192.0.2.1")}, 7, encrypted=True).values()

    assert wanted(whole) == wanted(whole, part)


def test_an_mtu_between_machines_that_leaves_too_little_is_refused():
    """680 bytes would do without encryption: IPv4 needs 576."""
    with pytest.raises(UsageError, match="an MTU of 680 between machines leaves 570 to the lab"):
        _part(_cluster(), machine_mtu=680)


def test_encryption_is_in_the_record_of_the_part():
    """A record of before has none, and a wrong value is damage."""
    part = _part(_cluster())
    old = {name: value for name, value in to_json(part).items() if name != "encrypted"}

    assert part == from_json(to_json(part))
    assert not from_json(old).encrypted
    with pytest.raises(TypeError):
        from_json({**to_json(part), "encrypted": 1})
