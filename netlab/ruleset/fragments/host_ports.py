"""Published ports (``hostPort``): DNAT on the node, and masquerade for a pod that reaches itself by its published port.

The CNI ``portmap`` plugin's nftables backend does the same with one rule per port; here maps replace the rules.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from collections.abc import Set as AbstractSet

from netlab.cluster.host_ports import published_by
from netlab.cluster.types import Pod
from netlab.ruleset.comments import listing
from netlab.ruleset.elements import Element, Key, Set
from netlab.ruleset.fragment import FORWARD, NETLAB, POSTROUTING, Entry, Fragment, Layout, Place, ip
from netlab.ruleset.tables import Chain, Hook, Parts


def _variant(_: Layout, filled: AbstractSet[str]) -> Hashable:
    """Return whether nodes also translate Services, if some pod of the lab publishes a port."""
    services = "services4" in filled or "services6" in filled
    return services if "self4" in filled or "self6" in filled else None


def _declare(layout: Layout, services: Hashable) -> Parts:
    no_service = ""
    if services:
        from netlab.ruleset.service_marks import Registers

        # A pod may reach itself through a Service too. Then its policy applies, unless ``hairpin`` exempts it.
        no_service = f"{Registers.of(layout.policy).carried} == 0x0 "
    return Parts(tuple(_sets(layout.families)), tuple(_chains(layout.families, no_service)))


def _sets(families: Sequence[int]) -> Iterator[Set]:
    for f in families:
        address, port = f"ipv{f}_addr", ("inet_proto", "inet_service")
        to = (address, "inet_service")
        yield Set(f"hostips{f}", (address, *port), to, about="ports published on one address")
        yield Set(f"hostports{f}", port, to, about="ports published on every address of the node")
        yield Set(f"self{f}", (address, address), about="pods that publish ports, each as source and destination")


def _chains(families: Sequence[int], no_service: str) -> Iterator[Chain]:
    """Yield the chains; ``no_service`` is the match for packets that no Service translated."""
    local = ("fib daddr type local jump published",)
    translate: list[str] = []
    for f in families:
        translate += [
            f"dnat {ip(f)} to {ip(f)} daddr . meta l4proto . th dport map @hostips{f}",
            f"dnat {ip(f)} to meta l4proto . th dport map @hostports{f}",
        ]
    itself = [f"{ip(f)} saddr . {ip(f)} daddr @self{f}" for f in families]
    yield Chain("forward", tuple(f"{no_service}{match} accept" for match in itself), FORWARD, place=Place.EXEMPT)
    yield Chain("published", tuple(translate), about="packets to a published port go on to its pod")
    yield Chain("publish_prerouting", local, Hook("nat", "prerouting", "dstnat"))
    yield Chain("publish_output", local, Hook("nat", "output", -100))
    about = "route_localnet is on, so packets of other machines to 127.0.0.0/8 are dropped"
    loopback = ('iifname != "lo" ip daddr 127.0.0.0/8 drop',)
    yield Chain("own_loopback", loopback, Hook("filter", "prerouting", "raw"), about)
    # Replies must pass the node, which reverses DNAT. Without masquerade a pod would answer itself directly, and could
    # not answer the node's loopback address at all.
    hairpin = (*(f"{match} masquerade" for match in itself), "ip saddr 127.0.0.0/8 ct status dnat masquerade")
    yield Chain("masquerade_pods", hairpin, POSTROUTING, place=100)


def _of_pod(_: Layout, pod: Pod) -> Iterator[Entry]:
    for one in published_by(pod):
        service: Key = (one.port.protocol.lower(), one.port.host_port)
        for address in pod.addresses:
            f = address.version
            element = Element((address, one.port.port), listing([pod.ref]))
            if pod.traits.attachment.by_plugins:
                pass  # a plugin has the DNAT
            elif one.host_ip is None:
                yield Entry(f"hostports{f}", service, element)
            elif one.host_ip.version == f:
                yield Entry(f"hostips{f}", (one.host_ip, *service), element)
            yield Entry(f"self{f}", (address, address), Element(comment=listing([pod.ref])))


FRAGMENT = Fragment("publish", NETLAB, _declare, _variant, of_pod=_of_pod)
