"""The sets and chains of tiers.

A packet of a pod that policies of tiers select costs at most two look-ups more than one that NetworkPolicy alone
judges: the action for the port, and that for every port, of the peer's identity. If that action is to pass, the second
one is that of the pod's class. Rules that name ranges of ports cost one more. A packet of another pod costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from netlab.ruleset.elements import Set
from netlab.ruleset.side_expressions import Side
from netlab.ruleset.tables import Chain
from netlab.ruleset.tier_classes import HAS_RANGES, ISOLATED_MASK, OF_TIERS, TIER_MASK
from netlab.ruleset.tiers import ACTION_NUMBERS
from netlab.verdicts import Action

CLASSES = "tier_classes"
"""The set of the classes of tiers. No packet is looked up in it: it names the policies of each class."""

OWN_NODE = "own_node"
"""The prefix of the maps of classes for packets from a pod to its own node, and of their chains."""

_WAYS = (("in", "from"), ("eg", "to"))
_SUFFIXES = ("all", "port", "ranges")


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
    port = ("classid", "mark", "inet_proto", "inet_service")
    for way, word in _WAYS:
        about = f"action of tiers ({numbers}) for connections {word} an identity"
        yield Set(f"{way}_tiers_all", port[:2], ("classid",), about=f"{about}: every other protocol and port")
        yield Set(f"{way}_tiers_port", port, ("classid",), about=f"{about}: one port")
        about = f"{about}: a range of ports"
        yield Set(f"{way}_tiers_ranges", port, ("classid",), interval=True, about=about)


def to_tiers(way: str, again: str) -> str:
    """Return the rule that leads a packet whose class has a class of tiers to their chain."""
    return f"{_has(OF_TIERS)} goto {way}_tiers{again}"


def to_isolated(way: str, again: str) -> str:
    """Return the rule that leads a packet whose peer has its identity to what NetworkPolicy allows."""
    return f"goto {way}_allowed{again}"


def tier_chains(side: Side) -> Iterator[Chain]:
    """Yield the chains of one side, for the first and for the second look-up.

    ``policy_chains`` explains why a denied packet is looked up twice. It has the chain with what NetworkPolicy allows.
    """
    way = side.way
    for again, denied in (("_again", f"deny_{way}"), ("", f"{way}_again")):
        passed = f"{way}_tiers_passed{again}"
        allowed = to_isolated(way, again)
        again_by_address = (f"meta priority set {side.own_address(f)} map @{way}{f} {allowed}" for f in side.families)
        yield Chain(passed, tuple(again_by_address))
        # A class without a class of NetworkPolicy: no policy isolates the pod.
        rest = (f"meta priority & {_number(ISOLATED_MASK)} == none return", allowed)
        yield from _tier_chains(side, f"{way}_tiers", again, denied, f"goto {passed}", rest)


def own_node_chains(side: Side) -> Iterator[Chain]:
    """Yield the chains for packets of pods to their own node, which NetworkPolicy does not judge."""
    again = f"goto {OWN_NODE}_tiers_again"
    second = tuple(f"meta priority set {side.own_address(f)} map @{OWN_NODE}{f} {again}" for f in side.families)
    yield Chain(f"{OWN_NODE}_again", second)
    for again, denied in (("_again", f"deny_{side.way}"), ("", f"{OWN_NODE}_again")):
        yield from _tier_chains(side, f"{OWN_NODE}_tiers", again, denied, "return", ())


def _tier_chains(side: Side, name: str, again: str, denied: str, passed: str, rest: tuple[str, ...]) -> Iterator[Chain]:
    """Yield the chain of the look-ups and the chain of the actions; ``rest`` are the rules where no tier decides."""
    found = f"{name}_found{again}"
    verdicts: dict[Action, str] = {"allow": "return", "deny": f"goto {denied}", "pass": passed}
    by_number = ", ".join(f"0:{number:x} : {verdicts[action]}" for action, number in ACTION_NUMBERS.items())
    yield Chain(found, (f"meta priority vmap {{ {by_number} }}",))
    key = f"meta priority set meta priority & {_number(TIER_MASK)} . {side.mark}"
    sets = f"@{side.way}_tiers"
    by_port = [
        f"{condition}{guard}{key} . meta l4proto . th {port} map {sets}_{kind} goto {found}"
        for kind, condition in (("port", ""), ("ranges", f"{_has(HAS_RANGES)} "))
        for guard, port in side.port_expressions
    ]
    yield Chain(f"{name}{again}", (*side.identity_rules, *by_port, f"{key} map {sets}_all goto {found}", *rest))


def _has(flag: int) -> str:
    return f"meta priority & {_number(flag)} == {_number(flag)}"


def _number(bits: int) -> str:
    return f"{bits >> 16:x}:{bits & 0xFFFF:x}"
