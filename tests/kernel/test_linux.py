"""The default kernel applies changes in few batches, reads them back as values, and reports what the kernel refused."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from ipaddress import ip_address, ip_interface, ip_network

import iproute2
import pytest
from iproute2 import columns, ip

from netlab.errors import KernelError
from netlab.kernel import netns
from netlab.kernel.state import Change, InterfaceAddress, Link, Neighbour, Route, Sysctl


def _add(namespace, *items):
    return [Change("add", namespace, item) for item in items]


def _pair(left, right):
    """A veth pair between a bridge in one namespace and another namespace, with addresses."""
    return [
        *_add(
            left,
            Link("br0", "bridge", mac="0a:59:00:00:00:01", options={"stp_state": 0, "forward_delay": 0}),
            Link("port1", "veth", mac="0a:59:00:00:00:02", master="br0", peer=(right, "eth0"), owner=True),
            InterfaceAddress("br0", ip_interface("198.18.0.1/24")),
        ),
        *_add(
            right,
            Link("eth0", "veth", mac="0a:58:c6:12:00:02", peer=(left, "port1")),
            InterfaceAddress("eth0", ip_interface("198.18.0.2/24")),
            Route(ip_network("0.0.0.0/0"), "eth0", via=ip_address("198.18.0.1")),
            Neighbour("eth0", ip_address("198.18.0.1"), "0a:59:00:00:00:01"),
            Sysctl("ipv4/icmp_ratelimit", "0"),
        ),
    ]


def test_what_was_added_is_read_back_as_the_same_values(spaces, kernel):
    """Reading returns exactly the items that were added."""
    left, right = spaces("left", "right")
    changes = _pair(left, right)
    kernel.apply(changes)
    found = {
        name: {
            i
            for i in kernel.read(name, ["ipv4/icmp_ratelimit"]).items
            if i != Link("lo", "loopback", mtu=65536, up=False)
        }
        for name in (left, right)
    }

    assert {i for c in changes if (i := c.item) and c.namespace == left} == {
        i for i in found[left] if not isinstance(i, Sysctl)
    }
    assert {c.item for c in changes if c.namespace == right} == found[right]


def test_iproute2_sees_the_same_things(spaces, kernel):
    """An independent reader agrees: ``ip`` lists the link, its master and its address."""
    left, right = spaces("left", "right")
    kernel.apply(_pair(left, right))
    kernel.wait_until_ready([left])
    with netns.inside(left):
        links = columns(ip("link"), "ifname", "master", "operstate")
    with netns.inside(right):
        found = iproute2.addresses(ip("address"))

    assert ("port1", "br0", "UP") in links
    assert "198.18.0.2/24" in found


def test_pyroute2_sees_the_same_things(spaces, kernel):
    """A second independent reader agrees on MAC, MTU and route."""
    from pyroute2 import IPRoute

    left, right = spaces("left", "right")
    kernel.apply(_pair(left, right))
    with netns.inside(right), IPRoute() as ip:
        (link,) = ip.link("get", ifname="eth0")
        gateways = [r.get_attr("RTA_GATEWAY") for r in ip.get_routes(family=2, table=254)]

    assert "0a:58:c6:12:00:02" == link.get_attr("IFLA_ADDRESS")
    assert 1500 == link.get_attr("IFLA_MTU")
    assert "198.18.0.1" in gateways


def test_every_change_is_tried_and_the_first_refusal_is_raised(spaces, kernel):
    """A refused change does not stop the others, and the message names it."""
    (name,) = spaces("a")
    bad = Route(ip_network("203.0.113.0/24"), "lo", via=ip_address("198.51.100.1"))
    good = InterfaceAddress("lo", ip_interface("198.18.9.9/32"))
    with pytest.raises(KernelError, match=r"203\.0\.113\.0/24") as caught:
        kernel.apply(_add(name, Link("lo", "loopback", mtu=65536), bad) + _add(name, good))
    items = kernel.read(name).items

    assert name in str(caught.value)
    assert good in items


def test_deleting_what_is_gone_already_is_no_error(spaces, kernel):
    """The item went with its link, or a user deleted it."""
    left, right = spaces("left", "right")
    changes = _pair(left, right)
    kernel.apply(changes)
    gone = [Change("delete", c.namespace, c.item) for c in changes if not isinstance(c.item, Sysctl)]
    kernel.apply(gone)
    kernel.apply(gone)
    left_over = [i for i in kernel.read(right).items if not (isinstance(i, Link) and i.kind == "loopback")]

    assert [] == left_over


def test_many_links_go_at_once_and_no_others(spaces, kernel):
    """Other links stay, and a link that is gone already is no error."""
    left, right = spaces("left", "right")
    ports = [Link(f"port{i}", "veth", peer=(right, f"eth{i}"), owner=True) for i in range(300)]
    others = [Link(f"eth{i}", "veth", peer=(left, f"port{i}")) for i in range(300)]
    kernel.apply(_add(left, *ports) + _add(right, *others))
    subprocess.run(["ip", "-n", left, "link", "set", "port7", "group", "7"], check=True)
    subprocess.run(["ip", "-n", left, "link", "delete", "port8"], check=True)
    kernel.apply([Change("delete", left, port) for port in ports if port.name != "port7"])

    assert {"lo", "port7"} == {i.name for i in kernel.read(left).items if isinstance(i, Link)}
    assert {"lo", "eth7"} == {i.name for i in kernel.read(right).items if isinstance(i, Link)}


def test_hundreds_of_requests_go_in_one_call(spaces, kernel):
    """Batches larger than a datagram are split, and all of them arrive."""
    (name,) = spaces("a")
    addresses = {InterfaceAddress("lo", ip_interface(f"198.18.{i // 200}.{i % 200 + 1}/32")) for i in range(2000)}
    kernel.apply(_add(name, Link("lo", "loopback", mtu=65536), *addresses))
    found = {i for i in kernel.read(name).items if isinstance(i, InterfaceAddress)}

    assert addresses == found


def test_waiting_for_links_names_the_one_that_never_carries_traffic(spaces, kernel, monkeypatch):
    """A port whose other end is down is an error after some seconds."""
    monkeypatch.setattr("netlab.kernel.linux._READY_SECONDS", 0.05)
    left, right = spaces("left", "right")
    kernel.apply(
        _add(
            left,
            Link("br0", "bridge", options={"stp_state": 0}),
            Link("port1", "veth", master="br0", peer=(right, "eth0"), owner=True),
        )
        + _add(right, Link("eth0", "veth", peer=(left, "port1"), up=False))
    )
    with pytest.raises(KernelError, match="port1"):
        kernel.wait_until_ready([left])


def test_the_ends_of_a_link_never_have_one_index(spaces, kernel):
    """The kernel announces the carrier of such a link up to a second later (linkwatch_urgent_event)."""
    left, right, third, fourth = spaces("left", "right", "third", "fourth")

    def port(owner, name, other, device):
        own, peer = Link(name, "veth", peer=(other, device), owner=True), Link(device, "veth", peer=(owner, name))
        return [*_add(owner, own), *_add(other, peer)]

    kernel.apply(port(right, "port1", third, "eth0"))
    kernel.apply([*port(left, "port1", fourth, "eth0"), *port(left, "port2", right, "eth0")])
    (shown,) = ip("link", "show", "eth0", namespace=right)

    assert shown["ifindex"] != shown["link_index"]


def test_a_link_that_stands_on_another_has_no_index_of_the_others_namespace(spaces, kernel):
    """Kernels before 6.13 say that the link exists, as they look its index up where its parent is."""
    left, right, third = spaces("left", "right", "third")
    kernel.apply(_pair(left, right))
    child = Link("eth0", "macvlan", "0a:58:c6:12:00:03", parent=(left, "br0"), options={"mode": 4})
    kernel.apply(_add(third, child))
    (shown,) = ip("link", "show", "eth0", namespace=third)

    assert shown["ifindex"] not in {link["ifindex"] for link in ip("link", "show", namespace=left)}


def test_links_that_the_kernel_puts_into_each_new_namespace_are_in_no_way(spaces, kernel):
    """Where modules of tunnels are loaded, a namespace begins with links like tunl0, which have the first indexes."""
    left, right = spaces("left", "right")
    for namespace in (left, right):
        for number in range(8):
            ip("link", "add", f"found{number}", "type", "bridge", namespace=namespace)
    kernel.apply(_pair(left, right))
    kernel.wait_until_ready([left])

    assert {"found0", "br0", "port1"} < {link["ifname"] for link in ip("link", "show", namespace=left)}
    assert {"found0", "eth0"} < {link["ifname"] for link in ip("link", "show", namespace=right)}


def test_a_link_that_is_set_keeps_its_neighbours_unless_its_mac_changes(spaces, kernel):
    """The kernel forgets permanent neighbours for any MAC that it is given, so one is given where it differs only."""
    left, right = spaces("left", "right")
    kernel.apply(_pair(left, right))
    eth0 = Link("eth0", "veth", mac="0a:58:c6:12:00:02", mtu=1400, peer=(left, "port1"))
    kernel.apply(_add(right, eth0))
    kept = kernel.read(right).of(Neighbour)
    kernel.apply(_add(right, replace(eth0, mac="0a:58:c6:12:00:03")))

    assert [Neighbour("eth0", ip_address("198.18.0.1"), "0a:59:00:00:00:01")] == kept
    assert [] == kernel.read(right).of(Neighbour)


def test_an_interface_that_went_with_its_other_end_is_made_again(spaces, kernel):
    """Another kind of link may take its name, in a namespace that was not read since."""
    left, right = spaces("left", "right")
    kernel.apply(_pair(left, right))
    kernel.apply([Change("delete", left, Link("port1", "veth"))])
    kernel.apply(_add(left, Link("below", "bridge")))
    kernel.apply(_add(right, Link("eth0", "macvlan", "0a:58:c6:12:00:02", parent=(left, "below"), options={"mode": 4})))
    found = [link for link in kernel.read(right).of(Link) if link.name == "eth0"]

    assert [("macvlan", {"mode": 4})] == [(link.kind, link.options) for link in found]


def test_an_overridden_setting_of_a_link_is_read_and_reset(spaces, kernel):
    """Only where the namespace's setting is wanted; the link then has its value."""
    (name,) = spaces("a")
    bridge, wanted = Link("br0", "bridge", mac="0a:59:00:00:00:01"), "ipv4/ip_forward"
    kernel.apply(_add(name, Sysctl(wanted, "1"), bridge))
    with netns.inside(name):
        subprocess.run(["sysctl", "-qw", "net.ipv4.conf.br0.forwarding=0"], check=True)
    unasked = kernel.read(name).items
    overridden = kernel.read(name, [wanted]).items
    kernel.apply(_add(name, bridge))

    assert bridge in unasked
    assert replace(bridge, overrides=("ipv4/conf/{}/forwarding",)) in overridden
    assert bridge in kernel.read(name, [wanted]).items
