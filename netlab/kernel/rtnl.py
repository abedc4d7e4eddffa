"""rtnetlink messages for the values of ``netlab.kernel.state``: requests that are packed, answers that are unpacked.

Numbers and structures are pyroute2's (``netlab/kernel/rtnl_numbers.py``). A test compares every request, byte for byte,
with what pyroute2 encodes (``tests/kernel/test_rtnl_against_pyroute2.py``). Requests name links by index.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
import sys
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import cast

from netlab.frozen import frozen
from netlab.kernel import rtnl_numbers as n
from netlab.kernel.netlink import Message, Netlink, attribute, attributes, first_attribute
from netlab.kernel.state import EVERY_MAC, ForwardingEntry, InterfaceAddress, Link, LinkKind, Neighbour, Route
from netlab.objects.types import Prefix

# Of linux/rtnetlink.h, linux/if_bridge.h and linux/ip.h; pyroute2 has no names for them.
_RT_TABLE_MAIN = 254
_BR_STATE_FORWARDING = b"\3"
_IFLA_INET_CONF = 1
# A link's own settings: by family the attribute with all of them, and the place of each setting that netlab uses.
_SETTINGS: Mapping[int, tuple[int, Mapping[str, int]]] = MappingProxyType(
    {
        socket.AF_INET: (_IFLA_INET_CONF, {"ipv4/conf/{}/forwarding": n.IPV4_FORWARDING}),
        socket.AF_INET6: (
            n.IFLA_INET6_CONF,
            {"ipv6/conf/{}/forwarding": n.IPV6_FORWARDING, "ipv6/conf/{}/disable_ipv6": n.IPV6_DISABLE_IPV6},
        ),
    }
)

_IFINFO = struct.Struct(n.IFINFOMSG)
_IFADDR = struct.Struct(n.IFADDRMSG)
_RTMSG = struct.Struct(n.RTMSG)
_NDMSG = struct.Struct(n.NDMSG)
_U32 = struct.Struct("=I")


def _u8(value: int) -> bytes:
    return struct.pack("=B", value)


def _u32(value: int) -> bytes:
    return _U32.pack(value)


def _be16(value: int) -> bytes:
    return struct.pack(">H", value)


def _ip(value: str) -> bytes:
    return ipaddress.ip_address(value).packed


_PACKERS: Mapping[str, Callable[..., bytes]] = MappingProxyType(
    {"uint8": _u8, "uint32": _u32, "be16": _be16, "ip4addr": _ip, "ip6addr": _ip}
)
# The address of an ipip device is an IPv4 address, and a WireGuard device has none.
_WITHOUT_MAC = ("loopback", "ipip", "wireguard")
# The options of these kinds are read. A link is made again where an option differs.
_READ_OPTIONS: Mapping[str, Mapping[int, tuple[str, str]]] = MappingProxyType(
    {
        kind: {number: (name, form) for name, (number, form) in n.LINK_OPTIONS[kind].items()}
        for kind in ("vxlan", "macvlan", "ipip")
    }
)


def mac_bytes(mac: str) -> bytes:
    return bytes.fromhex(mac.replace(":", ""))


def _family(version: int) -> int:
    return socket.AF_INET if version == 4 else socket.AF_INET6


def _common(link: Link) -> bytes:
    body = attribute(n.IFLA_IFNAME, link.name.encode() + b"\0") + attribute(n.IFLA_MTU, _u32(link.mtu))
    if link.mac:
        body += attribute(n.IFLA_ADDRESS, mac_bytes(link.mac))
    if link.kind == "veth":
        # One queue. The default is one for each processor, and each costs time for memory and sysfs entries.
        body += attribute(n.IFLA_NUM_TX_QUEUES, _u32(1)) + attribute(n.IFLA_NUM_RX_QUEUES, _u32(1))
    return body


def new_link(
    link: Link,
    index: int,
    indexes: Mapping[str, int],
    peer: tuple[Link, int, int] | None = None,
    parent: tuple[int, int] | None = None,
) -> Message:
    """Return the request that makes a link and raises it.

    One request makes both ends of a veth. The peer stays down, as the kernel cannot raise it before the ends are joined
    (veth_open returns ENOTCONN); ``raise_link`` raises it. The request for a link with a parent goes to the parent's
    namespace.

    Args:
      link: the link.
      index: its index.
      indexes: the indexes of the namespace's links by name.
      peer: the other end of a veth: the link, its index, and a file descriptor of its namespace.
      parent: the index of the parent, 0 for a link without one, and a file descriptor of the link's own namespace.
    """
    flags = n.IFF_UP if link.up else 0
    body = _IFINFO.pack(socket.AF_UNSPEC, 0, index, flags, flags) + _common(link)
    if link.master:
        body += attribute(n.IFLA_MASTER, _u32(indexes[link.master]))
    data = b""
    if peer is not None:
        other, other_index, namespace = peer
        data = attribute(
            n.VETH_INFO_PEER,
            _IFINFO.pack(socket.AF_UNSPEC, 0, other_index, 0, 0)
            + _common(other)
            + attribute(n.IFLA_NET_NS_FD, _u32(namespace)),
        )
    for option, value in link.options.items():
        number, form = n.LINK_OPTIONS[link.kind][option]
        data += attribute(number, _PACKERS[form](value))
    if parent is not None:
        below, namespace = parent
        body += attribute(n.IFLA_NET_NS_FD, _u32(namespace))
        if link.outer:
            pass  # it has no link below: its packets are routed
        elif link.kind == "vxlan":
            data += attribute(n.IFLA_VXLAN_LINK, _u32(below))
        else:
            body += attribute(n.IFLA_LINK, _u32(below))
    info = attribute(n.IFLA_INFO_KIND, link.kind.encode() + b"\0")
    if data:
        info += attribute(n.IFLA_INFO_DATA, data)
    body += attribute(n.IFLA_LINKINFO, info)
    return Message(n.RTM_NEWLINK, n.NLM_F_CREATE | n.NLM_F_EXCL, body, f"link add {link.name}")


def set_link(link: Link, index: int, indexes: Mapping[str, int], mac: str = "") -> Message:
    """Return the request that gives an existing link its MAC, MTU and master, and raises or lowers it.

    ``mac`` is its present MAC. The same MAC is not set again, as the kernel then drops the link's neighbours
    (NETDEV_CHANGEADDR, net/core/dev.c).
    """
    flags = n.IFF_UP if link.up else 0
    body = _IFINFO.pack(socket.AF_UNSPEC, 0, index, flags, n.IFF_UP) + attribute(n.IFLA_MTU, _u32(link.mtu))
    if link.kind != "loopback":
        if link.mac and link.mac != mac:
            body += attribute(n.IFLA_ADDRESS, mac_bytes(link.mac))
        body += attribute(n.IFLA_MASTER, _u32(indexes[link.master] if link.master else 0))
    return Message(n.RTM_NEWLINK, 0, body, f"link set {link.name}")


def set_hairpin(link: Link, index: int) -> Message:
    """Return the request that turns on or off hairpin mode of a bridge's port."""
    port = attribute(n.IFLA_INFO_SLAVE_KIND, b"bridge\0")
    port += attribute(n.IFLA_INFO_SLAVE_DATA, attribute(n.IFLA_BRPORT_MODE, _u8(link.hairpin)))
    body = _IFINFO.pack(socket.AF_UNSPEC, 0, index, 0, 0) + attribute(n.IFLA_LINKINFO, port)
    return Message(n.RTM_NEWLINK, 0, body, f"link set {link.name} hairpin")


