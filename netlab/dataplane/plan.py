"""The difference between what is and what should be, as an ordered list of changes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from netlab.kernel.state import Change, Item, Link, Namespace, Sysctl


@dataclass(frozen=True)
class Difference:
    """What to do: namespaces to make and to remove, and changes inside those that stay or are made."""

    create: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.create or self.remove or self.changes)

    def lines(self) -> list[str]:
        """Return the difference as ``ip`` arguments, one line a step."""
        made = [f"netns add {name}" for name in self.create]
        gone = [f"netns delete {name}" for name in self.remove]
        return made + [str(change) for change in self.changes] + gone


def difference(
    have: Mapping[str, Namespace], want: Mapping[str, Namespace], ours: Mapping[str, Namespace] | None = None
) -> Difference:
    """Return what turns ``have`` into ``want``.

    Only what netlab put there is deleted: ``ours`` is what it wanted before (``have`` itself when it is not given).
    What somebody else added stays. A link that differs is set anew in place; a veth of which one end is missing is
    deleted and made again whole, with everything that its ends carry. What goes with its link or with its namespace is
    not deleted by itself.
    """
    mine = have if ours is None else ours
    create = tuple(sorted(want.keys() - have.keys()))
    remove = tuple(sorted((mine.keys() & have.keys()) - want.keys()))
    torn: dict[str, set[str]] = defaultdict(set)
    for space, link in _torn(have, want):
        torn[space].add(link)
    # A veth goes when its namespace does, but later; the end that stays is deleted now.
    ends: dict[str, set[str]] = defaultdict(set)
    for name in remove:
        for item in mine[name].items:
            if isinstance(item, Link) and item.peer is not None:
                ends[item.peer[0]].add(item.peer[1])
    changes: list[Change] = []
    for name in sorted(want):
        had = have[name].items if name in have else frozenset()
        wanted = want[name].items
        owned = mine[name].items if name in mine else frozenset()
        lost = torn.get(name, set())
        names_of_wanted_links = {i.name for i in wanted if isinstance(i, Link)}
        unwanted = {i for i in (owned & had) - wanted if not isinstance(i, Sysctl)}
        gone = {i for i in unwanted if isinstance(i, Link) and i.name not in names_of_wanted_links}
        if broken := lost | ends.get(name, set()):
            gone |= {i for i in had if isinstance(i, Link) and i.name in broken}
        # What is on a link goes with it.
        without = {i.name for i in gone}
        loose = {i for i in unwanted if not isinstance(i, Link) and i.dev not in without}
        changes += [Change("delete", name, item) for item in sorted(loose | gone, key=_order)]
        missing = {i for i in wanted if i not in had or _device(i) in lost}
        changes += [Change("add", name, item) for item in sorted(missing, key=_order)]
    return Difference(create, remove, tuple(changes))


def _torn(have: Mapping[str, Namespace], want: Mapping[str, Namespace]) -> set[tuple[str, str]]:
    """Return both ends, as (namespace, link), of every wanted veth of which an end is missing, and what is on them."""
    present = {(n, i.name) for n, space in have.items() for i in space.items if isinstance(i, Link)}
    torn: set[tuple[str, str]] = set()
    for name, space in want.items():
        for item in space.items:
            if isinstance(item, Link) and item.peer is not None and (name, item.name) not in present:
                torn |= {(name, item.name), item.peer}
    # What stands on a link goes when that does.
    return torn | {
        (name, item.name)
        for name, space in want.items()
        for item in space.items
        if isinstance(item, Link) and item.parent in torn
    }


def _device(item: Item) -> str:
    if isinstance(item, Link):
        return item.name
    return "" if isinstance(item, Sysctl) else item.dev


def _order(item: Item) -> tuple[bool, str]:
    return isinstance(item, Link), str(item)
