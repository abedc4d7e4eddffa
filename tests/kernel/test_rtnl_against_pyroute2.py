"""Every request that netlab packs is, byte for byte, what pyroute2 encodes; what pyroute2 encodes is read alike.

pyroute2 is an independent implementation. A message is written here as its fields and attributes, by pyroute2's names.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_interface, ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroute2 import netlink as nl
from pyroute2.netlink import rtnl as numbers
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.ndmsg import ndmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from netlab.kernel import neighbours, rtnl
from netlab.kernel.netlink import Message, Netlink, request
from netlab.kernel.state import EVERY_MAC, ForwardingEntry, InterfaceAddress, Link, Neighbour, Route

FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
CREATE, REPLACE = nl.NLM_F_CREATE, nl.NLM_F_REPLACE

U32 = st.integers(0, 0xFFFFFFFF)
INDEX = st.integers(1, 0x7FFFFFFF)
MTU = st.integers(68, 65535)
# IFNAMSIZ is 16 with the zero at the end; the kernel refuses '/' and blanks.
NAMES = st.text("abcdefghijklmnopqrstuvwxyzABCXYZ0123456789-._@:", min_size=1, max_size=15)
MACS = st.binary(min_size=6, max_size=6).map(lambda raw: raw.hex(":"))
IPV4, IPV6 = st.integers(0, 2**32 - 1).map(IPv4Address), st.integers(0, 2**128 - 1).map(IPv6Address)
ADDRESSES = IPV4 | IPV6
# pyroute2 names no address :: or 0.0.0.0 as the default route; both stand for "no address" in a route.
INTERFACES = st.builds(lambda a, n: ip_interface(f"{a}/{n % (a.max_prefixlen + 1)}"), ADDRESSES, st.integers(0, 128))
LINKS = st.builds(
    Link,
    name=NAMES,
    kind=st.just("veth"),
    mac=MACS | st.just(""),
    mtu=MTU,
    master=st.sampled_from(["", "br0"]),
    up=st.booleans(),
    hairpin=st.booleans(),
)
OPTIONS = {
    "bridge": st.fixed_dictionaries(
        {}, optional={"forward_delay": U32, "stp_state": U32, "mcast_snooping": st.integers(0, 255)}
    ),
    "vxlan": st.fixed_dictionaries(
        {},
        optional={
            "id": st.integers(0, 2**24 - 1),
            "local": IPV4.map(str),
            "learning": st.integers(0, 1),
            "dstport": st.integers(0, 0xFFFF),
            "local6": IPV6.map(str),
        },
    ),
    "macvlan": st.fixed_dictionaries({}, optional={"mode": st.sampled_from([1, 2, 4, 8, 16])}),
    "ipip": st.fixed_dictionaries({}, optional={"local": IPV4.map(str)}),
}
NAMED = {
    "forward_delay": "IFLA_BR_FORWARD_DELAY",
    "stp_state": "IFLA_BR_STP_STATE",
    "mcast_snooping": "IFLA_BR_MCAST_SNOOPING",
    "id": "IFLA_VXLAN_ID",
    "local": "IFLA_VXLAN_LOCAL",
    "learning": "IFLA_VXLAN_LEARNING",
    "dstport": "IFLA_VXLAN_PORT",
    "local6": "IFLA_VXLAN_LOCAL6",
    "mode": "IFLA_MACVLAN_MODE",
}


def encoded(message: Any, kind: int, flags: int, fields: dict[str, int], attrs: Sequence[tuple[str, Any]]) -> bytes:
    """The whole request as pyroute2 encodes it, with its header."""
    message["header"] = {"type": kind, "flags": flags | nl.NLM_F_REQUEST, "sequence_number": 7, "pid": 0}
    for name, value in fields.items():
        message[name] = value
    message["attrs"] = [list(pair) for pair in attrs]
    message.encode()
    return bytes(message.data)


def packed(message: Message) -> bytes:
    """The whole request as netlab sends it."""
    return request(message.type, message.flags, message.body, 7)


def link_fields(index: int = 0, flags: int = 0, change: int = 0) -> dict[str, int]:
    return {"family": 0, "ifi_type": 0, "index": index, "flags": flags, "change": change}


def link_attrs(link: Link) -> list[tuple[str, Any]]:
    attrs: list[tuple[str, Any]] = [("IFLA_IFNAME", link.name), ("IFLA_MTU", link.mtu)]
    if link.mac:
        attrs.append(("IFLA_ADDRESS", link.mac))
    if link.kind == "veth":
        attrs += [("IFLA_NUM_TX_QUEUES", 1), ("IFLA_NUM_RX_QUEUES", 1)]
    return attrs


def new_link(link: Link, index: int, attrs: list[tuple[str, Any]], data: list[list[Any]]) -> bytes:
    info: list[list[Any]] = [["IFLA_INFO_KIND", link.kind]]
    info += [["IFLA_INFO_DATA", {"attrs": data}]] if data else []
    flags = int(link.up)
    attrs = [*link_attrs(link), *attrs, ("IFLA_LINKINFO", {"attrs": info})]
    fields = link_fields(index, flags, flags)
    return encoded(ifinfmsg(), numbers.RTM_NEWLINK, CREATE | nl.NLM_F_EXCL, fields, attrs)


def data_of(link: Link) -> list[list[Any]]:
    named = {**NAMED, "local": "IFLA_IPIP_LOCAL"} if link.kind == "ipip" else NAMED
    return [[named[name], value] for name, value in link.options.items()]


@given(LINKS, LINKS, INDEX, INDEX, INDEX, st.integers(3, 0x7FFFFFFF))
def test_link_add_of_a_veth(link, other, index, other_index, master, fd):
    """Both ends are made by one request, which names the namespace of the other end by a file descriptor."""
    peer: dict[str, Any] = {**link_fields(other_index), "attrs": [list(pair) for pair in link_attrs(other)]}
    peer["attrs"].append(["IFLA_NET_NS_FD", fd])
    attrs = [("IFLA_MASTER", master)] if link.master else []

    found = packed(rtnl.new_link(link, index, {"br0": master}, (other, other_index, fd)))
    assert new_link(link, index, attrs, [["VETH_INFO_PEER", peer]]) == found


@pytest.mark.parametrize("kind", ["bridge", "vxlan", "macvlan", "ipip"])
@given(LINKS, INDEX, INDEX, st.data())
def test_link_add_of_other_kinds_with_all_options(kind, link, index, master, data):
    link = replace(link, kind=kind, options=data.draw(OPTIONS[kind]))
    attrs = [("IFLA_MASTER", master)] if link.master else []

    assert new_link(link, index, attrs, data_of(link)) == packed(rtnl.new_link(link, index, {"br0": master}))


@pytest.mark.parametrize("kind", ["vxlan", "macvlan"])
@given(LINKS, INDEX, INDEX, st.integers(3, 0x7FFFFFFF), st.data())
def test_link_add_of_what_stands_on_another_link(kind, link, index, below, fd, data):
    """It goes to the namespace of the link below, and names its own by a file descriptor."""
    link = replace(link, kind=kind, master="", options=data.draw(OPTIONS[kind]))
    attrs: list[tuple[str, Any]] = [("IFLA_NET_NS_FD", fd)]
    options = data_of(link)
    if kind == "vxlan":
        options.append(["IFLA_VXLAN_LINK", below])
    else:
        attrs.append(("IFLA_LINK", below))

    assert new_link(link, index, attrs, options) == packed(rtnl.new_link(link, index, {}, parent=(below, fd)))


@given(LINKS, INDEX, INDEX, st.booleans(), st.booleans())
def test_link_set(link, index, master, loopback, known):
    link = replace(link, kind="loopback") if loopback else link
    attrs: list[tuple[str, Any]] = [("IFLA_MTU", link.mtu)]
    if not loopback:
        attrs += [("IFLA_ADDRESS", link.mac)] if link.mac and not known else []
        attrs.append(("IFLA_MASTER", master if link.master else 0))

    found = packed(rtnl.set_link(link, index, {"br0": master}, link.mac if known else ""))
    assert encoded(ifinfmsg(), numbers.RTM_NEWLINK, 0, link_fields(index, int(link.up), 1), attrs) == found


@given(LINKS, INDEX)
def test_link_set_of_a_bridge_port(link, index):
    port: list[list[Any]] = [["IFLA_INFO_SLAVE_KIND", "bridge"]]
    port.append(["IFLA_INFO_SLAVE_DATA", {"attrs": [["IFLA_BRPORT_MODE", int(link.hairpin)]]}])
    wanted = encoded(ifinfmsg(), numbers.RTM_NEWLINK, 0, link_fields(index), [("IFLA_LINKINFO", {"attrs": port})])

    assert wanted == packed(rtnl.set_hairpin(link, index))


@given(LINKS, INDEX)
def test_link_set_up_and_down(link, index):
    wanted = encoded(ifinfmsg(), numbers.RTM_NEWLINK, 0, link_fields(index, int(link.up), 1), [])

    assert wanted == packed(rtnl.raise_link(link, index))


@given(NAMES, INDEX, U32)
def test_link_delete_by_group(name, index, group):
    """A link is put into a group, and the group is deleted."""
    attrs = [("IFLA_GROUP", group)]

    joined, deleted = packed(rtnl.group_link(name, index, group)), packed(rtnl.delete_group(group))
    assert encoded(ifinfmsg(), numbers.RTM_NEWLINK, 0, link_fields(index), attrs) == joined
    assert encoded(ifinfmsg(), numbers.RTM_DELLINK, 0, link_fields(), attrs) == deleted


@given(INTERFACES, INDEX, st.booleans())
def test_addr_add_and_delete(interface, index, delete):
    """IPv6 addresses skip duplicate address detection (IFA_F_NODAD and IFA_F_PERMANENT)."""
    fields = {"prefixlen": interface.network.prefixlen, "flags": 0, "scope": 0, "index": index}
    fields["family"] = FAMILIES[interface.version]
    attrs: list[tuple[str, Any]] = [("IFA_LOCAL", str(interface.ip)), ("IFA_ADDRESS", str(interface.ip))]
    if interface.version == 6 and not delete:
        attrs.append(("IFA_FLAGS", 0x82))
    kind, flags = (numbers.RTM_DELADDR, 0) if delete else (numbers.RTM_NEWADDR, CREATE | REPLACE)

    found = packed(rtnl.address(InterfaceAddress("eth0", interface), index, delete=delete))
    assert encoded(ifaddrmsg(), kind, flags, fields, attrs) == found


@st.composite
def routes(draw: st.DrawFn) -> Route:
    prefix = draw(INTERFACES).network
    same = IPV4 if prefix.version == 4 else IPV6
    mtu = draw(st.integers(0, 65535))
    return Route(prefix, "eth0", draw(same | st.none()), draw(st.booleans()), draw(same | st.none()), mtu)


def route_fields(route: Route) -> dict[str, int]:
    on_link = route.via is None and route.prefix.version == 4
    return {
        "family": FAMILIES[route.prefix.version],
        "dst_len": route.prefix.prefixlen,
        "src_len": 0,
        "tos": 0,
        "table": 254,
        "proto": numbers.rt_proto["static"],
        "scope": numbers.rt_scope["link" if on_link else "universe"],
        "type": numbers.rt_type["unicast"],
        "flags": 4 if route.onlink else 0,
    }


def route_attrs(route: Route, index: int) -> list[tuple[str, Any]]:
    attrs: list[tuple[str, Any]] = []
    if route.prefix.prefixlen:
        attrs.append(("RTA_DST", str(route.prefix.network_address)))
    attrs += [("RTA_GATEWAY", str(route.via))] if route.via is not None else []
    attrs += [("RTA_PREFSRC", str(route.source))] if route.source is not None else []
    attrs += [("RTA_METRICS", {"attrs": [["RTAX_MTU", route.mtu]]})] if route.mtu else []
    return [*attrs, ("RTA_OIF", index)]


@given(routes(), INDEX, st.booleans())
def test_route_add_and_delete(route, index, delete):
    kind, flags = (numbers.RTM_DELROUTE, 0) if delete else (numbers.RTM_NEWROUTE, CREATE | REPLACE)

    wanted = encoded(rtmsg(), kind, flags, route_fields(route), route_attrs(route, index))
    assert wanted == packed(rtnl.route(route, index, delete=delete))


def neighbour_message(address: Any, mac: str, index: int, kind: int, flags: int) -> bytes:
    fields = {"family": FAMILIES[address.version], "ifindex": index, "state": 0x80, "flags": 0, "ndm_type": 0}
    return encoded(ndmsg(), kind, flags, fields, [("NDA_DST", str(address)), ("NDA_LLADDR", mac)])


@given(ADDRESSES, MACS, INDEX, st.booleans())
def test_neigh_add_and_delete(address, mac, index, delete):
    kind, flags = (numbers.RTM_DELNEIGH, 0) if delete else (numbers.RTM_NEWNEIGH, CREATE | REPLACE)

    found = packed(rtnl.neighbour(Neighbour("eth0", address, mac), index, delete=delete))
    assert neighbour_message(address, mac, index, kind, flags) == found


@given(ADDRESSES, MACS, INDEX, st.booleans())
def test_neigh_add_that_keeps_an_entry_which_is_there(address, mac, index, delete):
    """A probe's entries replace none (no NLM_F_REPLACE)."""
    kind, flags = (numbers.RTM_DELNEIGH, 0) if delete else (numbers.RTM_NEWNEIGH, CREATE)
    entries = {("eth0", address.packed): neighbours.entry(address.packed, rtnl.mac_bytes(mac))}

    of, given, (body,) = neighbours.requests(entries, {"lo": 1, "eth0": index}, delete=delete)
    assert neighbour_message(address, mac, index, kind, flags) == packed(Message(of, given, body, "neighbour"))


