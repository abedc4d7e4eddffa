"""Masquerade: packets that leave the pod networks of a masqueraded mode get the address of their node."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from ipaddress import ip_network

from netlab.objects.types import Address, Prefix
from netlab.ruleset.elements import Element, Set
from netlab.ruleset.fragment import NETLAB, POSTROUTING, Entry, Fragment, Layout, ip
from netlab.ruleset.tables import Chain, Parts

UNDERLAY = "underlay0"
"""The node's interface on the underlay."""


def _declare(layout: Layout, _: Hashable) -> Parts:
    about = "pod networks whose packets to other networks get their node's address"
    sets = [Set(f"masq{f}", (f"ipv{f}_addr",), interval=True, about=about) for f in layout.families]
    rules = (
        f'oifname "{UNDERLAY}" {ip(f)} saddr @masq{f} {ip(f)} daddr != @masq{f} masquerade' for f in layout.families
    )
    about = "packets from these networks to any other get their node's address"
    return Parts(sets, (Chain("masquerade_pods", tuple(rules), POSTROUTING, about),))


def _everywhere(layout: Layout) -> Iterator[Entry]:
    for network in layout.networks:
        own = network.traits.masqueraded and not network.traits.attachment.by_plugins
        for cidr in network.pod_cidrs if own else ():
            nodes = [a for node in layout.nodes for a in node.addresses if a.version == cidr.version and a in cidr]
            for part in parts_without(cidr, nodes):
                yield Entry(f"masq{cidr.version}", (part,), Element(comment=network.name))


def parts_without(cidr: Prefix, addresses: Iterable[Address]) -> list[Prefix]:
    """Return the parts of a prefix without some addresses: in clouds, nodes may have addresses of the pods' range."""
    parts = [cidr]
    for address in addresses:
        (hit,) = [part for part in parts if address in part]
        parts.remove(hit)
        parts += hit.address_exclude(ip_network(address))  # type: ignore[arg-type]
    return parts


FRAGMENT = Fragment("masquerade", NETLAB, _declare, everywhere=_everywhere)
