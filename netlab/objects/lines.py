"""The lines of fields. Memory grows with the number of fields, and not with the length of their paths.

A text has one table. A row is a field or an item. The rows of one mapping or list are consecutive: a block.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice, repeat
from typing import Any

_ITEM = re.compile(r"\[([0-9]+)\](?:\.|(?=\[)|$)")
_END_OF_KEY = re.compile(r"[.\[]")
# A path is cut at most at this many dots or brackets to find a key that contains them.
_CUTS = 50


class Table:
    """The rows of one text: a name (None for an item), a line, and the block of the value's own rows (0: none).

    The row before a block is its header: the number of its rows, the first row of all blocks inside, and the name ""
    for a mapping or None for a list. The blocks inside come before the block.
    """

    __slots__ = ("_below", "_lines", "_names", "repeated")

    def __init__(self) -> None:
        self._names: list[str | None] = [None]
        self._lines = array("I", (0,))
        self._below = array("I", (0,))
        self.repeated: dict[int, list[tuple[str, int]]] = {}

    def __len__(self) -> int:
        return len(self._lines)

    def add_mapping(self, first: int, lines: Mapping[str, int], below: Mapping[str, int]) -> int:
        """Add the fields of a mapping; return their block, 0 if there are none.

        ``first`` is the number of rows before the first block inside. ``lines`` has the line of each field, ``below``
        the block of each field that has one.
        """
        if not lines:
            return 0
        self._names.append("")
        block = self._begin(first, len(lines))
        self._names.extend(lines)
        self._lines.extend(lines.values())
        self._below.extend(map(below.get, lines, repeat(0)) if below else array("I", bytes(4 * len(lines))))
        return block

    def add_list(self, first: int, lines: array[int], below: array[int]) -> int:
        """Add the items of a list, each with its line and its block (or 0); return their block, 0 if there are none."""
        if not lines:
            return 0
        self._names.append(None)
        block = self._begin(first, len(lines))
        self._names.extend(repeat(None, len(lines)))
        self._lines.extend(lines)
        self._below.extend(below)
        return block

    def _begin(self, first: int, size: int) -> int:
        self._lines.append(size)
        self._below.append(first)
        return len(self._lines)

    def part(self, block: int) -> tuple[int, list[str | None], list[int], list[int]]:
        """Return a block and all rows inside, renumbered: the block, and the arguments of ``of``."""
        first, end = self._below[block - 1], block + self._lines[block - 1]
        below = [at and at - first for at in self._below[first:end]]
        return block - first, self._names[first:end], self._lines[first:end].tolist(), below

    @classmethod
    def of(cls, names: list[str | None], lines: Iterable[int], below: Iterable[int]) -> Table:
        """Return the table of rows that ``part`` returned."""
        table = cls()
        table._names, table._lines, table._below = names, array("I", lines), array("I", below)
        return table

    def is_list(self, block: int) -> bool:
        return self._names[block - 1] is None

    def rows(self, block: int) -> range:
        return range(block, block + self._lines[block - 1])

    def row(self, at: int) -> tuple[str | None, int, int]:
        """Return a row's name, its line and its block."""
        return self._names[at], self._lines[at], self._below[at]

    def find(self, block: int, rest: str) -> int | None:
        """Return the row at a path from a block, None if there is none."""
        if self.is_list(block):
            match = _ITEM.match(rest)
            if match is None or len(match[1]) > 9 or int(match[1]) >= self._lines[block - 1]:
                return None
            return self._below_or(block + int(match[1]), rest[match.end() :])
        if (at := self._named(block, rest)) is not None:
            return at
        # A dot in a path either ends a key or is part of the key.
        for cut in islice(_END_OF_KEY.finditer(rest), _CUTS):
            at = self._named(block, rest[: cut.start()])
            if at is not None and self._below[at]:
                found = self._below_or(at, rest[cut.start() :].removeprefix("."))
                if found is not None:
                    return found
        return None

    def _below_or(self, at: int, rest: str) -> int | None:
        if not rest:
            return at
        return self.find(self._below[at], rest) if self._below[at] else None

    def _named(self, block: int, name: str) -> int | None:
        try:
            return self._names.index(name, block, block + self._lines[block - 1])
        except ValueError:
            return None


class Lines(Mapping[str, int]):
    """The lines of an object's fields by path (``spec.ingress[0].from[1]``); the path "" is the object."""

    __slots__ = ("_block", "_line", "_table")

    def __init__(self, table: Table, line: int, block: int = 0) -> None:
        self._table = table
        self._line = line
        self._block = block

    @classmethod
    def of_one(cls, line: int) -> Lines:
        """Return the lines of an object if only one line is known."""
        return cls(Table(), line)

    def __getitem__(self, path: str) -> int:
        if not path:
            return self._line
        at = self._table.find(self._block, path) if self._block else None
        if at is None:
            raise KeyError(path)
        return self._table.row(at)[1]

    def __iter__(self) -> Iterator[str]:
        yield ""
        yield from (path for path, _ in self._walk(self._block, ""))

    def __len__(self) -> int:
        return 1 + sum(1 for _ in self._walk(self._block, ""))

    def _walk(self, block: int, path: str) -> Iterator[tuple[str, int]]:
        """Yield the path and the row of every field of a block, and of the blocks inside."""
        if not block:
            return
        for index, at in enumerate(self._table.rows(block)):
            name, _, below = self._table.row(at)
            child = f"{path}[{index}]" if name is None else f"{path}.{name}" if path else name
            yield child, at
            yield from self._walk(below, child)

    def inside(self, path: str) -> Lines:
        """Return the lines of the value at a path; if it has none, those of the object."""
        at = self._table.find(self._block, path) if self._block else None
        if at is None:
            return Lines(self._table, self._line)
        _, line, below = self._table.row(at)
        return Lines(self._table, line, below)

    def items_of(self, name: str) -> Iterator[Lines]:
        """Yield the lines of each item of a list, "" for that of the value itself; nothing if the list has no lines."""
        at = self._table.find(self._block, name) if self._block and name else None
        block = self._block if not name else 0 if at is None else self._table.row(at)[2]
        if block and self._table.is_list(block):
            for row in self._table.rows(block):
                _, line, below = self._table.row(row)
                yield Lines(self._table, line, below)

    def duplicates(self, most: int) -> tuple[tuple[str, int], ...]:
        """Return the first fields that are written twice, each with the line of the second one."""
        repeated = self._table.repeated
        if not repeated or not self._block:
            return ()
        return tuple(islice(self._repeated(self._block, ""), most))

    def _repeated(self, block: int, path: str) -> Iterator[tuple[str, int]]:
        for index, at in enumerate(self._table.rows(block)):
            name, _, below = self._table.row(at)
            if below:
                child = f"{path}[{index}]" if name is None else f"{path}.{name}" if path else name
                yield from self._repeated(below, child)
        prefix = f"{path}." if path else ""
        yield from ((prefix + name, line) for name, line in self._table.repeated.get(block, ()))

    def to_record(self) -> Any:
        """Return the lines as a JSON value: the object's line, or a list of that line and the rows."""
        return [self._line, *self._table.part(self._block)] if self._block else self._line


def from_record(record: Any) -> Mapping[str, int]:
    """Return the lines from the result of ``Lines.to_record``; a mapping of paths to lines is returned as it is."""
    if isinstance(record, Mapping):
        return record
    if isinstance(record, int):
        return Lines.of_one(record)
    line, block, *rows = record
    return Lines(Table.of(*rows), line, block)
