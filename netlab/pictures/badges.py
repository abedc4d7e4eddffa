"""Badges in place of arrows: what everything may reach, and what may reach everything.

A badge is exact. "from every pod: 53/UDP" stands for an arrow from every pod of the picture that is asked, "but NAME"
for all others. "not isolated" are the pods that no policy isolates: for egress after "from", for ingress after "to".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from netlab.frozen import frozen
from netlab.pictures.isolation import Isolated
from netlab.pictures.ports import ports_text
from netlab.pictures.texts import SIGNS
from netlab.pictures.units import Pair, Ports
from netlab.policy.tiers.tier import AskedPort
from netlab.verdicts import Expected

LEAST = 3
"""The fewest arrows that a badge replaces."""
_LEAST_WITH_EXCEPTIONS, _MOST_EXCEPTIONS = 7, 2

PortsByPair = Mapping[Pair, Ports]
Names = Callable[[Sequence[int]], list[str]]
"""Returns the names of boxes."""


@frozen
class Badge:
    """One badge at a box: its text and the arrows that it replaces, with their ports."""

    box: int
    text: str
    verdict: Expected
    replaced: frozenset[tuple[Pair, AskedPort]]


@frozen
class BoxSet:
    """Boxes that a badge may name together: as sources after "from", as destinations after "to".

    ``but`` says whether a badge may name them without some.
    """

    text: str
    sources: frozenset[int]
    destinations: frozenset[int]
    but: bool = False


def box_sets(number: int, pods: Iterable[int], isolation: Sequence[Isolated], every: str) -> tuple[BoxSet, ...]:
    """Return what badges may name: everything, all boxes of pods, and those of pods that no policy isolates.

    Args:
      number: the number of boxes.
      pods: the boxes that stand for pods.
      isolation: how many pods of each box are isolated.
      every: what a badge calls all boxes of pods, as "every pod".
    """
    whole, of_pods = frozenset(range(number)), frozenset(pods)
    out = frozenset(box for box in of_pods if isolation[box].pods and not isolation[box].egress)
    into = frozenset(box for box in of_pods if isolation[box].pods and not isolation[box].ingress)
    return (
        BoxSet("everything", whole, whole),
        BoxSet(every, of_pods, of_pods, but=True),
        BoxSet("all not isolated", out, into),
    )


def badges_of(
    asked: PortsByPair,
    allowed: PortsByPair,
    sets: Sequence[BoxSet],
    name: Names,
    families: int = 1,
    verdict: Expected = "allow",
) -> list[Badge]:
    """Return the badges for pairs with one verdict.

    Args:
      asked: the ports in question of each pair of boxes.
      allowed: the ports of each pair that have the verdict.
      sets: boxes that a badge may name, the first ones first.
      name: returns the names of boxes that a badge leaves out.
      families: the number of IP families in question.
      verdict: the verdict; its sign is before the text.
    """
    sign = SIGNS.get(verdict, "")
    left = {(pair, port) for pair, ports in allowed.items() for port in ports}
    found: list[Badge] = []
    boxes = sorted({number for pair in asked for number in pair})
    # A set without exceptions before any with some.
    rounds: list[tuple[BoxSet, bool, Names | None]]
    rounds = [(of, incoming, None) for of in sets for incoming in (True, False)]
    rounds += [(of, incoming, name) for of in sets if of.but for incoming in (True, False)]
    for of, incoming, named in rounds:
        word = "from" if incoming else "to"
        others = sorted(of.sources if incoming else of.destinations)
        for box in boxes:
            pairs = {o: (o, box) if incoming else (box, o) for o in others}
            pairs = {o: pair for o, pair in pairs.items() if asked.get(pair)}
            for text, replaced in _of_box(box, pairs, asked, allowed, of.text, named, families):
                new = replaced & left
                if len({pair for pair, _ in new if pair[0] != pair[1]}) >= LEAST:
                    found.append(Badge(box, f"{sign}{word} {text}", verdict, frozenset(replaced)))
                    left -= new
    return found


def _of_box(
    box: int,
    pairs: Mapping[int, Pair],
    asked: PortsByPair,
    allowed: PortsByPair,
    text: str,
    name: Names | None,
    families: int,
) -> Iterable[tuple[str, set[tuple[Pair, AskedPort]]]]:
    """Yield the texts of a box's badges in one direction with what they replace: all ports, else single ones."""
    whole = [o for o, pair in pairs.items() if allowed.get(pair) == asked[pair]]
    if (but := _but(box, [*pairs], whole, name)) is not None:
        # All families in question are complete, so the text names none.
        ports = {(0, *port[1:]) for o in whole for port in asked[pairs[o]]}
        # "to every pod" is about ports of its own at each pod, so it names none.
        same = all({(0, *port[1:]) for port in asked[pairs[o]]} == ports for o in whole)
        named = f": {ports_text(ports)}" if same else ""
        yield f"{text}{but}{named}", {(pairs[o], port) for o in whole for port in asked[pairs[o]]}
        return
    by_text: dict[str, set[AskedPort]] = {}
    for port in sorted(frozenset().union(*(asked[pair] for pair in pairs.values())), key=str):
        # A port that only some are asked about would say less than it seems to say.
        if all(port in asked[pair] for pair in pairs.values()):
            having = [o for o, pair in pairs.items() if port in allowed.get(pair, ())]
            if (but := _but(box, [*pairs], having, name)) is not None:
                by_text.setdefault(but, set()).add(port)
    for but, ports in by_text.items():
        having = [o for o, pair in pairs.items() if ports <= allowed.get(pair, frozenset())]
        yield f"{text}{but}: {ports_text(ports, families)}", {(pairs[o], port) for o in having for port in ports}


def _but(box: int, others: Sequence[int], having: Sequence[int], name: Names | None) -> str | None:
    """Return the exceptions as text; None if there are too many for a badge."""
    missing = [other for other in others if other not in having]
    own = " other than its own" if box in missing else ""
    missing = [other for other in missing if other != box]
    if not having or (missing and len(having) < _LEAST_WITH_EXCEPTIONS) or len(missing) * 3 > len(having):
        return None
    names = name(missing) if name is not None else []
    if (missing and not names) or len(names) > _MOST_EXCEPTIONS:
        return None
    return own + (f" but {', '.join(names)}" if names else "")
