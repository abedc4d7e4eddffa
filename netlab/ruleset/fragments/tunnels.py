"""Accepts tunnels from nodes only: inside a tunnel a pod could send packets from any address.

A VXLAN device accepts every packet to its UDP port, whatever its source and content, and an IPIP device every IPIP
packet. Calico drops such packets of pods for this reason (felix, rules/endpoints.go); flannel does not.

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

_TABLE = TableName("inet", "netlab_tunnels", ("Tunnels join nodes: VXLAN from other machines is dropped.",))
# The protocol number of IPIP (RFC 2003). nft's name for it differs from host to host.
_IPIP = "meta l4proto 4"


def _variant(layout: Layout, _: AbstractSet[str]) -> Hashable:
    wired = layout.port_of is not None
    return () if wired and any(network.traits.transport.tunnel for network in layout.networks) else None


def _declare(layout: Layout, _: Hashable) -> Parts:
    families = sorted({address.version for node in layout.nodes for address in node.addresses})
    tunnels = [(tunnel, f) for tunnel, carriers in _matches(layout) for f in families if f in carriers]
    others = (f"{tunnel} fib daddr type local {ip(f)} saddr != @nodes{f} counter drop" for tunnel, f in tunnels)
    own = tuple(f"{tunnel} {ip(f)} daddr @nodes{f} notrack" for tunnel, f in tunnels)
    onward = tuple(f"{tunnel} {ip(f)} daddr @nodes{f} counter drop" for tunnel, f in tunnels)
    about = "masquerade would give VXLAN of a pod the address of its node, which the other node accepts"
    return Parts(
        [Set(f"nodes{f}", (f"ipv{f}_addr",), about="the nodes, which tunnels join") for f in families],
        (
            Chain("prerouting", (*others, *own), Hook("filter", "prerouting", "raw")),
            Chain("output", own, Hook("filter", "output", "raw")),
            Chain("forward", onward, Hook("filter", "forward", "filter"), about),
        ),
    )


def _matches(layout: Layout) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield the match of each kind of tunnel, and the IP families of its outer packets."""
    traits = [network.traits for network in layout.networks]
    for port in sorted({one.tunnel_port for one in traits if one.transport.tunnel == "vxlan"}):
        yield f"udp dport {port}", (4, 6)
    if any(one.transport.tunnel == "ipip" for one in traits):
        yield _IPIP, (4,)


def _everywhere(layout: Layout) -> Iterator[Entry]:
    for node in layout.nodes:
        for address in node.addresses:
            yield Entry(f"nodes{address.version}", (address,), Element(comment=listing([node.ref])))


FRAGMENT = Fragment("tunnels", _TABLE, _declare, _variant, everywhere=_everywhere)
