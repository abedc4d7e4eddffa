"""The sets and chains of tiers. All tiers that judge a pod, and NetworkPolicy, are folded into one class of the pod.

A packet of such a pod costs no look-up of a class more than a packet that NetworkPolicy judges. It costs at most one
look-up more for the peer: the action for an identity, then that for any address. A packet of another pod costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from netlab.ruleset.elements import Set
from netlab.ruleset.side_expressions import Side
from netlab.ruleset.tables import Chain
from netlab.ruleset.tier_classes import DENIES, HAS_ANYWHERE, HAS_RANGES, OF_TIERS
from netlab.ruleset.tiers import ACTION_NUMBERS

CLASSES = "tier_classes"
"""The set of the classes of tiers. No packet is looked up in it: it names the policies of each class."""

OWN_NODE = "own_node"
"""The prefix of the maps of classes for packets from a pod to its own node, and of their chains."""

_WAYS = (("in", "from"), ("eg", "to"))
_SUFFIXES = ("all", "port", "ranges", "any_port", "any_ranges")


def set_names() -> list[str]:
    """Return the names of the sets of actions."""
    return [f"{way}_tiers_{suffix}" for way, _ in _WAYS for suffix in _SUFFIXES]


def tier_sets(families: Sequence[int]) -> Iterator[Set]:
    """Yield the sets of tiers for some IP families (4, 6)."""
    yield Set(CLASSES, ("classid",), about="classes of tiers, each with its policies in the order in which they decide")
    for f in families:
        about = "classes of this node's pods for what they send to the node itself"
        yield Set(f"{OWN_NODE}{f}", (f"ipv{f}_addr",), ("classid",), about=about)
    numbers = ", ".join(f"{number} {action}" for action, number in ACTION_NUMBERS.items())
    port = ("inet_proto", "inet_service")
    for way, word in _WAYS:
        name = f"{way}_tiers"
        about = f"action ({numbers}) for connections {word} an identity"
        yield Set(f"{name}_all", ("classid", "mark"), ("classid",), about=f"{about}: every other protocol and port")
        yield Set(f"{name}_port", ("classid", "mark", *port), ("classid",), about=f"{about}: one port")
        yield Set(
            f"{name}_ranges",
            ("classid", "mark", *port),
            ("classid",),
            interval=True,
            about=f"{about}: a range of ports",
        )
        about = f"action ({numbers}) for connections {word} anywhere else"
        yield Set(f"{name}_any_port", ("classid", *port), ("classid",), about=f"{about}: one port")
        yield Set(
            f"{name}_any_ranges", ("classid", *port), ("classid",), interval=True, about=f"{about}: a range of ports"
        )


def to_tiers(way: str, again: str) -> str:
    """Return the rule that leads a packet whose class is one of tiers to their chain."""
    return f"{_has(OF_TIERS)} goto {way}_tiers{again}"


def tier_chains(side: Side, name: str = "") -> Iterator[Chain]:
    """Yield the chains of one side, for the first and for the second look-up.

    ``name`` is the prefix of the chains, by default that of the side. ``policy_chains`` explains why a denied packet is
    looked up twice.
    """
    name = name or side.way
    for again, denied in (("_again", f"deny_{side.way}"), ("", f"{name}_again")):
        found = f"{name}_tiers_found{again}"
        allow, deny = (f"0:{ACTION_NUMBERS[action]:x}" for action in ("allow", "deny"))
        yield Chain(found, (f"meta priority vmap {{ {allow} : return, {deny} : goto {denied} }}",))
        sets = f"@{side.way}_tiers"
        identity = f"meta priority . {side.mark}"
        rules = [
            *side.identity_rules,
            *(f"{look_up} map {sets}_port goto {found}" for look_up in _by_port(side, identity)),
            *(f"{_has(HAS_RANGES)} {look_up} map {sets}_ranges goto {found}" for look_up in _by_port(side, identity)),
            f"meta priority set {identity} map {sets}_all goto {found}",
        ]
        for suffix, flags in (("port", HAS_ANYWHERE), ("ranges", HAS_ANYWHERE | HAS_RANGES)):
            rules += [
                f"{_has(flags)} {look_up} map {sets}_any_{suffix} goto {found}"
                for look_up in _by_port(side, "meta priority")
            ]
        yield Chain(f"{name}_tiers{again}", (*rules, f"{_has(DENIES)} goto {denied}"))


def own_node_chains(side: Side) -> Iterator[Chain]:
    """Yield the chains for packets of pods to their own node, which NetworkPolicy does not judge."""
    second = (
        f"meta priority set {side.own_address(f)} map @{OWN_NODE}{f} goto {OWN_NODE}_tiers_again" for f in side.families
    )
    yield Chain(f"{OWN_NODE}_again", tuple(second))
    yield from tier_chains(side, OWN_NODE)


def _by_port(side: Side, key: str) -> list[str]:
    return [f"{guard}meta priority set {key} . meta l4proto . th {port}" for guard, port in side.port_expressions]


def _has(flags: int) -> str:
    number = f"{flags >> 16:x}:0"
    return f"meta priority & {number} == {number}"
