"""Published ports in the policy table: DNAT on the node, and masquerade where a pod meets itself that way.

As the CNI ``portmap`` plugin's nftables backend does it, with maps in place of one rule per port.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from netlab.cluster.published import published_by
from netlab.cluster.types import Pod
from netlab.ruleset.comments import listing
from netlab.ruleset.elements import Element, Set


def sets(families: Sequence[int]) -> list[Set]:
    """Return the maps of published ports, with and without an address of their own, and the pods that publish."""
    found: list[Set] = []
    for f in families:
        address = f"ipv{f}_addr"
        to = f"{address} . inet_service"
        found += [
            Set(f"hostips{f}", f"{address} . inet_proto . inet_service", to, about="ports published on one address"),
            Set(f"hostports{f}", "inet_proto . inet_service", to, about="ports published on every address of the node"),
            Set(f"self{f}", f"{address} . {address}", about="pods that publish ports, each with itself"),
        ]
    return found


def elements(pod: Pod) -> Iterator[tuple[str, str, Element]]:
    """Yield what a pod's node holds of the ports that the pod publishes, each element with its set and key."""
    for one in published_by(pod):
        service = f"{one.port.protocol.lower()} . {one.port.host_port}"
        for address in pod.addresses:
            f = address.version
            element = Element(f"{address} . {one.port.port}", listing([pod.ref]))
            if one.host_ip is None:
                yield f"hostports{f}", service, element
            elif one.host_ip.version == f:
                yield f"hostips{f}", f"{one.host_ip} . {service}", element
            yield f"self{f}", f"{address} . {address}", Element(comment=listing([pod.ref]))


def chains(families: Sequence[int]) -> list[tuple[str, list[str], str]]:
    """Return the chains as (name, rules, what they are for)."""
    local = "fib daddr type local jump published"
    translate: list[str] = []
    for f in families:
        ip = "ip" if f == 4 else "ip6"
        translate += [
            f"dnat {ip} to {ip} daddr . meta l4proto . th dport map @hostips{f}",
            f"dnat {ip} to meta l4proto . th dport map @hostports{f}",
        ]
    guard = ["type filter hook prerouting priority raw; policy accept;", 'iifname != "lo" ip daddr 127.0.0.0/8 drop']
    return [
        ("published", translate, "what was sent to a published port goes on to its pod"),
        ("publish_prerouting", ["type nat hook prerouting priority dstnat; policy accept;", local], ""),
        ("publish_output", ["type nat hook output priority -100; policy accept;", local], ""),
        ("own_loopback", guard, "the node routes 127.0.0.0/8 for its own sake, not for its neighbours'"),
    ]


def masquerades(families: Sequence[int]) -> list[str]:
    """Return the rules for what would otherwise be answered past the node: a pod's to itself, and the loopback's."""
    own = [
        f"{'ip' if f == 4 else 'ip6'} saddr . {'ip' if f == 4 else 'ip6'} daddr @self{f} masquerade" for f in families
    ]
    return [*own, "ip saddr 127.0.0.0/8 ct status dnat masquerade"]