@given(ADDRESSES, MACS | st.just(EVERY_MAC), INDEX, st.booleans())
def test_fdb_add_and_delete(address, mac, index, delete):
    """``bridge fdb add MAC dev VXLAN dst ADDRESS self permanent``."""
    how = nl.NLM_F_APPEND if mac == EVERY_MAC else REPLACE
    kind, flags = (numbers.RTM_DELNEIGH, 0) if delete else (numbers.RTM_NEWNEIGH, CREATE | how)
    fields = {"family": socket.AF_BRIDGE, "ifindex": index, "state": 0xC0, "flags": 2, "ndm_type": 0}
    wanted = encoded(ndmsg(), kind, flags, fields, [("NDA_DST", str(address)), ("NDA_LLADDR", mac)])

    found = packed(rtnl.forwarding_entry(ForwardingEntry("vxlan", mac, address), index, delete=delete))
    assert wanted == found


# --- answers --------------------------------------------------------------------------------------------------------


class Answers(Netlink):
    """A netlink socket whose dumps answer with given messages, and which keeps the requests."""

    def __init__(self, *dumps: Sequence[bytes]) -> None:
        self._dumps = list(dumps)
        self.asked: list[bytes] = []

    def dump(self, kind: int, body: bytes) -> list[tuple[int, bytes]]:
        self.asked.append(request(kind, nl.NLM_F_DUMP, body, 7))
        return [(kind, message[16:]) for message in self._dumps.pop(0)]


