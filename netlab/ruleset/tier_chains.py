"""The sets and chains of tiers: each side of a connection goes from tier to tier until one decides."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from netlab.ruleset.elements import Set
from netlab.ruleset.side_expressions import Side
from netlab.ruleset.tables import Chain
from netlab.ruleset.tiers import ACTION_NUMBERS, Tier


def tier_sets(tier: Tier, families: Sequence[int]) -> Iterator[Set]:
    """Yield the sets of a tier for some IP families (4, 6)."""
    prefix = tier.prefix
    for way, word in (("in", "from"), ("eg", "to")):
        direction = "ingress" if way == "in" else "egress"
        for f in families:
            about = f"class of this node's pods that policies of tier {tier.name} select for {direction}"
            yield Set(f"{prefix}_{way}{f}", (f"ipv{f}_addr",), ("classid",), about=about)
        port = ("classid", "mark", "inet_proto", "inet_service")
        numbers = ", ".join(f"{number} {action}" for action, number in ACTION_NUMBERS.items())
        about = f"action ({numbers}) of tier {tier.name} for connections {word} an identity"
        yield Set(f"{prefix}_{way}_all", port[:2], ("classid",), about=f"{about}: every protocol and port")
        yield Set(f"{prefix}_{way}_port", port, ("classid",), about=f"{about}: one port")
        yield Set(f"{prefix}_{way}_ranges", port, ("classid",), interval=True, about=f"{about}: a range of ports")


def tier_chains(side: Side, tiers: Sequence[Tier]) -> Iterator[Chain]:
    """Yield the chains of one side, for the first and for the second lookup; a packet enters at ``WAY_tiers``.

    ``policy_chains`` explains why a denied packet is looked up twice.
    """
    before, after = ([t.prefix for t in tiers if t.before_network_policy is one] for one in (True, False))
    for again, denied in (("_again", f"deny_{side.way}"), ("", f"{side.way}_again")):
        entries = [
            *(_entry(side, f"{prefix}_", f"{prefix}_{side.way}_class{again}") for prefix in before),
            _entry(side, "", f"{side.direction}_class{again}"),
            *(_entry(side, f"{prefix}_", f"{prefix}_{side.way}_class{again}") for prefix in after),
        ]
        places = {prefix: n for n, prefix in enumerate([*before, "", *after])}
        for prefix in reversed([*before, *after]):
            rest = tuple(rule for entry in entries[places[prefix] + 1 :] for rule in entry)
            onward = f"{side.way}_after_{prefix}{again}" if rest else ""
            if rest:
                yield Chain(onward, rest)
            yield from _decision_chains(side, prefix, again, denied, onward)
        yield Chain(f"{side.way}_tiers{again}", tuple(rule for entry in entries for rule in entry))


def _entry(side: Side, prefix: str, chain: str) -> list[str]:
    """Return the rules that go to a tier's chain if the tier has a class for the pod. The chain does not return."""
    return [f"meta priority set {side.own_address(f)} map @{prefix}{side.way}{f} goto {chain}" for f in side.families]


def _decision_chains(side: Side, prefix: str, again: str, denied: str, onward: str) -> Iterator[Chain]:
    """Yield the chains of one tier.

    ``denied`` is the chain for ``deny``, ``onward`` that of the next tier, "" after the last tier.
    """
    found = f"{prefix}_{side.way}_found{again}"
    passed = [f"goto {onward}"] if onward else []
    verdicts = {"allow": "return", "deny": f"goto {denied}", "pass": "".join(passed) or "return"}
    by_number = ", ".join(f"0:{number:x} : {verdicts[action]}" for action, number in ACTION_NUMBERS.items())
    yield Chain(found, (f"meta priority vmap {{ {by_number} }}",))
    key = f"meta priority . {side.mark}"
    ports = [
        f"{guard}meta priority set {key} . meta l4proto . th {port} map @{prefix}_{side.way}_{kind} goto {found}"
        for kind in ("port", "ranges")
        for guard, port in side.port_expressions
    ]
    every = f"meta priority set {key} map @{prefix}_{side.way}_all goto {found}"
    yield Chain(f"{prefix}_{side.way}_class{again}", (*side.identity_rules, *ports, every, *passed))
