"""The step from one ruleset to another as one nft transaction that touches only the elements that differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from netlab.ruleset.elements import Element, element_texts, replacement

if TYPE_CHECKING:
    from netlab.ruleset.nftables import Ruleset


_Compared = dict[tuple[int, int], tuple[list[str], list[str]]]
"""Of two sets, by their identities, the keys that are gone and those that have come."""


def differences(old: Mapping[str, Ruleset], new: Mapping[str, Ruleset]) -> dict[str, str]:
    """Return the difference of every node's ruleset that is in both; sets that nodes share are compared once."""
    compared: _Compared = {}
    return {node: _difference(old[node], ruleset, compared) for node, ruleset in new.items() if node in old}


def difference(old: Ruleset, new: Ruleset) -> str:
    """Return the nft file that takes a node from ``old`` to ``new`` in one transaction; "" where nothing differs.

    Elements that are gone are deleted, new ones added, and one whose value changed is both, as a map's value cannot be
    set in place; an interval set that differs is written anew. A comment that alone differs is left as it is. Where
    the tables themselves differ, the text is that of ``new`` whole, and tables that it does not have are deleted.
    """
    return _difference(old, new, {})


def _difference(old: Ruleset, new: Ruleset, compared: _Compared) -> str:
    if old is new:
        return ""
    if old.tables != new.tables:
        kept = {table.title for table in new.tables}
        gone = [line for t in old.tables if t.title not in kept for line in replacement(t.title)]
        return "".join(f"{line}\n" for line in gone) + new.text()
    lines: list[str] = []
    for name, (table, declared) in new.sets.items():
        before, after = old.elements.get(name, {}), new.elements.get(name, {})
        if before is after:
            continue
        pair = id(before), id(after)
        if pair not in compared:
            compared[pair] = list(_unlike(before, after)), list(_unlike(after, before))
        gone, come = compared[pair]
        if declared.interval and (gone or come):
            # nft 1.0.6 reads the set first and then trips over deletes beside adds: "interval overlaps with an existing
            # one" for a range up to 255.255.255.255 in place of that one address, ENOENT for a lone port among ranges.
            # It pays for the whole set either way.
            lines.append(f"flush {declared.kind} {table.title} {name}")
            gone, come = [], list(after)
        if gone:
            lines += [f"delete element {table.title} {name} {{", ",\n".join(f"\t{key}" for key in gone), "}"]
        if come:
            texts = element_texts(after, come)
            lines += [f"add element {table.title} {name} {{", ",\n".join(f"\t{text}" for text in texts), "}"]
    return "".join(f"{line}\n" for line in lines)


def count(old: Ruleset, new: Ruleset) -> int:
    """Return how many elements come, go or change their value from ``old`` to ``new``."""
    total = 0
    for name in {**old.sets, **new.sets}:
        before, after = old.elements.get(name, {}), new.elements.get(name, {})
        if before is not after:
            total += len({*_unlike(before, after), *_unlike(after, before)})
    return total


def _unlike(these: Mapping[str, Element], those: Mapping[str, Element]) -> Iterator[str]:
    """Yield the keys of ``these`` that ``those`` lacks or has another value for, in order."""
    for key, element in these.items():
        other = those.get(key)
        if other is not element and (other is None or other.value != element.value):
            yield key