@given(st.lists(LINKS, unique_by=lambda link: link.name, min_size=1, max_size=3), st.data())
def test_links_are_read_as_pyroute2_encodes_them(links, data):
    """With the name of the master, the options of a VXLAN or macvlan device, and the state of a bridge's port."""
    bridge = Link("br0", "bridge", mac="02:00:00:00:00:01")
    wanted = [(bridge, True)]
    messages = [answered(bridge, 1, 6, None, {})]
    for place, one in enumerate(link for link in links if link.name != "br0"):
        kind = data.draw(st.sampled_from(["veth", "vxlan", "macvlan"]))
        options = data.draw(OPTIONS[kind]) if kind in OPTIONS else {}
        operstate, port = data.draw(st.sampled_from([0, 2, 6])), data.draw(st.integers(0, 4))
        link = replace(one, kind=kind, options=options, mac=one.mac or "02:00:00:00:00:02")
        link = replace(link, hairpin=link.hairpin and bool(link.master))
        messages.append(answered(link, place + 2, operstate, port if link.master else None, options))
        runs = operstate == 6 or (operstate == 0 and kind != "veth")
        wanted.append((link, runs and (not link.master or port == 3)))
    netlink = Answers(messages)

    found = rtnl.read_links(netlink)
    assert wanted == [(one.link, one.ready) for one in found]
    assert [dict(link.options) for link, _ in wanted] == [dict(one.link.options) for one in found]
    assert [encoded(ifinfmsg(), numbers.RTM_GETLINK, nl.NLM_F_DUMP, link_fields(), [])] == netlink.asked


