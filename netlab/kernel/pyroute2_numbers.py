"""The numbers and structures of rtnetlink that netlab uses, and their names in pyroute2.

No command imports this module, as pyroute2 takes 0.2 s to import. ``python -m netlab.kernel.pyroute2_numbers`` writes
``netlab/kernel/rtnl_numbers.py``. A test compares the two.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pyroute2 import arp, netlink
from pyroute2.netlink import nlmsgerr, rtnl
from pyroute2.netlink.rtnl import ifaddrmsg, ifinfmsg, ndmsg, rtmsg

_LINK = ifinfmsg.ifinfmsg
_INFO = _LINK.ifinfo
_KINDS = _INFO.data_map

# The modules of pyroute2, and the constants of each.
_CONSTANTS: tuple[tuple[object, str], ...] = (
    (netlink, "SOL_NETLINK NETLINK_EXT_ACK NETLINK_GET_STRICT_CHK"),
    (netlink, "NLM_F_REQUEST NLM_F_MULTI NLM_F_ACK NLM_F_DUMP NLM_F_DUMP_INTR"),
    (netlink, "NLM_F_REPLACE NLM_F_EXCL NLM_F_CREATE NLM_F_APPEND NLM_F_CAPPED NLM_F_ACK_TLVS"),
    (netlink, "NLMSG_ERROR NLMSG_DONE"),
    (rtnl, "RTM_NEWLINK RTM_DELLINK RTM_GETLINK RTM_NEWADDR RTM_DELADDR RTM_GETADDR"),
    (rtnl, "RTM_NEWROUTE RTM_DELROUTE RTM_GETROUTE RTM_NEWNEIGH RTM_DELNEIGH RTM_GETNEIGH"),
    (arp, "ARPHRD_LOOPBACK"),
    (ifinfmsg, "IFF_UP"),
    (ifaddrmsg, "IFA_F_NODAD IFA_F_PERMANENT"),
    (ndmsg, "NUD_NOARP NUD_PERMANENT NTF_SELF"),
    (rtmsg, "RTNH_F_ONLINK RT_SCOPE_UNIVERSE RT_SCOPE_LINK"),
    (rtnl.rtypes, "RTN_UNICAST"),
    (rtnl.rtprotos, "RTPROT_KERNEL RTPROT_STATIC"),
)
# Attributes. An attribute's number is its place in the table of the message or attribute that holds it.
_ATTRIBUTES: tuple[tuple[Any, str], ...] = (
    (nlmsgerr, "NLMSGERR_ATTR_MSG"),
    (_LINK, "IFLA_ADDRESS IFLA_IFNAME IFLA_MTU IFLA_LINK IFLA_MASTER IFLA_OPERSTATE IFLA_LINKINFO IFLA_AF_SPEC"),
    (_LINK, "IFLA_GROUP IFLA_NET_NS_FD IFLA_NUM_TX_QUEUES IFLA_NUM_RX_QUEUES"),
    (_INFO, "IFLA_INFO_KIND IFLA_INFO_DATA IFLA_INFO_SLAVE_KIND IFLA_INFO_SLAVE_DATA"),
    (_INFO.bridge_slave_data, "IFLA_BRPORT_STATE IFLA_BRPORT_MODE"),
    (_KINDS["veth"], "VETH_INFO_PEER"),
    (_KINDS["vxlan"], "IFLA_VXLAN_LINK"),
    (_LINK.af_spec_inet.inet6, "IFLA_INET6_CONF"),
    (ifaddrmsg.ifaddrmsg, "IFA_ADDRESS IFA_LOCAL IFA_FLAGS"),
    (rtmsg.rtmsg, "RTA_DST RTA_OIF RTA_GATEWAY RTA_PREFSRC RTA_METRICS"),
    (rtmsg.rtmsg.metrics, "RTAX_MTU"),
    (ndmsg.ndmsg, "NDA_DST NDA_LLADDR"),
)
_STRUCTURES: Mapping[str, Iterable[tuple[str, str]]] = MappingProxyType(
    {
        "NLMSGHDR": netlink.nlmsg.header,
        "NLATTR": netlink.nla.header,
        "NLMSGERR": nlmsgerr.fields,
        "IFINFOMSG": _LINK.fields,
        "IFADDRMSG": ifaddrmsg.ifaddrmsg.fields,
        "RTMSG": rtmsg.rtmsg.fields,
        "NDMSG": ndmsg.ndmsg.fields,
    }
)
# A link's options by kind: iproute2's name and the attribute's.
_OPTIONS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "bridge": {
            "forward_delay": "IFLA_BR_FORWARD_DELAY",
            "stp_state": "IFLA_BR_STP_STATE",
            "mcast_snooping": "IFLA_BR_MCAST_SNOOPING",
        },
        "vxlan": {
            "id": "IFLA_VXLAN_ID",
            "local": "IFLA_VXLAN_LOCAL",
            "learning": "IFLA_VXLAN_LEARNING",
            "dstport": "IFLA_VXLAN_PORT",
            "local6": "IFLA_VXLAN_LOCAL6",
        },
        "macvlan": {"mode": "IFLA_MACVLAN_MODE"},
        "ipip": {"local": "IFLA_IPIP_LOCAL"},
    }
)
# How the value of an option is packed. pyroute2's type of an attribute is one of these or derived from one.
_TYPES = ("uint8", "uint32", "be16", "ip4addr", "ip6addr")

_HEAD = '''\
"""Numbers and structures of rtnetlink, as pyroute2 has them.

