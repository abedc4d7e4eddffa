"""Accepts VXLAN from nodes only: inside VXLAN a pod could send packets from any address.

A VXLAN device accepts every packet to its UDP port, whatever its source and content. Calico drops packets from pods to
tunnel ports for this reason (felix, rules/endpoints.go); flannel does not.

Tunnels are not tracked, as in Cilium. Each flow inside a tunnel has its own outer source port, so tracking would add
two conntrack entries per flow. A probe of a million pairs filled the tables of ten nodes, with 262,144 entries each.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from collections.abc import Set as AbstractSet

from netlab.ruleset.comments import listing
from netlab.ruleset.elements import Element, Set
from netlab.ruleset.fragment import Entry, Fragment, Layout, ip
from netlab.ruleset.tables import Chain, Hook, Parts, TableName

DSTPORT = 8472
"""The UDP port of VXLAN: the default of Linux and flannel. The registered port is 4789 (RFC 7348)."""

_TABLE = TableName("inet", "netlab_tunnels", ("Tunnels join nodes: VXLAN from other machines is dropped.",))


def _variant(layout: Layout, _: AbstractSet[str]) -> Hashable:
    wired = layout.port_of is not None
    return () if wired and any(network.traits.transport.tunnel for network in layout.networks) else None


def _declare(layout: Layout, _: Hashable) -> Parts:
    families = sorted({address.version for node in layout.nodes for address in node.addresses})
    tunnel = f"udp dport {DSTPORT}"
    others = (f"{tunnel} fib daddr type local {ip(f)} saddr != @nodes{f} counter drop" for f in families)
    own = tuple(f"{tunnel} {ip(f)} daddr @nodes{f} notrack" for f in families)
    onward = tuple(f"{tunnel} {ip(f)} daddr @nodes{f} counter drop" for f in families)
    about = "masquerade would give VXLAN of a pod the address of its node, which the other node accepts"
    return Parts(
        [Set(f"nodes{f}", (f"ipv{f}_addr",), about="the nodes, which tunnels join") for f in families],
        (
            Chain("prerouting", (*others, *own), Hook("filter", "prerouting", "raw")),
            Chain("output", own, Hook("filter", "output", "raw")),
            Chain("forward", onward, Hook("filter", "forward", "filter"), about),
        ),
    )


def _everywhere(layout: Layout) -> Iterator[Entry]:
    for node in layout.nodes:
        for address in node.addresses:
            yield Entry(f"nodes{address.version}", (address,), Element(comment=listing([node.ref])))


FRAGMENT = Fragment("tunnels", _TABLE, _declare, _variant, everywhere=_everywhere)
