"""The tunnel table: nobody but a node may speak VXLAN to a node, or a pod could send as anybody inside of it.

A VXLAN device takes whatever comes to its UDP port and asks neither who sent it nor what is inside. Calico drops what
pods send to tunnel ports for the same reason (felix, rules/endpoints.go); flannel alone leaves it open.

Tunnels are not tracked, as Cilium has it too: each flow inside has an outer source port of its own, and so would have
two connection entries more. Probing a million pairs filled the tables of ten nodes with them, 262,144 in each.
"""

from __future__ import annotations

from collections.abc import Sequence

from netlab.cluster.types import Cluster
from netlab.ruleset.comments import listing
from netlab.ruleset.elements import Element, Set, Table

DSTPORT = 8472
"""The UDP port that the Linux kernel takes by default, and flannel with it; the registered one (RFC 7348) is 4789."""


def tables(cluster: Cluster) -> tuple[Table, ...]:
    """Return the table of a cluster with tunnels, nothing for any other."""
    if not any(network.traits.transport.tunnel for network in cluster.networks):
        return ()
    families = sorted({address.version for node in cluster.nodes for address in node.addresses})
    sets = tuple(Set(f"nodes{f}", f"ipv{f}_addr", about="the nodes, between whom tunnels are") for f in families)
    about = ("Tunnels are between nodes: what others send to their port goes nowhere.",)
    return (Table("inet", sets, _chains(families), about, "netlab_tunnels"),)


def elements(cluster: Cluster) -> dict[str, dict[str, Element]]:
    """Return the addresses of the nodes, for the table's sets."""
    found: dict[str, dict[str, Element]] = {}
    for node in cluster.nodes:
        for address in node.addresses:
            found.setdefault(f"nodes{address.version}", {})[str(address)] = Element(comment=listing([node.ref]))
    return found


def _chains(families: Sequence[int]) -> str:
    words = {4: "ip", 6: "ip6"}
    strangers = [
        f"\t\tudp dport {DSTPORT} fib daddr type local {words[f]} saddr != @nodes{f} counter drop" for f in families
    ]
    onward = [f"\t\tudp dport {DSTPORT} {words[f]} daddr @nodes{f} counter drop" for f in families]
    own = [f"\t\tudp dport {DSTPORT} {words[f]} daddr @nodes{f} notrack" for f in families]
    return "\n".join(
        [
            "\tchain prerouting {",
            "\t\ttype filter hook prerouting priority raw; policy accept;",
            *strangers,
            *own,
            "\t}",
            "",
            "\tchain output {",
            "\t\ttype filter hook output priority raw; policy accept;",
            *own,
            "\t}",
            "",
            "\t# a pod would be masqueraded, and come to the other node as its own",
            "\tchain forward {",
            "\t\ttype filter hook forward priority filter; policy accept;",
            *onward,
            "\t}",
            "",
        ]
    )
