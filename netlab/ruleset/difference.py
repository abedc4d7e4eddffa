"""The change from one ruleset to another: one nft transaction that touches only the elements that differ."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING

from netlab.frozen import NamedTuple
from netlab.ruleset import fragments
from netlab.ruleset.elements import Element, Key, Set, writer
from netlab.ruleset.tables import Table, replacement

if TYPE_CHECKING:
    from netlab.ruleset.nftables import Ruleset


class Transaction(NamedTuple):
    """The change of a node's ruleset: the nft file, or "" without a difference.

    ``elements`` counts the elements that are added, deleted or get another value. ``whole``: the file is the whole new
    ruleset.
    """

    text: str = ""
    elements: int = 0
    whole: bool = False


_NOTHING: Mapping[Key, Element] = {}


def titles() -> list[str]:
    """Return the titles of all tables that netlab may have made in a node, in whatever mode."""
    return list(dict.fromkeys(fragment.table.title for fragment in fragments.FRAGMENTS))


def replacing(new: Ruleset) -> str:
    """Return the nft file that replaces whatever tables of netlab a node has by a ruleset."""
    kept = {table.title for table in new.tables}
    return _without(title for title in titles() if title not in kept) + new.text()


def _without(names: Iterable[str]) -> str:
    return "".join(f"{line}\n" for title in names for line in replacement(title))


def differences(old: Mapping[str, Ruleset], new: Mapping[str, Ruleset]) -> dict[str, Transaction]:
    """Return the transaction of every node that has an old and a new ruleset."""
    return {node: difference(old[node], ruleset) for node, ruleset in new.items() if node in old}


def difference(old: Ruleset, new: Ruleset) -> Transaction:
    """Return the transaction that changes a node's ruleset from ``old`` to ``new``.

    An element with another value is deleted and added, as nft cannot change the value of a map's element. An interval
    set that differs is flushed and filled. A difference of comments alone changes nothing.

    If the tables differ, the file has all rules of ``new``. Sets that both have are kept, with their other elements: a
    packet on its way through the old rules finds no element of a map that was deleted, and would pass. So do clients
    that have an endpoint by sessionAffinity. Tables, chains and sets that ``new`` does not have are deleted.
    """
    if old is new:
        return Transaction()
    lines: dict[str, list[str]] = {}
    elements = 0
    before, after = old.sets, new.sets
    touched = new.since.keys if new.since is not None and new.since.before() is old else None
    for name in {**before, **after} if touched is None else touched:
        ours, theirs = old.elements.get(name, _NOTHING), new.elements.get(name, _NOTHING)
        deleted = _unlike(ours, theirs, ours if touched is None else touched[name])
        added = _unlike(theirs, ours, theirs if touched is None else touched[name])
        elements += len({*deleted, *added})
        if name in after and (deleted or added):
            lines[name] = list(_lines(*after[name], theirs, deleted, added))
    if old.tables == new.tables:
        return Transaction(_text(chain.from_iterable(lines.values())), elements)
    kept = {table.title for table in new.tables}
    lost = _without(table.title for table in old.tables if table.title not in kept)
    had = {table.title: table for table in old.tables}
    changed = (_changed(had.get(table.title), table, new, lines) for table in new.tables)
    return Transaction(lost + _text(chain.from_iterable(changed)), elements, whole=True)


def _text(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _changed(old: Table | None, table: Table, new: Ruleset, lines: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield the lines that make a table out of the old one; ``lines`` changes the elements of sets that both have."""
    if old is None:
        yield from replacement(table.title)
        yield from new.table_lines(table, table.sets)
        return
    kept = [declared for declared in table.sets if declared in old.sets]
    if old != table:
        # Rules first, as they use sets and chains.
        yield f"flush table {table.title}"
        hooks = {one.name: one.hook for one in table.chains}
        for one in old.chains:
            if one.name not in hooks or hooks[one.name] != one.hook:
                yield f"delete chain {table.title} {one.name}"
        yield from (f"delete {gone.kind} {table.title} {gone.name}" for gone in old.sets if gone not in kept)
    for declared in kept:
        yield from lines.get(declared.name, ())
    if old != table:
        yield from new.table_lines(table, (declared for declared in table.sets if declared not in kept))


def _lines(
    table: Table, declared: Set, after: Mapping[Key, Element], deleted: list[Key], added: list[Key]
) -> Iterator[str]:
    if declared.interval:
        # nft 1.0.6 reads an interval set before it changes it, and then fails on deletes beside adds: "interval
        # overlaps with an existing one" if a range up to 255.255.255.255 replaces that address, ENOENT for a single
        # port among ranges. As nft reads the whole set anyway, a flush costs no more.
        yield f"flush {declared.kind} {table.title} {declared.name}"
        deleted, added = [], list(after)
    if deleted:
        write = writer(declared.key)
        yield f"delete element {table.title} {declared.name} {{"
        yield ",\n".join(f"\t{write(key)}" for key in deleted)
        yield "}"
    if added:
        yield f"add element {table.title} {declared.name} {{"
        yield ",\n".join(f"\t{text}" for _, text in declared.written(after, added))
        yield "}"


def _unlike(these: Mapping[Key, Element], those: Mapping[Key, Element], keys: Iterable[Key]) -> list[Key]:
    """Return the keys that ``these`` have and for which ``those`` have no element or another value, in order."""
    return [
        key
        for key in keys
        if (one := these.get(key)) is not None and ((other := those.get(key)) is None or other.value != one.value)
    ]