def answered(link: Link, index: int, operstate: int, port: int | None, options: dict[str, Any]) -> bytes:
    """A link of a dump; ``port`` is its state as a port of a bridge."""
    info: list[list[Any]] = [["IFLA_INFO_KIND", link.kind]]
    info += [["IFLA_INFO_DATA", {"attrs": [[NAMED[name], value] for name, value in options.items()]}]]
    attrs: list[tuple[str, Any]] = [("IFLA_IFNAME", link.name), ("IFLA_MTU", link.mtu), ("IFLA_ADDRESS", link.mac)]
    states = ("UNKNOWN", "NOTPRESENT", "DOWN", "LOWERLAYERDOWN", "TESTING", "DORMANT", "UP")
    attrs.append(("IFLA_OPERSTATE", states[operstate]))
    if port is not None:
        slave = [["IFLA_BRPORT_STATE", port], ["IFLA_BRPORT_MODE", int(link.hairpin)]]
        info += [["IFLA_INFO_SLAVE_KIND", "bridge"], ["IFLA_INFO_SLAVE_DATA", {"attrs": slave}]]
        attrs.append(("IFLA_MASTER", 1))
    attrs.append(("IFLA_LINKINFO", {"attrs": info}))
    return encoded(ifinfmsg(), numbers.RTM_NEWLINK, 0, link_fields(index, int(link.up)), attrs)


