"""The difference between existing and wanted namespaces, as an ordered list of changes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import replace

from netlab.frozen import frozen_with_cache
from netlab.kernel.state import Change, InterfaceAddress, Item, Link, Namespace, Route, Sysctl

# The parent of a link that may have one of several parents.
_UNKNOWN = ("", "")


@frozen_with_cache
class Difference:
    """Namespaces to make and to remove, and changes inside those that stay or are made."""

    create: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.create or self.remove or self.changes)

    def lines(self) -> list[str]:
        """Return the difference as ``ip`` arguments, one change a line."""
        made = [f"netns add {name}" for name in self.create]
        gone = [f"netns delete {name}" for name in self.remove]
        return made + [str(change) for change in self.changes] + gone


def difference(
    have: Mapping[str, Namespace], want: Mapping[str, Namespace], ours: Mapping[str, Namespace] | None = None
) -> Difference:
    """Return the changes that turn ``have`` into ``want``.

    Items that netlab did not add stay. A link that differs is changed in place where the kernel can do it. Else it is
    deleted and made again with everything on it, and so is a veth that lacks an end. Items that the kernel drops with
    others, such as routes with their source address, are added again. Items on a deleted link, or in a removed
    namespace, get no deletion of their own.

    Args:
      have: the existing namespaces by name.
      want: the wanted namespaces by name.
      ours: what netlab added before, by default ``have``. Only these items are deleted.
    """
    mine = have if ours is None else ours
    create = tuple(sorted(want.keys() - have.keys()))
    remove = tuple(sorted((mine.keys() & have.keys()) - want.keys()))
    remade: dict[str, set[str]] = defaultdict(set)
    links = _links(want)
    for space, link in _remade(_links(have), _links(mine), links):
        remade[space].add(link)
    # The kernel deletes a veth some time after its namespace, so the end that stays is deleted now.
    ends: dict[str, set[str]] = defaultdict(set)
    for name in remove:
        # After a change that broke off, several states may have the veth; only a found one counts.
        found = {i.name for i in have[name].items if isinstance(i, Link)}
        for item in mine[name].items:
            if isinstance(item, Link) and item.peer is not None and item.name in found:
                ends[item.peer[0]].add(item.peer[1])
    changes: list[Change] = []
    for name in sorted(want):
        had = have[name].items if name in have else frozenset()
        wanted = want[name].items
        owned = mine[name].items if name in mine else frozenset()
        lost = remade.get(name, set())
        names_of_wanted_links = {i.name for i in wanted if isinstance(i, Link)}
        unwanted = {i for i in (owned & had) - wanted if not isinstance(i, Sysctl)}
        gone = {i for i in unwanted if isinstance(i, Link) and i.name not in names_of_wanted_links}
        if broken := lost | ends.get(name, set()):
            gone |= {i for i in had if isinstance(i, Link) and i.name in broken}
        # The kernel deletes what is on a link with it.
        without = {i.name for i in gone}
        loose = {i for i in unwanted if not isinstance(i, Link) and i.dev not in without}
        changes += [Change("delete", name, item) for item in sorted(loose | gone, key=_order)]
        missing = {i for i in wanted if i not in had or _device(i) in lost} | _dropped(had, owned, wanted, lost)
        changes += [Change("add", name, item) for item in sorted(missing, key=_order)]
    taken = {one.mac for one in links.values() if one.kind == "macvlan"}
    for name in remove:
        # The kernel deletes a macvlan some time after its namespace; until then no other one may have its MAC.
        changes += [
            Change("delete", name, link)
            for link in mine[name].items
            if isinstance(link, Link) and link.kind == "macvlan" and link.mac in taken
        ]
    return Difference(create, remove, tuple(changes))


def union(states: Sequence[Mapping[str, Namespace]]) -> dict[str, Namespace]:
    """Return the items of any of several states: what may exist after changes between them that broke off.

    A link with several parents gets an unknown one, so that it is made again.
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


def _remade(have: _Links, mine: _Links, want: _Links) -> set[tuple[str, str]]:
    """Return the links to make again, as (namespace, link): both ends of a veth, and the links on them."""
    remade: set[tuple[str, str]] = set()
    for at, link in want.items():
        found = have.get(at)
        missing = found is None and link.peer is not None
        if missing or (found is not None and _is_another(found, mine.get(at, found), link)):
            remade |= {at} if link.peer is None else {at, link.peer}
    return remade | {at for at, link in want.items() if link.parent in remade}


def _is_another(found: Link, made: Link, link: Link) -> bool:
    """Return whether a link cannot be changed to the wanted one; only ``made``, as netlab added it, has its parent."""
    if found.kind in ("vxlan", "macvlan", "ipip") and (
        found.options != link.options or made.parent not in (None, link.parent)
    ):
        return True
    # A bridge sends to the old MAC's port until the new MAC sends, and two macvlans cannot swap their MACs.
    has_mac = link.peer is not None or link.kind == "macvlan"
    return found.kind != link.kind or (has_mac and found.mac != link.mac)


def _dropped(had: Set[Item], owned: Set[Item], wanted: Set[Item], lost: Collection[str]) -> set[Item]:
    """Return the wanted items that the kernel may drop while addresses are deleted and links are changed.

    With the last address of a device it drops the device's routes and neighbours, with the first address of a prefix
    the other ones, with each address the routes with this source (fib_inetaddr_event, __inet_del_ifa,
    fib_sync_down_addr). With another MAC it drops the neighbours (NETDEV_CHANGEADDR), with an MTU below 1,280 all of
    IPv6.
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
    return item.link if isinstance(item, Sysctl) else item.dev


def _order(item: Item) -> tuple[bool, str]:
    return isinstance(item, Link), str(item)
