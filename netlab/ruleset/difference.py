"""The step from one ruleset to another as one nft transaction that touches only the elements that differ."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from netlab.ruleset import fragments
from netlab.ruleset.elements import Element, Key, Set, writer
from netlab.ruleset.tables import Table, replacement

if TYPE_CHECKING:
    from netlab.ruleset.nftables import Ruleset


class Transaction(NamedTuple):
    """One step of a node's ruleset: the nft file ("" where nothing differs), and what it does.

    ``elements`` come, go or change their value; ``whole`` says that the file is all of the new ruleset.
    """

    text: str = ""
    elements: int = 0
    whole: bool = False


_NOTHING: Mapping[Key, Element] = {}


def titles() -> list[str]:
    """Return all tables that netlab may have made in a node, whichever of them its modes need now."""
    return list(dict.fromkeys(fragment.table.title for fragment in fragments.FRAGMENTS))


def replacing(new: Ruleset) -> str:
    """Return the text of a ruleset for a node of which it is not known what tables of netlab's it has."""
    kept = {table.title for table in new.tables}
    return _without(title for title in titles() if title not in kept) + new.text()


def _without(names: Iterable[str]) -> str:
    return "".join(f"{line}\n" for title in names for line in replacement(title))


def differences(old: Mapping[str, Ruleset], new: Mapping[str, Ruleset]) -> dict[str, Transaction]:
    """Return the difference of every node's ruleset that is in both."""
    return {node: difference(old[node], ruleset) for node, ruleset in new.items() if node in old}


def difference(old: Ruleset, new: Ruleset) -> Transaction:
    """Return the step that takes a node from ``old`` to ``new`` in one transaction.

    Elements that are gone are deleted, new ones added, and one whose value changed is both, as a map's value cannot be
    set in place; an interval set that differs is written anew. A comment that alone differs is left as it is. Where
    the tables themselves differ, the text is that of ``new`` whole, and tables that it does not have are deleted.
    """
    if old is new:
        return Transaction()
    lines: list[str] = []
    elements = 0
    before, after = old.sets, new.sets
    touched = new.since.keys if new.since is not None and new.since.before() is old else None
    for name in {**before, **after} if touched is None else touched:
        ours, theirs = old.elements.get(name, _NOTHING), new.elements.get(name, _NOTHING)
        gone = _unlike(ours, theirs, ours if touched is None else touched[name])
        come = _unlike(theirs, ours, theirs if touched is None else touched[name])
        elements += len({*gone, *come})
        if name in after and (gone or come):
            lines += _lines(*after[name], theirs, gone, come)
    if old.tables == new.tables:
        return Transaction("".join(f"{line}\n" for line in lines), elements)
    kept = {table.title for table in new.tables}
    lost = _without(table.title for table in old.tables if table.title not in kept)
    return Transaction(lost + new.text(), elements, whole=True)


def _lines(
    table: Table, declared: Set, after: Mapping[Key, Element], gone: list[Key], come: list[Key]
) -> Iterator[str]:
    if declared.interval:
        # nft 1.0.6 reads the set first and then trips over deletes beside adds: "interval overlaps with an existing
        # one" for a range up to 255.255.255.255 in place of that one address, ENOENT for a lone port among ranges.
        # It pays for the whole set either way.
        yield f"flush {declared.kind} {table.title} {declared.name}"
        gone, come = [], list(after)
    if gone:
        write = writer(declared.key)
        yield f"delete element {table.title} {declared.name} {{"
        yield ",\n".join(f"\t{write(key)}" for key in gone)
        yield "}"
    if come:
        yield f"add element {table.title} {declared.name} {{"
        yield ",\n".join(f"\t{text}" for _, text in declared.written(after, come))
        yield "}"


def _unlike(these: Mapping[Key, Element], those: Mapping[Key, Element], keys: Iterable[Key]) -> list[Key]:
    """Return those of the keys that ``these`` have and ``those`` lack or have another value for, in order."""
    return [
        key
        for key in keys
        if (one := these.get(key)) is not None and ((other := those.get(key)) is None or other.value != one.value)
    ]
