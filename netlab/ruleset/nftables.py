"""A node's nftables ruleset: tables with constant text, the elements of their sets, and the nft file of both.

The text needs nft 1.0.6 (nft(8)). ``destroy`` came with 1.0.8, so the file replaces a table by adding, deleting and
defining it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from weakref import ref

from netlab.frozen import frozen
from netlab.ruleset.comments import plain
from netlab.ruleset.element_store import Touched
from netlab.ruleset.elements import Elements, Set
from netlab.ruleset.tables import Table, chain_lines, replacement


@frozen
class Since:
    """The ruleset before, while it exists, and the keys that may differ from it, by set."""

    before: ref[Ruleset]
    keys: Touched


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Ruleset:
    """The nftables ruleset of one node.

    ``tables`` is the static part. ``elements`` has the elements of each set by the set's name, which is unique over all
    tables. ``notes`` has, by set, comment lines about pods that have no element. ``since`` makes the difference to the
    ruleset before cheap.
    """

    lab: str
    node: str
    tables: tuple[Table, ...]
    elements: Mapping[str, Elements]
    notes: Mapping[str, tuple[str, ...]] = field(default_factory=dict, compare=False)
    since: Since | None = field(default=None, compare=False, repr=False)

    @property
    def sets(self) -> dict[str, tuple[Table, Set]]:
        """Every set by name, with its table."""
        return {s.name: (table, s) for table in self.tables for s in table.sets}

    def text(self) -> str:
        """Return the nft file that replaces a node's tables by these in one transaction."""
        return "\n".join(self._lines(replacing=True)) + "\n"

    def first_text(self) -> str:
        """Return the nft file that makes these tables in a network namespace without rules.

        A deletion in the transaction, even of an empty table, makes nft wait for the kernel when it ends
        (nft_rcv_nl_event, net/netfilter/nf_tables_api.c): 7 to 12 ms of the 15 to 20 ms of a small ruleset.
        """
        return "\n".join(self._lines(replacing=False)) + "\n"

    def _lines(self, *, replacing: bool) -> Iterator[str]:
        node = plain(f"node {self.node} in lab {self.lab}")
        yield f"# nftables ruleset of {node}, made by netlab from its NetworkPolicies."
        for table in self.tables:
            yield ""
            yield from (f"# {line}" for line in table.of.about)
            yield from replacement(table.title) if replacing else ()
            yield from self.table_lines(table, table.sets)

    def table_lines(self, table: Table, sets: Iterable[Set]) -> Iterator[str]:
        """Yield the lines that define some sets of a table, with their elements, and all its chains."""
        yield f"table {table.title} {{"
        for declared in sets:
            yield from self._set_lines(declared)
            yield ""
        for number, chain in enumerate(table.chains):
            if number:
                yield ""
            yield from chain_lines(chain)
        yield "}"

    def _set_lines(self, declared: Set) -> Iterator[str]:
        yield f"\t# {declared.about}"
        yield f"\t{declared.kind} {declared.name} {{"
        yield f"\t\t{declared.type}"
        yield from (f"\t\t{line}" for line in declared.flags)
        yield from (f"\t\t# {plain(note)}" for note in self.notes.get(declared.name, ()))
        if elements := self.elements.get(declared.name):
            yield "\t\telements = {"
            yield _text(declared, elements)
            yield "\t\t}"
        yield "\t}"


def _text(declared: Set, elements: Elements) -> str:
    """Return the lines of a set's elements. Elements that several nodes share keep their text."""
    if elements.text is not None:
        return elements.text
    text = ",\n".join([f"\t\t\t{line}" for line in _readable(declared, elements)])
    if elements.shared:
        elements.text = text
    return text


def _readable(declared: Set, elements: Elements) -> list[str]:
    """Return the elements in an order for readers: ranges by address, all others by comment, as keys are hashes."""
    written = declared.written(elements)
    if declared.interval and len(declared.key) == 1:
        return [text for _, text in written]
    return [text for _, text in sorted((elements[key].comment, text) for key, text in written)]
