"""The sets and chains of the fragment of Services.

A new connection to a Service costs four lookups: the mark of its port, the number of endpoints, the chain for this
number, and the endpoint. Any other new connection costs three lookups. An established one costs a test of its state.
No Service and no endpoint has a chain of its own.

Source: kube-proxy's nftables mode (pkg/proxy/nftables/proxier.go), with another layout.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from netlab.frozen import frozen
from netlab.ruleset.elements import Set
from netlab.ruleset.fragment import FORWARD, POSTROUTING, Layout, Place, ip
from netlab.ruleset.fragments.masquerade import UNDERLAY
from netlab.ruleset.service_hash import PROBE_DSCP, SEED
from netlab.ruleset.service_marks import (
    AFFINITY,
    LIST,
    LOCAL_FROM_OUTSIDE,
    LOCAL_LIST,
    MASQUERADE,
    NUMBER,
    REJECTED,
    SOURCE_RANGES,
    Registers,
)
from netlab.ruleset.tables import Chain, Hook

_TRANSPORT = "meta l4proto { tcp, udp, sctp }"
_FRONT = "meta l4proto . th dport"
_UNTRANSLATED = Place.STATE - 50
_FIRST = -10
# After a nat chain translates a packet, no later nat chain of the hook sees it. So a nodePort wins over a hostPort.
_DNAT, _AFTER_DNAT = -101, -99


@frozen
class Variant:
    """What the chains depend on.

    ``most`` is the number of endpoints of the longest list, rounded up to a power of two. ``timeouts`` has the seconds
    of sessionAffinity that Services have, ascending.
    """

    most: int
    timeouts: tuple[int, ...]


def sets(layout: Layout, variant: Variant) -> Iterator[Set]:
    """Yield the sets of a lab."""
    families, use = layout.families, Registers.of(layout.policy)
    port = ("inet_proto", "inet_service")
    for f in families:
        address = (f"ipv{f}_addr",)
        yield Set(f"services{f}", (*address, *port), ("mark",), about="marks of Services by address, protocol, port")
        yield Set(f"node_ports{f}", port, ("mark",), about="marks of Services by nodePort")
        yield Set(f"service_counts{f}", ("mark",), ("mark",), about="numbers of endpoints by list")
        about = "endpoints by index and list; for sessionAffinity also by the endpoint's number"
        yield Set(f"service_endpoints{f}", ("classid", "mark"), (*address, "inet_service"), about=about)
        yield Set(f"service_nodes{f}", address, about="the node's address that takes nodePorts")
        yield Set(f"service_pods{f}", address, interval=True, about="addresses of pods; all others are outside")
        yield Set(f"service_hairpins{f}", address * 2, about="each endpoint as source and destination")
        about = "loadBalancerSourceRanges by Service"
        yield Set(f"service_sources{f}", ("mark", *address), interval=True, about=about)
        yield Set(f"service_addresses{f}", address, about="ClusterIPs: ports of no Service are rejected")
        about = "service ranges: packets to addresses without a Service are dropped"
        yield Set(f"service_ranges{f}", address, interval=True, about=about)
        if variant.timeouts:
            about = "sessionAffinity: the endpoint's number by client and list"
            key, value = (("ipv4_addr", "mark"), "classid") if f == 4 else ((_client(6), use.scratch), "meta priority")
            yield Set(f"affinity{f}", key, (value,), about=about, timeout=10800)
            about = "sessionAffinity: the endpoint's number by endpoint"
            yield Set(f"affinity_ids{f}", (*address, *port), ("classid",), about=about)
    if variant.timeouts:
        yield Set("service_timeouts", ("mark",), ("mark",), about="sessionAffinity: the timeout in seconds by Service")


def chains(layout: Layout, variant: Variant) -> Iterator[Chain]:
    """Yield the chains of a lab."""
    families, use = layout.families, Registers.of(layout.policy)
    yield from _translation(families, use, variant)
    yield from _rejection(families, use)
    if variant.timeouts:
        yield from _affinity(families, use, variant.timeouts)
    hairpins = [f"{ip(f)} saddr . {ip(f)} daddr @service_hairpins{f}" for f in families]
    if layout.policy.hairpin == "exempt":
        # A node rejects packets to a node port without endpoints, also where a pod publishes the same port.
        served = f"{use.carried} & {REJECTED:#010x} == 0x0"
        yield Chain("forward", tuple(f"{served} {match} accept" for match in hairpins), FORWARD, place=Place.EXEMPT)
    if layout.policy.hairpin == "unwired":
        # Without a mark it reaches itself through a port that it publishes on its node, which is no Service. A packet
        # that came by the underlay is another node's, and this node masquerades it. The answer may come by a tunnel,
        # and may have the connection's mark.
        own = f'iifname != "{UNDERLAY}" ct direction original {use.carried} != 0x0'
        lost = tuple(f"{own} {match} counter drop" for match in hairpins)
        yield Chain("forward", lost, FORWARD, "a pod that reaches itself through a Service", Place.EXEMPT)
    if len(layout.networks) > 1:
        # A published port is open to other networks. The endpoints of a Service are not.
        yield Chain("apart", (f"{use.carried} != 0x0 counter drop",), place=_FIRST)
    # A pod that reaches itself needs another source address. Otherwise its answer never leaves the pod.
    masquerade = (_has(use.carried, MASQUERADE), *hairpins)
    rules = tuple(f"{match} masquerade" for match in masquerade)
    yield Chain("masquerade_pods", rules, POSTROUTING, place=_FIRST)


def _has(register: str, flag: int) -> str:
    return f"{register} & {flag:#010x} != 0x0"


def _kept(use: Registers, mask: int) -> str:
    return f"{use.scratch} set {use.carried} & {mask:#010x}"


def _client(f: int) -> str:
    """Return the expression for a client in keys of ``affinity``: an IPv4 address, or the last 96 bits of an IPv6 one.

    The key of a map that packets update may have 16 bytes in nft 1.0.6, and the list takes four. With a longer key nft
    loads the value over the end of the key, or stops at an assertion.
    """
    return "ip saddr" if f == 4 else "@nh,96,96"


def _translation(families: Sequence[int], use: Registers, variant: Variant) -> Iterator[Chain]:
    """Yield the chains that find a packet's mark and translate its destination."""

    def marks(f: int, target: str) -> Iterator[str]:
        yield f"{use.carried} set {ip(f)} daddr . {_FRONT} map @services{f} goto {target}{f}"
        yield f"{ip(f)} daddr @service_nodes{f} {use.carried} set {_FRONT} map @node_ports{f} goto {target}{f}"

    about = "packets from outside: without externalTrafficPolicy Local they are masqueraded"
    masquerade = f"{use.carried} set {use.carried} | {MASQUERADE:#010x}"
    from_outside = (
        f"{use.carried} & {LOCAL_FROM_OUTSIDE:#010x} == 0x0 {masquerade} return",
        f"{use.carried} set {use.carried} | {LOCAL_LIST:#010x}",
    )
    yield Chain("service_from_outside", from_outside, about=about)
    for f in families:
        yield from _choice(f, use, variant)
        from_rules = (f"{ip(f)} saddr != @service_pods{f} jump service_from_outside", f"goto service{f}")
        yield Chain(f"service_from{f}", from_rules)
        about = "packets of the node: they get the address of the interface that they leave by"
        yield Chain(f"service_from_node{f}", (f"{masquerade} goto service{f}",), about=about)
    hooks: dict[Literal["prerouting", "output"], str] = {"prerouting": "service_from", "output": "service_from_node"}
    for hook, target in hooks.items():
        rules = tuple(rule for f in families for rule in marks(f, target))
        yield Chain(f"service_{hook}", rules, Hook("nat", hook, _DNAT))