def raise_link(link: Link, index: int) -> Message:
    """Return the request that raises or lowers a link and changes nothing else."""
    body = _IFINFO.pack(socket.AF_UNSPEC, 0, index, n.IFF_UP if link.up else 0, n.IFF_UP)
    return Message(n.RTM_NEWLINK, 0, body, f"link set {link.name} up")


def rename_link(name: str, index: int, new: str) -> Message:
    """Return the request that gives a link another name; the link must be down."""
    body = _IFINFO.pack(socket.AF_UNSPEC, 0, index, 0, 0) + attribute(n.IFLA_IFNAME, new.encode() + b"\0")
    return Message(n.RTM_NEWLINK, 0, body, f"link set {name} name {new}")


def group_link(name: str, index: int, group: int) -> Message:
    """Return the request that puts a link into a group, which ``delete_group`` then removes."""
    body = _IFINFO.pack(socket.AF_UNSPEC, 0, index, 0, 0) + attribute(n.IFLA_GROUP, _u32(group))
    return Message(n.RTM_NEWLINK, 0, body, f"link delete {name}")


def delete_group(group: int) -> Message:
    """Return the request that deletes all links of a group. Do not use group 0, in which every new link is."""
    body = _IFINFO.pack(socket.AF_UNSPEC, 0, 0, 0, 0) + attribute(n.IFLA_GROUP, _u32(group))
    return Message(n.RTM_DELLINK, 0, body, f"link delete group {group}")


