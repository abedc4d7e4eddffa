"""The difference between what is and what should be, as an ordered list of changes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import replace

from netlab.frozen import frozen_with_cache
from netlab.kernel.state import Change, InterfaceAddress, Item, Link, Namespace, Route, Sysctl

# The parent of a link that may stand on any of several.
_UNKNOWN = ("", "")


@frozen_with_cache
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
    What somebody else added stays. A link that differs is set anew in place, where it can be; otherwise, and where one
    end of a veth is missing, it is deleted and made again whole, with everything that it carries. What the kernel drops
    by itself, as routes go with the address that they start from, is added again.
    What goes with its link or with its namespace is not deleted by itself.
    """
    mine = have if ours is None else ours
    create = tuple(sorted(want.keys() - have.keys()))
    remove = tuple(sorted((mine.keys() & have.keys()) - want.keys()))
    torn: dict[str, set[str]] = defaultdict(set)
    links = _links(want)
    for space, link in _torn(_links(have), _links(mine), links):
        torn[space].add(link)
    # A veth goes when its namespace does, but later; the end that stays is deleted now.
    ends: dict[str, set[str]] = defaultdict(set)
    for name in remove:
        # After a change that broke off it may be known by several states; the veth is only where it is found.
        found = {i.name for i in have[name].items if isinstance(i, Link)}
        for item in mine[name].items:
            if isinstance(item, Link) and item.peer is not None and item.name in found:
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
        missing = {i for i in wanted if i not in had or _device(i) in lost} | _dropped(had, owned, wanted, lost)
        changes += [Change("add", name, item) for item in sorted(missing, key=_order)]
    taken = {one.mac for one in links.values() if one.kind == "macvlan"}
    for name in remove:
        # A macvlan goes with its namespace, but later; until then no other one may take its MAC.
        changes += [
            Change("delete", name, link)
            for link in mine[name].items
            if isinstance(link, Link) and link.kind == "macvlan" and link.mac in taken
        ]
    return Difference(create, remove, tuple(changes))


def union(states: Sequence[Mapping[str, Namespace]]) -> dict[str, Namespace]:
    """Return all that any of several states has: what may be there after changes from one to the next that broke off.

    A link that they have on several parents counts as one on none of them, so that it is made again.
    """
    if len(states) == 1:
        return dict(states[0])
    items: dict[str, set[Item]] = defaultdict(set)
    parents: dict[tuple[str, str], set[tuple[str, str]]] = defaultdict(set)
    for state in states:
        for name, space in state.items():
            items[name] |= space.items
        for at, link in _links(state).items():
            parents[at] |= {link.parent} if link.parent is not None else set()
    for (name, _), link in ((at, i) for state in states for at, i in _links(state).items() if len(parents[at]) > 1):
        items[name] -= {link}
        items[name].add(replace(link, parent=_UNKNOWN))
    return {name: Namespace(name, frozenset(found)) for name, found in items.items()}


_Links = Mapping[tuple[str, str], Link]


def _torn(have: _Links, mine: _Links, want: _Links) -> set[tuple[str, str]]:
    """Return the links to make again, as (namespace, link): both ends of a veth, and what stands on them."""
    torn: set[tuple[str, str]] = set()
    for at, link in want.items():
        found = have.get(at)
        missing = found is None and link.peer is not None
        if missing or (found is not None and _is_another(found, mine.get(at, found), link)):
            torn |= {at} if link.peer is None else {at, link.peer}
    return torn | {at for at, link in want.items() if link.parent in torn}


def _is_another(found: Link, made: Link, link: Link) -> bool:
    """Say whether a link cannot become the wanted one; what it stands on is known from when it was ``made`` only."""
    if found.kind in ("vxlan", "macvlan") and (found.options != link.options or made.parent not in (None, link.parent)):
        return True
    # A bridge sends to the old MAC's port until the new one has spoken, and a macvlan takes no MAC of another's.
    speaks = link.peer is not None or link.kind == "macvlan"
    return found.kind != link.kind or (speaks and found.mac != link.mac)


def _dropped(had: Set[Item], owned: Set[Item], wanted: Set[Item], lost: Collection[str]) -> set[Item]:
    """Return what the kernel may drop of what is wanted while addresses go and links are set.

    The last address of a device takes its routes and neighbours along, the first one of a prefix the others, any the
    routes that start from it (fib_inetaddr_event, __inet_del_ifa, fib_sync_down_addr); another MAC takes the neighbours
    (NETDEV_CHANGEADDR), and an MTU below 1,280 all of IPv6.
    """
    if not had:
        return set()
    gone = {i for i in had if isinstance(i, InterfaceAddress) and (i.dev in lost or (i in owned and i not in wanted))}
    starts = {address.interface.ip for address in gone}
    devices = {address.dev for address in gone} | {i.name for i in wanted - had if isinstance(i, Link)}
    return {
        i
        for i in (wanted if devices else ())
        if not isinstance(i, (Link, Sysctl)) and (i.dev in devices or (isinstance(i, Route) and i.source in starts))
    }


def _links(spaces: Mapping[str, Namespace]) -> _Links:
    return {(name, i.name): i for name, space in spaces.items() for i in space.items if isinstance(i, Link)}


def _device(item: Item) -> str:
    if isinstance(item, Link):
        return item.name
    return "" if isinstance(item, Sysctl) else item.dev


def _order(item: Item) -> tuple[bool, str]:
    return isinstance(item, Link), str(item)