def _choice(f: int, use: Registers, variant: Variant) -> Iterator[Chain]:
    """Yield the chains that choose an endpoint. ``service_hash.chosen`` computes the same index."""
    to = f"dnat {ip(f)} to meta priority . {use.scratch} map @service_endpoints{f}"
    for count in range(1, variant.most + 1):
        index = f"meta priority set jhash {ip(f)} saddr . th sport mod {count} seed {SEED:#x}"
        yield Chain(f"service{f}_{count}", (f"{_TRANSPORT} {index} {_kept(use, LIST)} {to}",))
    verdicts = ["0x0 : drop", *(f"{count:#x} : goto service{f}_{count}" for count in range(1, variant.most + 1))]
    about = "0: traffic policy Local, and no endpoint on this node"
    yield Chain(f"service_choose{f}", (f"{use.scratch} vmap {{ {', '.join(verdicts)} }}",), about=about)
    source_ranges = (_kept(use, NUMBER), f"{use.scratch} . {ip(f)} saddr @service_sources{f} return", "counter drop")
    yield Chain(f"service_check_source{f}", source_ranges)
    by_affinity: tuple[str, ...] = ()
    if variant.timeouts:
        known = f"meta priority set {_client(f)} . {use.scratch} map @affinity{f}"
        # Without this, ``update`` would give the old element a new timeout and keep its value.
        forget = f"meta nfproto ipv{f} delete @affinity{f} {{ {_client(f)} . {use.scratch} : meta priority }}"
        yield Chain(f"service_by_affinity{f}", (f"{_TRANSPORT} {_kept(use, LIST)} {known} {to}", forget))
        # A probe's source port chooses its endpoint, so a probe must not follow an affinity.
        by_affinity = (f"{_has(use.carried, AFFINITY)} {ip(f)} dscp != {PROBE_DSCP} jump service_by_affinity{f}",)
    rules = (
        f"{_has(use.carried, SOURCE_RANGES)} jump service_check_source{f}",
        *by_affinity,
        _kept(use, LIST),
        f"{use.scratch} set {use.scratch} map @service_counts{f} goto service_choose{f}",
        f"{use.carried} set {REJECTED:#010x}",
    )
    yield Chain(f"service{f}", rules)