def address(item: InterfaceAddress, index: int, *, delete: bool = False) -> Message:
    """Return the request that adds (or deletes) an address; IPv6 ones skip duplicate address detection."""
    interface = item.interface
    body = _IFADDR.pack(_family(interface.version), interface.network.prefixlen, 0, 0, index)
    body += attribute(n.IFA_LOCAL, interface.ip.packed) + attribute(n.IFA_ADDRESS, interface.ip.packed)
    if interface.version == 6 and not delete:
        body += attribute(n.IFA_FLAGS, _u32(n.IFA_F_NODAD | n.IFA_F_PERMANENT))
    kind, flags = (n.RTM_DELADDR, 0) if delete else (n.RTM_NEWADDR, n.NLM_F_CREATE | n.NLM_F_REPLACE)
    return Message(kind, flags, body, item)


def route(item: Route, index: int, *, delete: bool = False) -> Message:
    """Return the request that adds or replaces (or deletes) a route of the main table."""
    to_link = item.via is None and item.prefix.version == 4
    scope = n.RT_SCOPE_LINK if to_link else n.RT_SCOPE_UNIVERSE
    flags = n.RTNH_F_ONLINK if item.onlink else 0
    family, length, proto = _family(item.prefix.version), item.prefix.prefixlen, n.RTPROT_STATIC
    body = _RTMSG.pack(family, length, 0, 0, _RT_TABLE_MAIN, proto, scope, n.RTN_UNICAST, flags)
    if item.prefix.prefixlen:
        body += attribute(n.RTA_DST, item.prefix.network_address.packed)
    if item.via is not None:
        body += attribute(n.RTA_GATEWAY, item.via.packed)
    if item.source is not None:
        body += attribute(n.RTA_PREFSRC, item.source.packed)
    if item.mtu:
        body += attribute(n.RTA_METRICS, attribute(n.RTAX_MTU, _u32(item.mtu)))
    body += attribute(n.RTA_OIF, _u32(index))
    kind, how = (n.RTM_DELROUTE, 0) if delete else (n.RTM_NEWROUTE, n.NLM_F_CREATE | n.NLM_F_REPLACE)
    return Message(kind, how, body, item)


def neighbour(item: Neighbour, index: int, *, delete: bool = False) -> Message:
    """Return the request that adds or replaces (or deletes) a permanent neighbour."""
    body = _NDMSG.pack(_family(item.address.version), index, n.NUD_PERMANENT, 0, 0)
    body += attribute(n.NDA_DST, item.address.packed) + attribute(n.NDA_LLADDR, mac_bytes(item.mac))
    kind, flags = (n.RTM_DELNEIGH, 0) if delete else (n.RTM_NEWNEIGH, n.NLM_F_CREATE | n.NLM_F_REPLACE)
    return Message(kind, flags, body, item)


