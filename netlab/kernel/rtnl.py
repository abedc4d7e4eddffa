"""rtnetlink messages for the values of ``netlab.kernel.state``: packed to make them, unpacked to read them.

Numbers are those of linux/rtnetlink.h, if_link.h, if_addr.h and neighbour.h. Requests name links by index.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

from netlab.kernel.netlink import (
    NLM_F_CREATE,
    NLM_F_EXCL,
    NLM_F_REPLACE,
    Message,
    Netlink,
    attribute,
    attributes,
)
from netlab.kernel.state import ForwardingEntry, InterfaceAddress, Link, LinkKind, Neighbour, Route
from netlab.objects.types import Prefix

RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK, RTM_SETLINK = 16, 17, 18, 19
RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR = 20, 21, 22
RTM_NEWROUTE, RTM_DELROUTE, RTM_GETROUTE = 24, 25, 26
RTM_NEWNEIGH, RTM_DELNEIGH, RTM_GETNEIGH = 28, 29, 30

IFF_UP = 0x1
IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_LINK, IFLA_MASTER = 1, 3, 4, 5, 10
IFLA_PROTINFO, IFLA_OPERSTATE, IFLA_LINKINFO, IFLA_AF_SPEC, IFLA_GROUP, IFLA_NET_NS_FD = 12, 16, 18, 26, 27, 28
IFLA_NUM_TX_QUEUES, IFLA_NUM_RX_QUEUES = 31, 32
_INFO_KIND, _INFO_DATA, _INFO_SLAVE_DATA, _VETH_PEER, _BRPORT_STATE = 1, 2, 5, 1, 1
_VXLAN_LINK, _INFO_SLAVE_KIND, _BRPORT_MODE = 3, 4, 4
_OPER_UNKNOWN, _OPER_UP, _BR_STATE_FORWARDING = b"\0", b"\6", b"\3"
_IFA_ADDRESS, _IFA_LOCAL, _IFA_FLAGS, _IFA_F_PERMANENT, _IFA_F_NODAD = 1, 2, 8, 0x80, 0x02
_RTA_DST, _RTA_OIF, _RTA_GATEWAY, _RTA_PREFSRC, _RTA_TABLE = 1, 4, 5, 7, 15
_RTNH_F_ONLINK, _RT_TABLE_MAIN, _RTPROT_KERNEL, _RTPROT_STATIC = 4, 254, 2, 4
_NDA_DST, _NDA_LLADDR, _NUD_PERMANENT, _NUD_NOARP, _NTF_SELF = 1, 2, 0x80, 0x40, 0x02
_ARPHRD_LOOPBACK = 772
# A link's own settings: the family's attribute with all of them, and the place of each that netlab depends on
# (IPV4_DEVCONF_FORWARDING counts from 1, linux/ip.h; DEVCONF_FORWARDING and DEVCONF_DISABLE_IPV6 from 0, linux/ipv6.h).
_SETTINGS: Mapping[int, tuple[int, Mapping[str, int]]] = {
    socket.AF_INET: (1, {"ipv4/conf/{}/forwarding": 0}),
    socket.AF_INET6: (2, {"ipv6/conf/{}/forwarding": 0, "ipv6/conf/{}/disable_ipv6": 26}),
}

_IFINFO = struct.Struct("=BxHiII")
_IFADDR = struct.Struct("=BBBBI")
_RTMSG = struct.Struct("=8BI")
_U32 = struct.Struct("=I")
_NDMSG = struct.Struct("=BxxxiHBB")


def _u8(value: int) -> bytes:
    return struct.pack("=B", value)


def _u32(value: int) -> bytes:
    return _U32.pack(value)


def _be16(value: int) -> bytes:
    return struct.pack(">H", value)


def _ip(value: str) -> bytes:
    return ipaddress.ip_address(value).packed


# The options of each kind that netlab sets: attribute number and how its value is packed.
_OPTIONS: Mapping[str, Mapping[str, tuple[int, Callable[..., bytes]]]] = {
    "bridge": {"forward_delay": (1, _u32), "stp_state": (5, _u32), "mcast_snooping": (23, _u8)},
    "vxlan": {
        "id": (1, _u32),
        "local": (4, _ip),
        "learning": (7, _u8),
        "dstport": (15, _be16),
        "local6": (17, _ip),
    },
    "macvlan": {"mode": (1, _u32)},
}
# Those that are read back: a link of these kinds is made again where one differs.
_FIXED: Mapping[str, Mapping[int, tuple[str, Callable[..., bytes]]]] = {
    kind: {number: (name, pack) for name, (number, pack) in _OPTIONS[kind].items()} for kind in ("vxlan", "macvlan")
}


def mac_bytes(mac: str) -> bytes:
    return bytes.fromhex(mac.replace(":", ""))


def _family(version: int) -> int:
    return socket.AF_INET if version == 4 else socket.AF_INET6


def _common(link: Link) -> bytes:
    body = attribute(IFLA_IFNAME, link.name.encode() + b"\0") + attribute(IFLA_MTU, _u32(link.mtu))
    if link.mac:
        body += attribute(IFLA_ADDRESS, mac_bytes(link.mac))
    if link.kind == "veth":
        # One queue: the default is one per processor, whose memory and sysfs entries cost time for every pod.
        body += attribute(IFLA_NUM_TX_QUEUES, _u32(1)) + attribute(IFLA_NUM_RX_QUEUES, _u32(1))
    return body


def new_link(
    link: Link,
    index: int,
    indexes: Mapping[str, int],
    peer: tuple[Link, int, int] | None = None,
    parent: tuple[int, int] | None = None,
) -> Message:
    """Return the request that makes a link, raised, with everything set.

    ``indexes`` are those of the namespace's links by name. ``peer`` of a veth is (its link, its index, the file
    descriptor of its namespace): one request makes both ends. The peer is left down, as the kernel cannot raise it
    before the two ends are joined (veth_open says ENOTCONN); ``raise_link`` does. ``parent`` is (the index of the link
    that this one stands on, the file descriptor of this one's namespace): the request goes to the parent's namespace.
    """
    flags = IFF_UP if link.up else 0
    body = _IFINFO.pack(socket.AF_UNSPEC, 0, index, flags, flags) + _common(link)
    if link.master:
        body += attribute(IFLA_MASTER, _u32(indexes[link.master]))
    data = b""
    if peer is not None:
        other, other_index, namespace = peer
        data = attribute(
            _VETH_PEER,
            _IFINFO.pack(socket.AF_UNSPEC, 0, other_index, 0, 0)
            + _common(other)
            + attribute(IFLA_NET_NS_FD, _u32(namespace)),
        )
    for option, value in link.options.items():
        kind, pack = _OPTIONS[link.kind][option]
        data += attribute(kind, pack(value))
    if parent is not None:
        below, namespace = parent
        body += attribute(IFLA_NET_NS_FD, _u32(namespace))
        if link.kind == "vxlan":
            data += attribute(_VXLAN_LINK, _u32(below))
        else:
            body += attribute(IFLA_LINK, _u32(below))
    info = attribute(_INFO_KIND, link.kind.encode() + b"\0")
    if data:
        info += attribute(_INFO_DATA, data)
    body += attribute(IFLA_LINKINFO, info)
    return Message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, body, f"link add {link.name}")


def set_link(link: Link, index: int, indexes: Mapping[str, int], mac: str = "") -> Message:
    """Return the request that gives an existing link its MAC, MTU and master, and raises (or lowers) it.

    ``mac`` is what it has: the kernel drops a link's neighbours for any MAC that it is given, the same one too
    (NETDEV_CHANGEADDR, net/core/dev.c).
    """
    flags = IFF_UP if link.up else 0
    body = _IFINFO.pack(socket.AF_UNSPEC, 0, index, flags, IFF_UP)
    if link.kind != "loopback":
        body += attribute(IFLA_MTU, _u32(link.mtu))
        if link.mac and link.mac != mac:
            body += attribute(IFLA_ADDRESS, mac_bytes(link.mac))
        body += attribute(IFLA_MASTER, _u32(indexes[link.master] if link.master else 0))
    return Message(RTM_NEWLINK, 0, body, f"link set {link.name}")


def set_hairpin(link: Link, index: int) -> Message:
    """Return the request that lets a bridge's port send frames back to where they came from (or not)."""
    port = attribute(_INFO_SLAVE_KIND, b"bridge\0")
    port += attribute(_INFO_SLAVE_DATA, attribute(_BRPORT_MODE, _u8(link.hairpin)))
    body = _IFINFO.pack(socket.AF_UNSPEC, 0, index, 0, 0) + attribute(IFLA_LINKINFO, port)
    return Message(RTM_NEWLINK, 0, body, f"link set {link.name} hairpin")


def raise_link(link: Link, index: int) -> Message:
    """Return the request that raises (or lowers) a link and changes nothing else."""
    body = _IFINFO.pack(socket.AF_UNSPEC, 0, index, IFF_UP if link.up else 0, IFF_UP)
    return Message(RTM_NEWLINK, 0, body, f"link set {link.name} up")


def group_link(name: str, index: int, group: int) -> Message:
    """Return the request that puts a link into a group, which ``delete_group`` removes; the label is the removal's."""
    body = _IFINFO.pack(socket.AF_UNSPEC, 0, index, 0, 0) + attribute(IFLA_GROUP, _u32(group))
    return Message(RTM_NEWLINK, 0, body, f"link delete {name}")


def delete_group(group: int) -> Message:
    """Return the request that removes all links of a group (not 0, which is every link's at first) at once."""
    body = _IFINFO.pack(socket.AF_UNSPEC, 0, 0, 0, 0) + attribute(IFLA_GROUP, _u32(group))
    return Message(RTM_DELLINK, 0, body, f"link delete group {group}")


def address(item: InterfaceAddress, index: int, *, delete: bool = False) -> Message:
    """Return the request that adds (or deletes) an address; IPv6 ones skip duplicate address detection."""
    interface = item.interface
    body = _IFADDR.pack(_family(interface.version), interface.network.prefixlen, 0, 0, index)
    body += attribute(_IFA_LOCAL, interface.ip.packed) + attribute(_IFA_ADDRESS, interface.ip.packed)
    if interface.version == 6 and not delete:
        body += attribute(_IFA_FLAGS, _u32(_IFA_F_NODAD | _IFA_F_PERMANENT))
    kind, flags = (RTM_DELADDR, 0) if delete else (RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE)
    return Message(kind, flags, body, item)


def route(item: Route, index: int, *, delete: bool = False) -> Message:
    """Return the request that adds or replaces (or deletes) a route of the main table."""
    scope = 253 if item.via is None and item.prefix.version == 4 else 0  # RT_SCOPE_LINK : RT_SCOPE_UNIVERSE
    flags = _RTNH_F_ONLINK if item.onlink else 0
    body = _RTMSG.pack(
        _family(item.prefix.version), item.prefix.prefixlen, 0, 0, _RT_TABLE_MAIN, _RTPROT_STATIC, scope, 1, flags
    )
    if item.prefix.prefixlen:
        body += attribute(_RTA_DST, item.prefix.network_address.packed)
    if item.via is not None:
        body += attribute(_RTA_GATEWAY, item.via.packed)
    if item.source is not None:
        body += attribute(_RTA_PREFSRC, item.source.packed)
    body += attribute(_RTA_OIF, _u32(index))
    kind, how = (RTM_DELROUTE, 0) if delete else (RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE)
    return Message(kind, how, body, item)


def neighbour(item: Neighbour, index: int, *, delete: bool = False) -> Message:
    """Return the request that adds or replaces (or deletes) a permanent neighbour."""
    body = _NDMSG.pack(_family(item.address.version), index, _NUD_PERMANENT, 0, 0)
    body += attribute(_NDA_DST, item.address.packed) + attribute(_NDA_LLADDR, mac_bytes(item.mac))
    kind, flags = (RTM_DELNEIGH, 0) if delete else (RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE)
    return Message(kind, flags, body, item)


def forwarding_entry(item: ForwardingEntry, index: int, *, delete: bool = False) -> Message:
    """Return the request that adds or replaces (or deletes) a VXLAN device's entry for a MAC."""
    body = _NDMSG.pack(socket.AF_BRIDGE, index, _NUD_PERMANENT | _NUD_NOARP, _NTF_SELF, 0)
    body += attribute(_NDA_DST, item.dst.packed) + attribute(_NDA_LLADDR, mac_bytes(item.mac))
    kind, flags = (RTM_DELNEIGH, 0) if delete else (RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE)
    return Message(kind, flags, body, item)


# --- reading --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ReadLink:
    """A link as the kernel has it; ``ready`` says that it carries traffic (a bridge port: that it forwards)."""

    link: Link
    index: int
    ready: bool
    families: bytes = b""

    def settings(self) -> dict[str, str]:
        """Return the link's own settings by the paths that ``state.Link.strays`` has."""
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
    for _, body in netlink.dump(RTM_GETLINK, _IFINFO.pack(socket.AF_UNSPEC, 0, 0, 0, 0)):
        _, hardware, index, flags, _ = _IFINFO.unpack_from(body)
        found = dict(attributes(body, _IFINFO.size))
        names[index] = found[IFLA_IFNAME].rstrip(b"\0").decode()
        raw.append((hardware, index, flags, found))
    return [_read_link(hardware, index, flags, found, names) for hardware, index, flags, found in raw]


def _read_link(hardware: int, index: int, flags: int, found: dict[int, bytes], names: dict[int, str]) -> ReadLink:
    info = dict(attributes(found.get(IFLA_LINKINFO, b"")))
    port = dict(attributes(info.get(_INFO_SLAVE_DATA, b"")))
    loopback = hardware == _ARPHRD_LOOPBACK
    kind = "loopback" if loopback else info.get(_INFO_KIND, b"").rstrip(b"\0").decode()
    master = found.get(IFLA_MASTER)
    link = Link(
        name=names[index],
        kind=cast(LinkKind, kind),
        mac="" if loopback else found.get(IFLA_ADDRESS, b"").hex(":"),
        mtu=_U32.unpack(found[IFLA_MTU])[0],
        master=names.get(_U32.unpack(master)[0], "") if master else "",
        up=bool(flags & IFF_UP),
        hairpin=port.get(_BRPORT_MODE, b"\0") != b"\0",
        options=_read_options(kind, info.get(_INFO_DATA, b"")) if kind in _FIXED else {},
    )
    port_state = port.get(_BRPORT_STATE)
    # A bridge without ports has no carrier, and needs none. A new veth is "unknown" until its carrier was looked at,
    # and forwards meanwhile whatever becomes of it; other kinds stay unknown.
    known = (_OPER_UP,) if link.kind == "veth" else (_OPER_UP, _OPER_UNKNOWN)
    running = link.kind == "bridge" or found.get(IFLA_OPERSTATE, _OPER_UP) in known
    ready = running and port_state in (None, _BR_STATE_FORWARDING)
    return ReadLink(link, index, ready, found.get(IFLA_AF_SPEC, b""))


def _read_options(kind: str, data: bytes) -> dict[str, int | str]:
    known = _FIXED[kind]
    found = [(*known[number], value) for number, value in attributes(data) if number in known]
    return {name: _unpacked(pack, value) for name, pack, value in found}


def _unpacked(pack: Callable[..., bytes], value: bytes) -> int | str:
    if pack is _ip:
        return str(ipaddress.ip_address(value))
    return int.from_bytes(value, "big" if pack is _be16 else sys.byteorder)


def read_addresses(netlink: Netlink, names: Mapping[int, str]) -> list[InterfaceAddress]:
    """Return the permanent addresses of the namespace, without link-local and loopback ones that the kernel makes."""
    result = []
    for _, body in netlink.dump(RTM_GETADDR, _IFADDR.pack(0, 0, 0, 0, 0)):
        _, length, _, _, index = _IFADDR.unpack_from(body)
        found = dict(attributes(body, _IFADDR.size))
        ip = ipaddress.ip_address(found.get(_IFA_LOCAL) or found[_IFA_ADDRESS])
        if not (ip.is_loopback or (ip.version == 6 and ip.is_link_local)):
            result.append(InterfaceAddress(names[index], ipaddress.ip_interface(f"{ip}/{length}")))
    return result


def read_routes(netlink: Netlink, names: Mapping[int, str]) -> tuple[list[Route], set[tuple[Prefix, str]]]:
    """Return the unicast routes of the main table, and apart from them what the kernel made: (prefix, device)."""
    result: list[Route] = []
    connected: set[tuple[Prefix, str]] = set()
    for _, body in netlink.dump(RTM_GETROUTE, _RTMSG.pack(0, 0, 0, 0, 0, 0, 0, 0, 0)):
        family, length, _, _, table, protocol, _, kind, flags = _RTMSG.unpack_from(body)
        if table != _RT_TABLE_MAIN or kind != 1:
            continue
        found = dict(attributes(body, _RTMSG.size))
        if _RTA_OIF not in found:
            continue
        target = ipaddress.ip_address(found.get(_RTA_DST, bytes(4 if family == socket.AF_INET else 16)))
        prefix, device = ipaddress.ip_network(f"{target}/{length}"), names[_U32.unpack(found[_RTA_OIF])[0]]
        if protocol == _RTPROT_KERNEL:
            connected.add((prefix, device))
            continue
        result.append(
            Route(
                prefix,
                device,
                ipaddress.ip_address(found[_RTA_GATEWAY]) if _RTA_GATEWAY in found else None,
                bool(flags & _RTNH_F_ONLINK),
                ipaddress.ip_address(found[_RTA_PREFSRC]) if _RTA_PREFSRC in found else None,
            )
        )
    return result, connected


def read_neighbours(netlink: Netlink, names: Mapping[int, str]) -> list[Neighbour | ForwardingEntry]:
    """Return the permanent neighbours and the static forwarding entries of VXLAN devices."""
    result: list[Neighbour | ForwardingEntry] = []
    for _, body in netlink.dump(RTM_GETNEIGH, _NDMSG.pack(0, 0, 0, 0, 0)):
        _, index, state, _, _ = _NDMSG.unpack_from(body)
        found = dict(attributes(body, _NDMSG.size))
        if state & _NUD_PERMANENT and _NDA_LLADDR in found:
            entry = Neighbour(names[index], ipaddress.ip_address(found[_NDA_DST]), found[_NDA_LLADDR].hex(":"))
            result.append(entry)
    for _, body in netlink.dump(RTM_GETNEIGH, _NDMSG.pack(socket.AF_BRIDGE, 0, 0, 0, 0)):
        _, index, state, flags, _ = _NDMSG.unpack_from(body)
        found = dict(attributes(body, _NDMSG.size))
        if state & _NUD_PERMANENT and flags & _NTF_SELF and _NDA_DST in found:
            address_ = ipaddress.ip_address(found[_NDA_DST])
            result.append(ForwardingEntry(names[index], found[_NDA_LLADDR].hex(":"), address_))
    return result