@given(st.integers(0, 1), st.integers(0, 2), st.integers(0, 1))
def test_a_links_own_settings_are_read_as_pyroute2_encodes_them(forwarding, forwarding6, disabled6):
    """Whether it forwards, and whether it has no IPv6, among all the settings of the link."""
    ipv4, ipv6 = ifinfmsg.af_spec_inet.inet, ifinfmsg.af_spec_inet.inet6.ipv6_devconf
    own4 = {**dict.fromkeys(ipv4.field_names, 7), "forwarding": forwarding}
    # For pyroute2 the header of IFLA_INET_CONF is the first setting: its length, and its number 1.
    own4["dummy"] = 4 * len(ipv4.field_names) | 1 << 16
    own6 = {**dict.fromkeys(ipv6.field_names, 7), "forwarding": forwarding6, "disable_ipv6": disabled6}
    both = [["AF_INET", own4], ["AF_INET6", {"attrs": [["IFLA_INET6_CONF", own6]]}]]
    attrs = [("IFLA_IFNAME", "eth0"), ("IFLA_MTU", 1500), ("IFLA_AF_SPEC", {"attrs": both})]
    (found,) = rtnl.read_links(Answers([encoded(ifinfmsg(), numbers.RTM_NEWLINK, 0, link_fields(4), attrs)]))

    assert {
        "ipv4/conf/{}/forwarding": str(forwarding),
        "ipv6/conf/{}/forwarding": str(forwarding6),
        "ipv6/conf/{}/disable_ipv6": str(disabled6),
    } == found.settings()


