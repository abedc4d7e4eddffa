"""A node's nftables ruleset: tables whose text is constant, the elements of their sets, and the file that says it all.

Written for nft 1.0.6 and later (nftables.org, man page nft(8)): a table is replaced by adding, deleting and defining
it in one file, as ``destroy`` came with 1.0.8.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from weakref import ref

from netlab.frozen import frozen
from netlab.ruleset.comments import plain
from netlab.ruleset.elements import Elements, Set
from netlab.ruleset.sets import Touched
from netlab.ruleset.tables import Table, chain_lines, replacement


@frozen
class Since:
    """How a ruleset came from the one before it, as long as that is kept: no other keys differ than these, by set."""

    before: ref[Ruleset]
    keys: Touched


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Ruleset:
    """Everything nftables holds in one node: ``tables`` is the static part, ``elements`` what fills its sets.

    ``elements`` maps the name of a set, unique over the tables, to its elements by key. ``notes`` has, by set, lines
    for readers on what is deliberately not in it. ``since`` spares comparing all of it with the one before.
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
        """Return the nft file that makes a node's tables exactly these, whatever they were, in one transaction."""
        return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        whose = plain(f"node {self.node} in lab {self.lab}")
        yield f"# nftables ruleset of {whose}, made by netlab from its NetworkPolicies."
        for table in self.tables:
            yield ""
            yield from (f"# {line}" for line in table.of.about)
            yield from replacement(table.title)
            yield f"table {table.title} {{"
            for declared in table.sets:
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
        if declared.interval:
            yield "\t\tflags interval"
        yield from (f"\t\t# {plain(note)}" for note in self.notes.get(declared.name, ()))
        if elements := self.elements.get(declared.name):
            yield "\t\telements = {"
            yield _text(declared, elements)
            yield "\t\t}"
        yield "\t}"


def _text(declared: Set, elements: Elements) -> str:
    """Return the lines of a set's elements; those that several nodes have are written once."""
    if elements.text is not None:
        return elements.text
    text = ",\n".join([f"\t\t\t{line}" for line in _readable(declared, elements)])
    if elements.shared:
        elements.text = text
    return text


def _readable(declared: Set, elements: Elements) -> list[str]:
    """Order ranges of addresses as they are, all else by whom it means: the order of hashes tells readers nothing."""
    written = declared.written(elements)
    if declared.interval and len(declared.key) == 1:
        return [text for _, text in written]
    return [text for _, text in sorted((elements[key].comment, text) for key, text in written)]