def _rejection(families: Sequence[int], use: Registers) -> Iterator[Chain]:
    """Yield the chains that reject or drop packets to Services that no rule translated.

    TCP gets a reset: a client on the node itself does not see an ICMP error, as its socket is locked while it sends
    (tcp_v4_err in net/ipv4/tcp_ipv4.c).
    """
    about = "no endpoint: the client sees at once that the connection is refused"
    reject = ("meta l4proto tcp counter reject with tcp reset", "counter reject with icmpx port-unreachable")
    yield Chain("service_reject", reject, about=about)
    rejected = f"{_has(use.carried, REJECTED)} goto service_reject"
    ranges = [
        rule
        for f in families
        for rule in (
            f"{ip(f)} daddr @service_addresses{f} goto service_reject",
            f"{ip(f)} daddr @service_ranges{f} counter drop",
        )
    ]
    # Most packets here were translated. Their mark saves them the lookups.
    yield Chain("service_untranslated", (rejected, f"{use.carried} != 0x0 return", *ranges))
    new = ("ct state new jump service_untranslated",)
    yield Chain("forward", new, FORWARD, place=_UNTRANSLATED)
    yield Chain("service_local", new, Hook("filter", "output", "filter"))
    yield Chain("service_input", (f"ct state new {rejected}",), Hook("filter", "input", "filter"))


def _affinity(families: Sequence[int], use: Registers, timeouts: Sequence[int]) -> Iterator[Chain]:
    """Yield the chains that add elements to ``affinity``: one for each timeout, as nft has no timeout from a map.

    The number of a removed endpoint is in no element of ``service_endpoints``, so its clients get another endpoint.
    """
    about = "sessionAffinity: after DNAT the destination is the endpoint"
    for seconds in timeouts:
        remember = (
            rule
            for f in families
            for rule in (
                f"meta priority set {ip(f)} daddr . {_FRONT} map @affinity_ids{f}",
                f"meta nfproto ipv{f} "
                f"update @affinity{f} {{ {_client(f)} . {use.scratch} timeout {seconds}s : meta priority }}",
            )
        )
        yield Chain(f"service_remember_{seconds}", (_kept(use, LIST), *remember))
    by_timeout = ", ".join(f"{seconds:#x} : goto service_remember_{seconds}" for seconds in timeouts)
    rules = (
        *(f"{ip(f)} dscp {PROBE_DSCP} return" for f in families),
        _kept(use, NUMBER),
        f"{use.scratch} set {use.scratch} map @service_timeouts",
        f"{use.scratch} vmap {{ {by_timeout} }}",
    )
    yield Chain("service_remember", rules, about=about)
    hooks: tuple[Literal["prerouting", "output"], ...] = ("prerouting", "output")
    for hook in hooks:
        rule = f"ct state new {_has(use.carried, AFFINITY)} jump service_remember"
        yield Chain(f"service_affinity_{hook}", (rule,), Hook("filter", hook, _AFTER_DNAT))