Written by ``python -m netlab.kernel.pyroute2_numbers``, which says where each comes from; not edited by hand.
"""
'''


def module() -> Iterator[str]:
    """Yield the lines of ``netlab/kernel/rtnl_numbers.py``."""
    yield _HEAD
    for where, names in _CONSTANTS:
        for name in names.split():
            yield f"{name} = {_constant(where, name)}"
    yield ""
    for table, names in _ATTRIBUTES:
        for name in names.split():
            yield f"{name} = {_place(table, name)}"
    yield "\n# States of a link (IFLA_OPERSTATE), by name."
    yield from (f"OPER_{name} = {ifinfmsg.state_by_name[name]}" for name in ("UNKNOWN", "UP"))
    yield "\n# Headers, and what a message begins with, as struct formats in native byte order."
    yield from (f'{name} = "={_format(fields)}"' for name, fields in _STRUCTURES.items())
    yield "\n# Where a link's own settings stand among those of its family, counted from 0."
    # pyroute2 reads the header of the attribute that holds them (IFLA_INET_CONF) as the first of the IPv4 settings.
    yield f"IPV4_FORWARDING = {_LINK.af_spec_inet.inet.field_names.index('forwarding') - 1}"
    settings6 = _LINK.af_spec_inet.inet6.ipv6_devconf.field_names
    yield f"IPV6_FORWARDING = {settings6.index('forwarding')}"
    yield f"IPV6_DISABLE_IPV6 = {settings6.index('disable_ipv6')}"
    yield "\n# The options that netlab sets of each kind of link: the attribute's number, and how its value is packed."
    yield "LINK_OPTIONS = {"
    for kind, options in _OPTIONS.items():
        yield f'    "{kind}": {{'
        for option, name in options.items():
            yield f'        "{option}": ({_place(_KINDS[kind], name)}, "{_type(_KINDS[kind], name)}"),'
        yield "    },"
    yield "}"


def _constant(where: Any, name: str) -> int:
    return int(where[name] if isinstance(where, Mapping) else getattr(where, name))


def _place(table: Any, name: str) -> int:
    """Return the number of an attribute in the table of pyroute2's class for what holds it."""
    return [row[0] for row in table.nla_map].index(name)


def _type(table: Any, name: str) -> str:
    """Return the one of ``_TYPES`` that an attribute's value is packed as."""
    written: str = dict(table.nla_map)[name]
    if written in _TYPES:
        return written
    (found,) = (known for known in _TYPES if issubclass(getattr(table, written), getattr(table, known)))
    return found


def _format(fields: Iterable[tuple[str, str]]) -> str:
    return "".join(letters.replace("3x", "xxx") for _, letters in fields)


if __name__ == "__main__":
    Path(__file__).with_name("rtnl_numbers.py").write_text("\n".join([*module(), ""]), encoding="utf-8")
