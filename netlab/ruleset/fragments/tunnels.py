"""Only a node may speak VXLAN to a node: a pod that could would send inside of it from any address.

A VXLAN device takes whatever comes to its UDP port and asks neither who sent it nor what is inside. Calico drops what
pods send to tunnel ports for the same reason (felix, rules/endpoints.go); flannel alone leaves it open.

Tunnels are not tracked, as Cilium has it too: each flow inside has an outer source port of its own, and so would have
two connection entries more. Probing a million pairs filled the tables of ten nodes with them, 262,144 in each.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from collections.abc import Set as AbstractSet

from netlab.ruleset.comments import listing
from netlab.ruleset.elements import Element, Set
from netlab.ruleset.fragment import Entry, Fragment, Layout, ip
from netlab.ruleset.tables import Chain, Hook, Parts, TableName

DSTPORT = 8472
"""The UDP port that the Linux kernel takes by default, and flannel with it; the registered one (RFC 7348) is 4789."""

_TABLE = TableName(
    "inet", "netlab_tunnels", ("Tunnels are between nodes: what others send to their port goes nowhere.",)
)


def _variant(layout: Layout, _: AbstractSet[str]) -> Hashable:
    wired = layout.port_of is not None
    return () if wired and any(network.traits.transport.tunnel for network in layout.networks) else None


def _declare(layout: Layout, _: Hashable) -> Parts:
    families = sorted({address.version for node in layout.nodes for address in node.addresses})
    tunnel = f"udp dport {DSTPORT}"
    strangers = (f"{tunnel} fib daddr type local {ip(f)} saddr != @nodes{f} counter drop" for f in families)
    own = tuple(f"{tunnel} {ip(f)} daddr @nodes{f} notrack" for f in families)
    onward = tuple(f"{tunnel} {ip(f)} daddr @nodes{f} counter drop" for f in families)
    about = "a pod would be masqueraded, and come to the other node as its own"
    return Parts(
        [Set(f"nodes{f}", (f"ipv{f}_addr",), about="the nodes, between whom tunnels are") for f in families],
        (
            Chain("prerouting", (*strangers, *own), Hook("filter", "prerouting", "raw")),
            Chain("output", own, Hook("filter", "output", "raw")),
            Chain("forward", onward, Hook("filter", "forward", "filter"), about),
        ),
    )


def _everywhere(layout: Layout) -> Iterator[Entry]:
    for node in layout.nodes:
        for address in node.addresses:
            yield Entry(f"nodes{address.version}", (address,), Element(comment=listing([node.ref])))


FRAGMENT = Fragment("tunnels", _TABLE, _declare, _variant, everywhere=_everywhere)
