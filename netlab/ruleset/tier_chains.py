"""The sets and chains of tiers: each side of a connection goes from tier to tier until one decides."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from netlab.ruleset.elements import Set
from netlab.ruleset.side import Side
from netlab.ruleset.tables import Chain
from netlab.ruleset.tiers import VERDICTS, Tier


def tier_sets(tier: str, families: Sequence[int]) -> Iterator[Set]:
    """Yield the sets of a tier."""
    for way, word in (("in", "from"), ("eg", "to")):
        for f in families:
            about = f"class of this node's pods that tier {tier} judges for what goes {word} them"
            yield Set(f"{tier}_{way}{f}", (f"ipv{f}_addr",), ("classid",), about=about)
        port = ("classid", "mark", "inet_proto", "inet_service")
        about = f"verdict (1 accept, 2 deny, 3 pass) of tier {tier} on what goes {word} an identity"
        yield Set(f"{tier}_{way}_all", port[:2], ("classid",), about=f"{about}: every protocol and port")
        yield Set(f"{tier}_{way}_port", port, ("classid",), about=f"{about}: one port")
        yield Set(f"{tier}_{way}_ranges", port, ("classid",), interval=True, about=f"{about}: a range of ports")


def tier_chains(side: Side, tiers: Sequence[Tier]) -> Iterator[Chain]:
    """Yield the chains of one side, for both times that it is looked up; ``WAY_tiers`` is where it begins."""
    before, after = ([t.name for t in tiers if t.before is one] for one in (True, False))
    for again, denied in (("_again", f"deny_{side.way}"), ("", f"{side.way}_again")):
        steps = [
            *(_step(side, f"{name}_", f"{name}_{side.way}_class{again}") for name in before),
            _step(side, "", f"{side.direction}_class{again}"),
            *(_step(side, f"{name}_", f"{name}_{side.way}_class{again}") for name in after),
        ]
        places = {name: n for n, name in enumerate([*before, "", *after])}
        for name in reversed([*before, *after]):
            rest = tuple(rule for step in steps[places[name] + 1 :] for rule in step)
            onward = f"{side.way}_after_{name}{again}" if rest else ""
            if rest:
                yield Chain(onward, rest)
            yield from _judging(side, name, again, denied, onward)
        yield Chain(f"{side.way}_tiers{again}", tuple(rule for step in steps for rule in step))


def _step(side: Side, prefix: str, target: str) -> list[str]:
    """Go to a tier's chain where the tier has a class for the pod; it does not come back."""
    return [f"meta priority set {side.own(f)} map @{prefix}{side.way}{f} goto {target}" for f in side.families]


def _judging(side: Side, name: str, again: str, denied: str, onward: str) -> Iterator[Chain]:
    """One tier; ``denied`` and ``onward`` are the chains that it leads to, the latter "" where no tier follows."""
    found = f"{name}_{side.way}_found{again}"
    passed = [f"goto {onward}"] if onward else []
    verdicts = {"accept": "return", "deny": f"goto {denied}", "pass": "".join(passed) or "return"}
    by_number = ", ".join(f"0:{number:x} : {verdicts[verdict]}" for verdict, number in VERDICTS.items())
    yield Chain(found, (f"meta priority vmap {{ {by_number} }}",))
    key = f"meta priority . {side.mark}"
    ports = [
        f"{guard}meta priority set {key} . meta l4proto . th {port} map @{name}_{side.way}_{kind} goto {found}"
        for kind in ("port", "ranges")
        for guard, port in side.ports
    ]
    every = f"meta priority set {key} map @{name}_{side.way}_all goto {found}"
    yield Chain(f"{name}_{side.way}_class{again}", (*side.identity, *ports, every, *passed))
