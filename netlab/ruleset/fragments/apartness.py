"""The networks of one lab are kept apart: Docker's user-defined networks do not meet either."""

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
    """Between two networks only what was sent to a published port passes; the control probe is never of that kind.

    An untracked packet has no ``ct status``, so its rule ends there and the next one drops it.
    """
    about = "every two pod networks, as from and to: nothing goes from one to the other"
    pairs = [elements.Set(f"apart{f}", (f"ipv{f}_addr",) * 2, interval=True, about=about) for f in layout.families]
    rules = tuple(f"{ip(f)} saddr . {ip(f)} daddr @apart{f} jump apart" for f in layout.families)
    about = "from one pod network to another; a published port is the node's, and open to both"
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
