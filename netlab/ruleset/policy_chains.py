"""The sets and chains of the policy fragment.

For each isolated side a new connection costs two map lookups (identity, class) and at most three hash lookups; a denied
one costs twice that. Any other packet costs one lookup of its connection's state. More policies mean more elements,
never more rules.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from netlab.objects.topology import TopologyPolicy
from netlab.ruleset.elements import Set
from netlab.ruleset.fragment import FORWARD, Place, ip
from netlab.ruleset.peers import DEFAULTS
from netlab.ruleset.side_expressions import Side, destination_expression, source_expression
from netlab.ruleset.tables import Chain, Hook
from netlab.ruleset.tier_chains import OWN_NODE, own_node_chains, tier_chains, to_isolated, to_tiers

_ICMP = {4: 1, 6: 58}

_REJECT = {
    "admin-prohibited": ("counter reject with icmpx admin-prohibited",),
    "port-unreachable": ("counter reject with icmpx port-unreachable",),
    # Only TCP has a reset.
    "tcp-reset": ("meta l4proto tcp counter reject with tcp reset", "counter reject with icmpx port-unreachable"),
}

_BASIC = {
    4: "icmp type {{ echo-request, destination-unreachable, time-exceeded{} }} accept",
    6: "icmpv6 type {{ echo-request, destination-unreachable, time-exceeded, echo-reply }} accept",
}
"""The kinds of ICMP that always pass with ``icmp: basic-always``; neighbour discovery passes under every policy."""

MULTICAST = {4: "224.0.0.0/4", 6: "ff00::/8"}
"""The multicast addresses of each IP family."""

_NEIGHBOURS = (
    "nd-router-solicit",
    "nd-router-advert",
    "nd-neighbor-solicit",
    "nd-neighbor-advert",
    "nd-redirect",
)
"""ICMPv6 types 133 to 137: neighbour discovery must work under every policy."""


EGRESS_SERVICES = "eg_services"
"""The prefix of the sets of cluster IPs that egress rules allow by selectors, with ``serviceEgress: pre-dnat``."""


def sets(families: Sequence[int], settings: TopologyPolicy = DEFAULTS) -> Iterator[Set]:
    """Yield the sets of identities, classes and allows for the IP families (4, 6) of a cluster."""
    for f in families:
        address = (f"ipv{f}_addr",)
        yield Set(f"id{f}", address, ("mark",), about="identities of the pods that a peer matches")
        about = "identities of the other addresses that an ipBlock matches"
        yield Set(f"cidr{f}", address, ("mark",), interval=True, about=about)
        about = "classes of this node's pods that are isolated for"
        yield Set(f"in{f}", address, ("classid",), about=f"{about} ingress")
        yield Set(f"eg{f}", address, ("classid",), about=f"{about} egress")
    port = ("inet_proto", "inet_service")
    for f in families if settings.service_egress == "pre-dnat" else ():
        about = "allowed to cluster IPs: the Services that a peer selects by their selectors"
        yield Set(f"{EGRESS_SERVICES}{f}", ("classid", f"ipv{f}_addr", *port), interval=True, about=about)
    for way, word in (("in", "from"), ("eg", "to")):
        anywhere, identity = f"allowed {word} anywhere", f"allowed {word} an identity"
        yield Set(f"{way}_l3", ("classid", "mark"), about=f"{identity}: every protocol and port")
        yield Set(f"{way}_l4", ("classid", *port), about=f"{anywhere}: one port")
        yield Set(f"{way}_l3l4", ("classid", "mark", *port), about=f"{identity}: one port")
        yield Set(f"{way}_slow", ("classid",), about="classes with port ranges: only these need the sets of ranges")
        yield Set(f"{way}_l4_ranges", ("classid", *port), interval=True, about=f"{anywhere}: a range of ports")
        about = f"{identity}: a range of ports"
        yield Set(f"{way}_l3l4_ranges", ("classid", "mark", *port), interval=True, about=about)


def chains(
    families: tuple[int, ...],
    settings: TopologyPolicy,
    tiers: bool = False,
    node_ports: tuple[int, int] = (30000, 32767),
) -> Iterator[Chain]:
    """Yield the chains of policy.

    ``families`` are IP families (4, 6). ``settings`` has what Kubernetes leaves undefined. ``tiers``: some
    pod has a class of tiers. ``node_ports`` are the lowest and the highest node port.
    """
    yield from _way(Side("in", "ingress", families, settings), tiers)
    yield from _way(Side("eg", "egress", families, settings), tiers)
    yield from _forward(families, settings)
    if settings.own_node == "enforce":
        yield from _own_node(families, settings, _judged_on_own_node(families, settings, node_ports))
    elif tiers and settings.directions != "ingress-only":
        yield from own_node_chains(Side("eg", "egress", families, settings))
        # With pre-dnat, policies have judged the address that a packet had before the node translated it.
        before = ["ct status dnat accept"] if settings.service_egress == "pre-dnat" else []
        jumps = [_class_of(OWN_NODE, f, settings, f"{OWN_NODE}_tiers") for f in families]
        yield from _own_node(families, settings, [*before, *jumps])


def _way(side: Side, tiers: bool) -> Iterator[Chain]:
    """Yield the chains of one direction: ``meta priority`` holds the pod's class, a mark holds the peer's identity.

    A lookup of a port always includes the protocol, as ``th dport`` of an ICMP packet reads its checksum.

    A transaction takes effect at one moment. A packet that looks up its class before this moment and its identity after
    it finds no element, as the old class has none for the new identity. At 80,000 packets a second every fiftieth
    change dropped a packet that both rulesets allow. So each packet that would be denied is looked up once more, from
    its class on. By then the change is in force for all of its lookups.
    """
    way, direction, mark = side.way, side.direction, side.mark

    def port_lookups(suffix: str) -> list[str]:
        return [
            f"{guard}{key} . meta l4proto . th {port} @{way}_{name}{suffix} return"
            for key, name in (("meta priority", "l4"), (f"meta priority . {mark}", "l3l4"))
            for guard, port in side.port_expressions
        ]

    service_lookups = [
        f"meta priority . {ip(f)} daddr . meta l4proto . th dport @{EGRESS_SERVICES}{f} return"
        for f in (side.families if side.before_dnat else ())
    ]

    def lookup_chains(again: str, denied: str) -> list[Chain]:
        """Return the chains of the first or of the second lookup; ``denied`` is the chain for denied packets."""
        allowed = [
            *service_lookups,
            f"meta priority . {mark} @{way}_l3 return",
            *port_lookups(""),
            f"meta priority @{way}_slow goto {way}_ranges{again}",
        ]
        allowed.append(f"goto {denied}")
        class_chain = f"{direction}_class{again}"
        classes = [Chain(class_chain, (*side.identity_rules, *allowed))]
        if tiers:
            rules = (to_tiers(way, again), *side.identity_rules, to_isolated(way, again))
            classes = [Chain(f"{way}_allowed{again}", tuple(allowed)), Chain(class_chain, rules)]
        return [
            Chain(f"{way}_ranges{again}", (*port_lookups("_ranges"), f"goto {denied}")),
            *classes,
        ]

    second = [
        f"meta priority set {side.own_address(f)} map @{way}{f} goto {direction}_class_again" for f in side.families
    ]
    about = (
        "a change may take effect between two lookups of a packet: it is denied only if a second lookup denies it too"
    )
    deny = _REJECT[side.settings.reject_with] if side.settings.deny == "reject" else ("counter drop",)
    yield Chain(f"deny_{way}", deny)
    yield from lookup_chains("_again", f"deny_{way}")
    yield Chain(f"{way}_again", tuple(second), about=about)
    yield from lookup_chains("", f"{way}_again")
    if tiers:
        yield from tier_chains(side)


def _forward(families: Sequence[int], settings: TopologyPolicy) -> Iterator[Chain]:
    """Yield the parts of chain ``forward``: the egress of the source pod, then the ingress of the destination pod.

    A rule ends if its map does not have the address, so "set ... map ... jump" means "if isolated, then jump".
    """
    sides: tuple[str, ...] = (
        *(_class_of("eg", f, settings, "egress_class") for f in families),
        *(f"meta priority set {destination_expression(f, settings)} map @in{f} jump ingress_class" for f in families),
    )
    judged = settings.directions == "both"
    if settings.service_egress == "pre-dnat" or not judged:
        sides = sides[len(sides) // 2 :]
    if settings.service_egress == "pre-dnat" and judged:
        yield from _before_dnat(families, settings)
    about = "after DNAT and before SNAT; br_netfilter brings bridged packets here"
    yield Chain("forward", tuple(_neighbours(families)), FORWARD, about, Place.NEIGHBOURS)
    yield Chain("forward", tuple(_state(families, settings)), FORWARD, place=Place.STATE)
    yield Chain("forward", sides, FORWARD, place=Place.POLICY)
    yield Chain("forward", tuple(_clear(settings)), FORWARD, place=Place.CLEAR)


def _before_dnat(families: Sequence[int], settings: TopologyPolicy) -> Iterator[Chain]:
    """Yield the chain that applies a pod's egress to the destination that the pod sends to.

    With ``established: reevaluate`` it does not apply to replies, as they have the port of the endpoint.
    """
    side = [_class_of("eg", f, settings, "egress_class") for f in families]
    first = "ct direction original" if settings.established == "reevaluate" else "ct state new"
    rules = (
        *_neighbours(families),
        *_passing(families, settings),
        f"{first} jump egress_before_dnat",
    )
    about = "before DNAT: policies judge the addresses and ports of Services"
    own = "fib daddr type local return"
    yield Chain("egress_before_dnat", (own, *side, *_clear(settings)), about=about)
    yield Chain("egress_prerouting", rules, Hook("filter", "prerouting", "mangle"))


def _neighbours(families: Sequence[int]) -> list[str]:
    return [f"icmpv6 type {{ {', '.join(_NEIGHBOURS)} }} accept"] if 6 in families else []


def _state(families: Sequence[int], settings: TopologyPolicy) -> list[str]:
    """Return the rules before policy: by connection state, and for what the settings always allow."""
    replies = "" if settings.established == "reevaluate" else "established : accept, "
    return [
        f"ct state vmap {{ {replies}related : accept, invalid : drop, untracked : accept }}",
        *_passing(families, settings),
    ]


def _passing(families: Sequence[int], settings: TopologyPolicy) -> list[str]:
    """Return the rules for packets that the settings always let pass."""
    return [
        *(f"meta l4proto {_ICMP[f]} accept" for f in families if settings.icmp == "allow"),
        *(_basic(f, settings) for f in families if settings.icmp == "basic-always"),
        *(f"{ip(f)} daddr {MULTICAST[f]} accept" for f in families if settings.multicast == "allow"),
    ]


def _basic(family: int, settings: TopologyPolicy) -> str:
    # Where policy applies to every packet, the reply to an echo request has to pass too.
    return _BASIC[family].format(", echo-reply" if settings.established == "reevaluate" else "")


def _clear(settings: TopologyPolicy) -> list[str]:
    """Return the rules that reset the registers, as queueing reads the priority and routing reads the mark."""
    return ["meta priority set none", *(["meta mark set 0x0"] if settings.established == "reevaluate" else [])]


def _class_of(prefix: str, family: int, settings: TopologyPolicy, chain: str) -> str:
    """Return the rule that looks up the class of the pod that sent a packet, and jumps to a chain if it has one."""
    return f"meta priority set {source_expression(family, settings)} map @{prefix}{family} jump {chain}"


def _own_node(families: tuple[int, ...], settings: TopologyPolicy, judged: Sequence[str]) -> Iterator[Chain]:
    """Yield the chains that apply a pod's egress to packets for its own node; none if policies do not judge egress.

    ``judged`` are the rules that look up the pod's class. If policy applies to every packet, the output hook has a
    chain too, for the node's replies; not with ``pre-dnat``.
    """
    if settings.directions == "ingress-only":
        return
    hooks = [Hook("filter", "input", "filter")]
    if settings.established == "reevaluate" and settings.service_egress == "post-dnat":
        hooks.append(Hook("filter", "output", "filter"))
    rules = (*_neighbours(families), *_state(families, settings), *judged, *_clear(settings))
    for hook in hooks:
        yield Chain(f"own_node_{hook.hook}", rules, hook, "packets from a pod of this node to the node itself")


def _judged_on_own_node(families: tuple[int, ...], settings: TopologyPolicy, node_ports: tuple[int, int]) -> list[str]:
    """Return the rules with which all policies judge packets for the pod's own node."""
    before = ["ct status dnat accept"] if settings.service_egress == "pre-dnat" else []
    exempt = settings.node_ports == "exempt"
    ports = _node_ports(Side("eg", "egress", families, settings), node_ports) if exempt else []
    return [*before, *ports, *(_class_of("eg", f, settings, "egress_class") for f in families)]


def _node_ports(side: Side, ports: tuple[int, int]) -> list[str]:
    """Return the rules for packets of pods to a node port of their node, or to the node itself through a Service."""
    by_port = [
        f"{guard}meta l4proto {{ tcp, udp, sctp }} th {port} {ports[0]}-{ports[1]} accept"
        for guard, port in side.port_expressions
    ]
    return [*by_port, "ct status dnat accept"]