def forwarding_entry(item: ForwardingEntry, index: int, *, delete: bool = False) -> Message:
    """Return the request that adds or replaces (or deletes) a VXLAN device's entry for a MAC.

    An entry for ``EVERY_MAC`` is added to those that are there.
    """
    body = _NDMSG.pack(socket.AF_BRIDGE, index, n.NUD_PERMANENT | n.NUD_NOARP, n.NTF_SELF, 0)
    body += attribute(n.NDA_DST, item.dst.packed) + attribute(n.NDA_LLADDR, mac_bytes(item.mac))
    how = n.NLM_F_APPEND if item.mac == EVERY_MAC else n.NLM_F_REPLACE
    kind, flags = (n.RTM_DELNEIGH, 0) if delete else (n.RTM_NEWNEIGH, n.NLM_F_CREATE | how)
    return Message(kind, flags, body, item)


# --- reading --------------------------------------------------------------------------------------------------------


@frozen
class ReadLink:
    """A link as the kernel has it; ``ready`` is whether it carries traffic (a bridge port: whether it forwards)."""

    link: Link
    index: int
    ready: bool
    families: bytes = b""

    def settings(self) -> dict[str, str]:
        """Return the link's own settings by their paths, as in ``state.Link.overrides``."""
        found: dict[str, str] = {}
        for family, body in attributes(self.families):
            number, places = _SETTINGS.get(family, (0, {}))
            values = dict(attributes(body)).get(number, b"")
            for path, place in places.items():
                if 4 * place < len(values):
                    found[path] = str(struct.unpack_from("=i", values, 4 * place)[0])
        return found


def read_links(netlink: Netlink) -> list[ReadLink]:
    """Return the links of the socket's namespace, ordered by index."""
    raw = []
    names: dict[int, str] = {}
    for _, body in netlink.dump(n.RTM_GETLINK, _IFINFO.pack(socket.AF_UNSPEC, 0, 0, 0, 0)):
        _, hardware, index, flags, _ = _IFINFO.unpack_from(body)
        found = dict(attributes(body, _IFINFO.size))
        names[index] = found[n.IFLA_IFNAME].rstrip(b"\0").decode()
        raw.append((hardware, index, flags, found))
    return [_read_link(hardware, index, flags, found, names) for hardware, index, flags, found in raw]


def _read_link(hardware: int, index: int, flags: int, found: dict[int, bytes], names: dict[int, str]) -> ReadLink:
    info = dict(attributes(found.get(n.IFLA_LINKINFO, b"")))
    # A bridge port has some forty attributes, and these two are among the first.
    port = info.get(n.IFLA_INFO_SLAVE_DATA, b"")
    port_state = first_attribute(n.IFLA_BRPORT_STATE, port)
    loopback = hardware == n.ARPHRD_LOOPBACK
    kind = "loopback" if loopback else info.get(n.IFLA_INFO_KIND, b"").rstrip(b"\0").decode()
    master = found.get(n.IFLA_MASTER)
    link = Link(
        name=names[index],
        kind=cast(LinkKind, kind),
        mac="" if kind in _WITHOUT_MAC else found.get(n.IFLA_ADDRESS, b"").hex(":"),
        mtu=_U32.unpack(found[n.IFLA_MTU])[0],
        master=names.get(_U32.unpack(master)[0], "") if master else "",
        up=bool(flags & n.IFF_UP),
        hairpin=(first_attribute(n.IFLA_BRPORT_MODE, port) or b"\0") != b"\0",
        options=_read_options(kind, info.get(n.IFLA_INFO_DATA, b"")) if kind in _READ_OPTIONS else {},
    )
    # A bridge without ports has no carrier and needs none. A new veth is "unknown" until the kernel checked its
    # carrier; other kinds stay "unknown".
    known = (n.OPER_UP,) if link.kind == "veth" else (n.OPER_UP, n.OPER_UNKNOWN)
    running = link.kind == "bridge" or found.get(n.IFLA_OPERSTATE, _u8(n.OPER_UP))[0] in known
    ready = running and port_state in (None, _BR_STATE_FORWARDING)
    return ReadLink(link, index, ready, found.get(n.IFLA_AF_SPEC, b""))


def _read_options(kind: str, data: bytes) -> dict[str, int | str]:
    known = _READ_OPTIONS[kind]
    found = [(*known[number], value) for number, value in attributes(data) if number in known]
    return {name: _unpacked(form, value) for name, form, value in found}


