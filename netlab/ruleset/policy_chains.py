"""The policy fragment's sets, and the chains that look packets up in them.

Per new connection and isolated side a packet pays two map lookups (identity, class) and at most three hash lookups,
twice where it is denied; what follows on it pays one lookup of its state. How much policy there is changes the
elements, never the rules.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from netlab.objects.topology import TopologyPolicy
from netlab.ruleset.elements import Set
from netlab.ruleset.fragment import FORWARD, Place
from netlab.ruleset.side import Side, destination_expression, source_expression
from netlab.ruleset.tables import Chain, Hook
from netlab.ruleset.tier_chains import tier_chains
from netlab.ruleset.tiers import Tier

_ICMP = {4: 1, 6: 58}

_DENY = {"drop": "counter drop", "reject": "counter reject with icmpx admin-prohibited"}

_NEIGHBOURS = (
    "nd-router-solicit",
    "nd-router-advert",
    "nd-neighbor-solicit",
    "nd-neighbor-advert",
    "nd-redirect",
)
"""ICMPv6 133-137: no policy may break neighbour discovery."""


def sets(families: Sequence[int]) -> Iterator[Set]:
    """Yield the sets of identities, classes and allows for the IP families (4, 6) of a cluster."""
    for f in families:
        address = (f"ipv{f}_addr",)
        yield Set(f"id{f}", address, ("mark",), about="identity of every pod that some peer matches")
        about = "identity of every other address that some ipBlock matches"
        yield Set(f"cidr{f}", address, ("mark",), interval=True, about=about)
        about = "class of this node's pods that are isolated for"
        yield Set(f"in{f}", address, ("classid",), about=f"{about} ingress")
        yield Set(f"eg{f}", address, ("classid",), about=f"{about} egress")
    port = ("inet_proto", "inet_service")
    for way, word in (("in", "from"), ("eg", "to")):
        anywhere, identity = f"allowed {word} anywhere", f"allowed {word} an identity"
        yield Set(f"{way}_l3", ("classid", "mark"), about=f"{identity}: every protocol and port")
        yield Set(f"{way}_l4", ("classid", *port), about=f"{anywhere}: one port")
        yield Set(f"{way}_l3l4", ("classid", "mark", *port), about=f"{identity}: one port")
        yield Set(f"{way}_slow", ("classid",), about="classes that have port ranges: only these look there")
        yield Set(f"{way}_l4_ranges", ("classid", *port), interval=True, about=f"{anywhere}: a range of ports")
        about = f"{identity}: a range of ports"
        yield Set(f"{way}_l3l4_ranges", ("classid", "mark", *port), interval=True, about=about)


def chains(families: tuple[int, ...], settings: TopologyPolicy, tiers: Sequence[Tier] = ()) -> Iterator[Chain]:
    """Yield the chains of policy; ``settings`` are the choices that Kubernetes leaves open."""
    yield from _way(Side("in", "ingress", families, settings), tiers)
    yield from _way(Side("eg", "egress", families, settings), tiers)
    yield from _forward(families, settings, tiers)
    if settings.own_node == "enforce":
        yield from _own_node(families, settings, tiers)


def _way(side: Side, tiers: Sequence[Tier]) -> Iterator[Chain]:
    """One direction: ``meta priority`` holds the pod's class, a mark takes the peer's identity.

    Ports are always looked up with their protocol, as ``th dport`` of ICMP reads its checksum.

    A transaction is in force at one moment, but not for a packet that looks up its class before that moment and the
    identity after it: sets are read as they are then, and nobody has allowed an old class a new identity. In a flood of
    80,000 packets a second every fiftieth change lost one that was allowed before and after. So a packet that would be
    denied is asked for once more, from its class on; by then the change is in force for all that it looks up.
    """
    way, direction, mark = side.way, side.direction, side.mark

    def looked_up(suffix: str) -> list[str]:
        return [
            f"{guard}{key} . meta l4proto . th {port} @{way}_{name}{suffix} return"
            for key, name in (("meta priority", "l4"), (f"meta priority . {mark}", "l3l4"))
            for guard, port in side.ports
        ]

    def once(again: str, end: str) -> list[Chain]:
        """Return the look-ups, in chains of their own for each time they are done; ``end`` is for what they deny."""
        allowed = [
            f"meta priority . {mark} @{way}_l3 return",
            *looked_up(""),
            f"meta priority @{way}_slow goto {way}_ranges{again}",
        ]
        return [
            Chain(f"{way}_ranges{again}", (*looked_up("_ranges"), f"goto {end}")),
            Chain(f"{direction}_class{again}", (*side.identity, *allowed, f"goto {end}")),
        ]

    second = [f"meta priority set {side.own(f)} map @{way}{f} goto {direction}_class_again" for f in side.families]
    if tiers:
        second = [f"goto {way}_tiers_again"]
    about = "a change may have come between two look-ups: nothing is denied before all are done again"
    yield Chain(f"deny_{way}", (_DENY[side.settings.deny],))
    yield from once("_again", f"deny_{way}")
    yield Chain(f"{way}_again", tuple(second), about=about)
    yield from once("", f"{way}_again")
    if tiers:
        yield from tier_chains(side, tiers)


def _forward(families: Sequence[int], settings: TopologyPolicy, tiers: Sequence[Tier]) -> Iterator[Chain]:
    """Both sides of every new connection: the sender's egress first, then the receiver's ingress.

    A map without the address ends its rule, so "set ... map ... jump" reads "if isolated, then check".
    """
    sides: tuple[str, ...] = (
        *(f"meta priority set {source_expression(f, settings)} map @eg{f} jump egress_class" for f in families),
        *(f"meta priority set {destination_expression(f, settings)} map @in{f} jump ingress_class" for f in families),
    )
    if tiers:
        sides = ("jump eg_tiers", "jump in_tiers")
    about = "after DNAT and before SNAT; bridged packets come by through br_netfilter"
    yield Chain("forward", tuple(_neighbours(families)), FORWARD, about, Place.NEIGHBOURS)
    yield Chain("forward", tuple(_passing(families, settings)), FORWARD, place=Place.STATE)
    yield Chain("forward", sides, FORWARD, place=Place.POLICY)
    yield Chain("forward", tuple(_cleared(settings)), FORWARD, place=Place.CLEAR)


def _neighbours(families: Sequence[int]) -> list[str]:
    return [f"icmpv6 type {{ {', '.join(_NEIGHBOURS)} }} accept"] if 6 in families else []


def _passing(families: Sequence[int], settings: TopologyPolicy) -> list[str]:
    """What no policy is asked about."""
    replies = "" if settings.established == "reevaluate" else "established : accept, "
    return [
        f"ct state vmap {{ {replies}related : accept, invalid : drop, untracked : accept }}",
        *(f"meta l4proto {_ICMP[f]} accept" for f in families if settings.icmp == "allow"),
    ]


def _cleared(settings: TopologyPolicy) -> list[str]:
    return ["meta priority set none", *(["meta mark set 0x0"] if settings.established == "reevaluate" else [])]


def _own_node(families: Sequence[int], settings: TopologyPolicy, tiers: Sequence[Tier]) -> Iterator[Chain]:
    """The sender's egress before what is for the node itself; where every packet is judged, before its replies too."""
    hooks = [Hook("filter", "input", "filter")]
    if settings.established == "reevaluate":
        hooks.append(Hook("filter", "output", "filter"))
    side = [f"meta priority set {source_expression(f, settings)} map @eg{f} jump egress_class" for f in families]
    rules = (
        *_neighbours(families),
        *_passing(families, settings),
        *(["jump eg_tiers"] if tiers else side),
        *_cleared(settings),
    )
    for hook in hooks:
        yield Chain(f"own_node_{hook.hook}", rules, hook, "from a pod of this node to the node itself")
