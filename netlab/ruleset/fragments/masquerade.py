"""Masquerade: packets that leave the pod networks of a masqueraded mode get the address of their node.

With ``masquerade: outside`` packets to other nodes keep the pod's address. Each other choice has one set of its own.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from collections.abc import Set as AbstractSet
from ipaddress import ip_network

from netlab.objects.types import Address, Prefix
from netlab.ruleset.comments import listing
from netlab.ruleset.elements import Element, Set
from netlab.ruleset.fragment import NETLAB, POSTROUTING, Entry, Fragment, Layout, ip
from netlab.ruleset.tables import Chain, Parts

UNDERLAY = "underlay0"
"""The node's interface on the underlay."""


def _variant(layout: Layout, _: AbstractSet[str]) -> Hashable:
    """Return whether a network masquerades packets to outside hosts only."""
    return any(network.traits.masquerade == "outside" for network in layout.networks)


def _declare(layout: Layout, to_outside_only: Hashable) -> Parts:
    about = "pod networks whose packets to other networks get their node's address"
    sets = [Set(f"masq{f}", (f"ipv{f}_addr",), interval=True, about=about) for f in layout.families]
    leaves = f'oifname "{UNDERLAY}"'
    rules = [f"{leaves} {ip(f)} saddr @masq{f} {ip(f)} daddr != @masq{f} masquerade" for f in layout.families]
    if to_outside_only:
        about = "pod networks whose packets to outside hosts get their node's address"
        sets += [Set(f"masq_outside{f}", (f"ipv{f}_addr",), interval=True, about=about) for f in layout.families]
        about = "nodes: packets from these networks to a node keep the pod's address"
        sets += [Set(f"masq_nodes{f}", (f"ipv{f}_addr",), about=about) for f in layout.families]
        rules += [
            f"{leaves} {ip(f)} saddr @masq_outside{f} {ip(f)} daddr != @masq_outside{f}"
            f" {ip(f)} daddr != @masq_nodes{f} masquerade"
            for f in layout.families
        ]
    about = "packets from these networks to any other get their node's address"
    return Parts(sets, (Chain("masquerade_pods", tuple(rules), POSTROUTING, about),))


def _everywhere(layout: Layout) -> Iterator[Entry]:
    for network in layout.networks:
        name = "masq_outside" if network.traits.masquerade == "outside" else "masq"
        own = network.traits.masqueraded and not network.traits.attachment.by_plugins
        for cidr in network.pod_cidrs if own else ():
            nodes = [a for node in layout.nodes for a in node.addresses if a.version == cidr.version and a in cidr]
            for part in parts_without(cidr, nodes):
                yield Entry(f"{name}{cidr.version}", (part,), Element(comment=network.name))
    if _variant(layout, frozenset()):
        for node in layout.nodes:
            for address in node.addresses:
                if address.version in layout.families:
                    yield Entry(f"masq_nodes{address.version}", (address,), Element(comment=listing([node.ref])))


def parts_without(cidr: Prefix, addresses: Iterable[Address]) -> list[Prefix]:
    """Return the parts of a prefix without some addresses: in clouds, nodes may have addresses of the pods' range."""
    parts = [cidr]
    for address in addresses:
        (hit,) = [part for part in parts if address in part]
        parts.remove(hit)
        parts += hit.address_exclude(ip_network(address))  # type: ignore[arg-type]
    return parts


FRAGMENT = Fragment("masquerade", NETLAB, _declare, _variant, everywhere=_everywhere)