def _unpacked(form: str, value: bytes) -> int | str:
    if form in ("ip4addr", "ip6addr"):
        return str(ipaddress.ip_address(value))
    return int.from_bytes(value, "big" if form == "be16" else sys.byteorder)


def read_addresses(netlink: Netlink, names: Mapping[int, str]) -> list[InterfaceAddress]:
    """Return the addresses of the namespace, without link-local and loopback ones."""
    result = []
    for _, body in netlink.dump(n.RTM_GETADDR, _IFADDR.pack(0, 0, 0, 0, 0)):
        _, length, _, _, index = _IFADDR.unpack_from(body)
        found = dict(attributes(body, _IFADDR.size))
        ip = ipaddress.ip_address(found.get(n.IFA_LOCAL) or found[n.IFA_ADDRESS])
        if not (ip.is_loopback or (ip.version == 6 and ip.is_link_local)):
            result.append(InterfaceAddress(names[index], ipaddress.ip_interface(f"{ip}/{length}")))
    return result


def read_routes(netlink: Netlink, names: Mapping[int, str]) -> tuple[list[Route], set[tuple[Prefix, str]]]:
    """Return the unicast routes of the main table, and apart those that the kernel made, as (prefix, device)."""
    result: list[Route] = []
    connected: set[tuple[Prefix, str]] = set()
    for _, body in netlink.dump(n.RTM_GETROUTE, _RTMSG.pack(0, 0, 0, 0, 0, 0, 0, 0, 0)):
        family, length, _, _, table, protocol, _, kind, flags = _RTMSG.unpack_from(body)
        if table != _RT_TABLE_MAIN or kind != n.RTN_UNICAST:
            continue
        found = dict(attributes(body, _RTMSG.size))
        if n.RTA_OIF not in found:
            continue
        target = ipaddress.ip_address(found.get(n.RTA_DST, bytes(4 if family == socket.AF_INET else 16)))
        prefix, device = ipaddress.ip_network(f"{target}/{length}"), names[_U32.unpack(found[n.RTA_OIF])[0]]
        if protocol == n.RTPROT_KERNEL:
            connected.add((prefix, device))
            continue
        result.append(
            Route(
                prefix,
                device,
                ipaddress.ip_address(found[n.RTA_GATEWAY]) if n.RTA_GATEWAY in found else None,
                bool(flags & n.RTNH_F_ONLINK),
                ipaddress.ip_address(found[n.RTA_PREFSRC]) if n.RTA_PREFSRC in found else None,
                _route_mtu(found.get(n.RTA_METRICS, b"")),
            )
        )
    return result, connected


def _route_mtu(metrics: bytes) -> int:
    found = dict(attributes(metrics)).get(n.RTAX_MTU)
    return _U32.unpack(found)[0] if found else 0


def read_neighbours(netlink: Netlink, names: Mapping[int, str]) -> list[Neighbour | ForwardingEntry]:
    """Return the permanent neighbours and the static forwarding entries of VXLAN devices."""
    result: list[Neighbour | ForwardingEntry] = []
    for _, body in netlink.dump(n.RTM_GETNEIGH, _NDMSG.pack(0, 0, 0, 0, 0)):
        _, index, state, _, _ = _NDMSG.unpack_from(body)
        found = dict(attributes(body, _NDMSG.size))
        if state & n.NUD_PERMANENT and n.NDA_LLADDR in found:
            entry = Neighbour(names[index], ipaddress.ip_address(found[n.NDA_DST]), found[n.NDA_LLADDR].hex(":"))
            result.append(entry)
    for _, body in netlink.dump(n.RTM_GETNEIGH, _NDMSG.pack(socket.AF_BRIDGE, 0, 0, 0, 0)):
        _, index, state, flags, _ = _NDMSG.unpack_from(body)
        found = dict(attributes(body, _NDMSG.size))
        if state & n.NUD_PERMANENT and flags & n.NTF_SELF and n.NDA_DST in found:
            address_ = ipaddress.ip_address(found[n.NDA_DST])
            result.append(ForwardingEntry(names[index], found[n.NDA_LLADDR].hex(":"), address_))
    return result
