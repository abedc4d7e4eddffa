"""The static part of a ruleset as values: tables with sets and chains of rules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from netlab.frozen import NamedTuple, frozen
from netlab.ruleset.elements import Set


class TableName(NamedTuple):
    """A table: its family, its name, and comment lines about its purpose."""

    family: str
    name: str
    about: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The family and name, as nft commands need them: ``inet netlab``."""
        return f"{self.family} {self.name}"


class Hook(NamedTuple):
    """The hook of a base chain: nft's chain type, the hook, and the priority among the chains of the hook."""

    type: Literal["filter", "nat"]
    hook: Literal["prerouting", "input", "forward", "output", "postrouting"]
    priority: int | str

    def __str__(self) -> str:
        return f"type {self.type} hook {self.hook} priority {self.priority}; policy accept;"


@frozen
class Chain:
    """A chain, or one fragment's part of it; a base chain has a ``hook``.

    Fragments that declare the same chain of a table share it. Its rules are in the order of ``place``, and within one
    place in the order of the fragments. A rule that begins with ``#`` is a comment.
    """

    name: str
    rules: tuple[str, ...]
    hook: Hook | None = None
    about: str = ""
    place: int = 0


class Parts(NamedTuple):
    """The sets and chains that a fragment declares in its table."""

    sets: Sequence[Set] = ()
    chains: Sequence[Chain] = ()


@frozen
class Table:
    """One table: its sets, whose elements change, and its chains, which do not."""

    of: TableName
    sets: tuple[Set, ...]
    chains: tuple[Chain, ...]

    @property
    def family(self) -> str:
        """The family in nft: ``inet`` or ``bridge``."""
        return self.of.family

    @property
    def title(self) -> str:
        """The family and name, as nft commands need them: ``inet netlab``."""
        return self.of.title


def assembled(declared: Iterable[tuple[TableName, Parts]]) -> tuple[Table, ...]:
    """Return the tables of all declared parts.

    Raises:
      ValueError: if two parts declare the same set (names of sets are unique over all tables), or give one chain
        different hooks.
    """
    tables: dict[TableName, tuple[list[Set], dict[str, list[Chain]]]] = {}
    names: set[str] = set()
    for name, parts in declared:
        sets, chains = tables.setdefault(name, ([], {}))
        for one in parts.sets:
            if one.name in names:
                raise ValueError(f"set {one.name} of table {name.title} is declared twice")
            names.add(one.name)
            sets.append(one)
        for chain in parts.chains:
            chains.setdefault(chain.name, []).append(chain)
    return tuple(
        Table(name, tuple(sets), tuple(map(_joined, chains.values()))) for name, (sets, chains) in tables.items()
    )


def _joined(parts: Sequence[Chain]) -> Chain:
    hooks = {part.hook for part in parts}
    if len(hooks) > 1:
        raise ValueError(f"chain {parts[0].name} has two hooks")
    rules = tuple(rule for part in sorted(parts, key=lambda part: part.place) for rule in part.rules)
    about = next((part.about for part in parts if part.about), "")
    return Chain(parts[0].name, rules, parts[0].hook, about)


def chain_lines(chain: Chain) -> Iterator[str]:
    """Yield the lines of a chain as nft reads them."""
    if chain.about:
        yield f"\t# {chain.about}"
    yield f"\tchain {chain.name} {{"
    if chain.hook is not None:
        yield f"\t\t{chain.hook}"
    yield from (f"\t\t{rule}" for rule in chain.rules)
    yield "\t}"


def replacement(title: str) -> tuple[str, str]:
    """Return the lines that remove a table if it exists: ``delete`` alone would fail if it does not."""
    return f"table {title}", f"delete table {title}"