@given(st.lists(INTERFACES, max_size=4))
def test_addresses_are_read_as_pyroute2_encodes_them(interfaces):
    """Loopback and IPv6 link-local ones, which the kernel makes by itself, are left out."""
    messages = []
    for interface in interfaces:
        fields = {"family": FAMILIES[interface.version], "prefixlen": interface.network.prefixlen, "index": 4}
        attrs = [("IFA_LOCAL", str(interface.ip)), ("IFA_ADDRESS", str(interface.ip))]
        messages.append(encoded(ifaddrmsg(), numbers.RTM_NEWADDR, 0, {"flags": 0, "scope": 0, **fields}, attrs))
    netlink = Answers(messages)
    wanted = [i for i in interfaces if not (i.ip.is_loopback or (i.version == 6 and i.ip.is_link_local))]

    assert [InterfaceAddress("eth0", i) for i in wanted] == rtnl.read_addresses(netlink, {4: "eth0"})
    empty = {"family": 0, "prefixlen": 0, "flags": 0, "scope": 0, "index": 0}
    assert [encoded(ifaddrmsg(), numbers.RTM_GETADDR, nl.NLM_F_DUMP, empty, [])] == netlink.asked


@given(st.lists(st.tuples(routes(), st.booleans(), st.booleans()), max_size=4))
def test_routes_are_read_as_pyroute2_encodes_them(drawn):
    """Routes of other tables are left out; routes that the kernel made are returned apart."""
    messages, wanted, connected = [], [], set()
    for route, by_kernel, other_table in drawn:
        fields = route_fields(route)
        fields["proto"] = 2 if by_kernel else fields["proto"]
        fields["table"] = 255 if other_table else 254
        messages.append(encoded(rtmsg(), numbers.RTM_NEWROUTE, 0, fields, route_attrs(route, 4)))
        if by_kernel and not other_table:
            connected.add((route.prefix, "eth0"))
        elif not other_table:
            wanted.append(route)
    netlink = Answers(messages)

    assert (wanted, connected) == rtnl.read_routes(netlink, {4: "eth0"})
    empty = dict.fromkeys(route_fields(Route(ip_network("::/0"), "eth0")), 0)
    assert [encoded(rtmsg(), numbers.RTM_GETROUTE, nl.NLM_F_DUMP, empty, [])] == netlink.asked


@given(st.lists(st.tuples(ADDRESSES, MACS, st.booleans()), max_size=4))
def test_neighbours_and_forwarding_entries_are_read_as_pyroute2_encodes_them(drawn):
    """Only permanent ones; of the forwarding entries those of the device itself (NTF_SELF)."""
    permanent = [(address, mac) for address, mac, stays in drawn if stays]
    both: list[list[bytes]] = []
    for bridge in (False, True):
        messages = []
        for address, mac, stays in drawn:
            family = socket.AF_BRIDGE if bridge else FAMILIES[address.version]
            fields = {"family": family, "ifindex": 4, "ndm_type": 0, "flags": 2 if bridge else 0}
            fields["state"] = 0x80 if stays else 0x02
            attrs = [("NDA_DST", str(address)), ("NDA_LLADDR", mac)]
            messages.append(encoded(ndmsg(), numbers.RTM_NEWNEIGH, 0, fields, attrs))
        both.append(messages)
    netlink = Answers(*both)

    wanted = [Neighbour("eth0", address, mac) for address, mac in permanent]
    entries = [ForwardingEntry("eth0", mac, address) for address, mac in permanent]
    assert [*wanted, *entries] == rtnl.read_neighbours(netlink, {4: "eth0"})
    empty = {"family": 0, "ifindex": 0, "state": 0, "flags": 0, "ndm_type": 0}
    asked = [encoded(ndmsg(), numbers.RTM_GETNEIGH, nl.NLM_F_DUMP, {**empty, "family": f}, []) for f in (0, 7)]
    assert asked == netlink.asked
