"""nftables rulesets in memory: runs the nft scripts that netlab writes.

It is not an interpreter of nft's language. A script with a line that netlab does not write is refused as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from netlab.errors import KernelError

_TABLE = re.compile(r"table (\w+ \w+)( \{)?")
_DELETE = re.compile(r"delete table (\w+ \w+)")
_EMPTY = re.compile(r"flush table (\w+ \w+)")
_REMOVE = re.compile(r"delete (chain|set|map) (\w+ \w+) (\w+)")
_FLUSH = re.compile(r"flush (?:set|map) (\w+ \w+) (\w+)")
_CHANGE = re.compile(r"(add|delete) element (\w+ \w+) (\w+) \{")
_BLOCK = re.compile(r"((?:set|map|chain) \w+) \{")
_ELEMENT = re.compile(r'(?P<key>.+?)(?: comment "[^"]*")?(?: : (?P<value>[^"]+))?')


@dataclass
class _Block:
    """A set, map or chain: its lines, and the elements of a set or map with their values."""

    lines: list[str] = field(default_factory=list)
    elements: dict[str, str | None] = field(default_factory=dict)


_Tables = dict[str, dict[str, _Block]]


class FakeRuleset:
    """The tables of one network namespace. Two are equal if their tables are; comments do not count."""

    def __init__(self) -> None:
        self.tables: _Tables = {}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FakeRuleset) and self.tables == other.tables

    __hash__ = None  # type: ignore[assignment]

    def run(self, script: str, where: str = "") -> None:
        """Run a script as one transaction; ``where`` names the namespace in errors.

        Raises:
          KernelError: if nft would refuse the script, or netlab does not write such a line. Nothing changes then.
        """
        tables = {t: {n: _Block([*b.lines], dict(b.elements)) for n, b in bs.items()} for t, bs in self.tables.items()}
        lines = iter([line for raw in script.splitlines() if (line := raw.strip()) and not line.startswith("#")])
        for line in lines:
            try:
                _command(tables, line, lines)
            except (KeyError, ValueError, StopIteration) as error:
                raise KernelError(f"nft in {where}", 0, f"{line!r} is refused") from error
        self.tables = tables


def _command(tables: _Tables, line: str, lines: Iterator[str]) -> None:
    if match := _TABLE.fullmatch(line):
        table = tables.setdefault(match[1], {})
        if match[2]:
            _blocks(table, lines)
    elif match := _DELETE.fullmatch(line):
        del tables[match[1]]
    elif match := _EMPTY.fullmatch(line):
        for name, block in tables[match[1]].items():
            if name.startswith("chain "):
                block.lines.clear()
    elif match := _REMOVE.fullmatch(line):
        del tables[match[2]][f"{match[1]} {match[3]}"]
    elif match := _FLUSH.fullmatch(line):
        _set_of(tables, match[1], match[2]).elements.clear()
    elif match := _CHANGE.fullmatch(line):
        block = _set_of(tables, match[2], match[3])
        for key, value in _elements(lines):
            if match[1] == "delete":
                del block.elements[key]
            else:
                block.elements[key] = value
    else:
        raise ValueError(line)


def _set_of(tables: _Tables, table: str, name: str) -> _Block:
    blocks = tables[table]
    return blocks[f"set {name}"] if f"set {name}" in blocks else blocks[f"map {name}"]


def _blocks(table: dict[str, _Block], lines: Iterator[str]) -> None:
    while (line := next(lines)) != "}":
        match = _BLOCK.fullmatch(line)
        if match is None:
            raise ValueError(line)
        block = table.setdefault(match[1], _Block())
        while (line := next(lines)) != "}":
            if line == "elements = {":
                block.elements |= _elements(lines)
            else:
                block.lines.append(line)


def _elements(lines: Iterator[str]) -> Iterator[tuple[str, str | None]]:
    while (line := next(lines, "}")) != "}":
        if match := _ELEMENT.fullmatch(line.removesuffix(",")):
            yield match["key"], match["value"]
