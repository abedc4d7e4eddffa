"""Drops packets between the networks of a lab, as Docker does between user-defined networks."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Set
from itertools import permutations

from netlab.ruleset import elements
from netlab.ruleset.comments import sentence
from netlab.ruleset.elements import Element
from netlab.ruleset.fragment import FORWARD, NETLAB, Entry, Fragment, Layout, Place, ip
from netlab.ruleset.tables import Chain, Parts


def _variant(layout: Layout, _: Set[str]) -> Hashable:
    return () if len(layout.networks) > 1 else None


def _declare(layout: Layout, _: Hashable) -> Parts:
    """Declare the chain that drops packets between two networks; packets to a published port pass.

    The control probe is not tracked, so it has no ``ct status``: the first rule does not match, the second drops it.
    """
    about = "pairs of pod networks, as source and destination: packets between them are dropped"
    pairs = [elements.Set(f"apart{f}", (f"ipv{f}_addr",) * 2, interval=True, about=about) for f in layout.families]
    rules = tuple(f"{ip(f)} saddr . {ip(f)} daddr @apart{f} jump apart" for f in layout.families)
    about = "from one pod network to another; published ports belong to the node and are open to both"
    return Parts(
        pairs,
        (
            Chain("apart", ("ct status dnat return", "counter drop"), about=about),
            Chain("forward", rules, FORWARD, place=Place.APART),
        ),
    )


def _everywhere(layout: Layout) -> Iterator[Entry]:
    for one, other in permutations(layout.networks, 2):
        for cidr in one.pod_cidrs:
            for far in other.pod_cidrs:
                if cidr.version == far.version:
                    element = Element(comment=sentence([one.name], ("to", [other.name])))
                    yield Entry(f"apart{cidr.version}", (cidr, far), element)


FRAGMENT = Fragment("apartness", NETLAB, _declare, _variant, everywhere=_everywhere)
