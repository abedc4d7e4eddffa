"""The static part of a ruleset as values: tables, their sets, and their chains of rules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

from netlab.frozen import frozen
from netlab.ruleset.elements import Set


class TableName(NamedTuple):
    """A table: its family, its name there, and what it is for, in lines."""

    family: str
    name: str
    about: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """How nft commands name it: ``inet netlab``."""
        return f"{self.family} {self.name}"


class Hook(NamedTuple):
    """Where packets enter a base chain: nft's chain type, the hook, and the priority among the chains of that hook."""

    type: Literal["filter", "nat"]
    hook: Literal["prerouting", "input", "forward", "output", "postrouting"]
    priority: int | str

    def __str__(self) -> str:
        return f"type {self.type} hook {self.hook} priority {self.priority}; policy accept;"


@frozen
class Chain:
    """A chain, or the part of it that one fragment has; ``hook`` makes it a base chain.

    Fragments that name one chain of a table share it: their rules stand in the order of ``place``, and those of one
    place in the order of the fragments. A rule that begins with ``#`` is a comment.
    """

    name: str
    rules: tuple[str, ...]
    hook: Hook | None = None
    about: str = ""
    place: int = 0


class Parts(NamedTuple):
    """What a fragment declares in its table: sets and chains."""

    sets: Sequence[Set] = ()
    chains: Sequence[Chain] = ()


@frozen
class Table:
    """One table: the sets whose elements change, and its chains, which never change."""

    of: TableName
    sets: tuple[Set, ...]
    chains: tuple[Chain, ...]

    @property
    def family(self) -> str:
        """Nft's family: ``inet`` or ``bridge``."""
        return self.of.family

    @property
    def title(self) -> str:
        """How nft commands name it: ``inet netlab``."""
        return self.of.title


def assembled(declared: Iterable[tuple[TableName, Parts]]) -> tuple[Table, ...]:
    """Return the tables that fragments declare parts of, each with the sets and chains of all of them.

    Raises:
      ValueError: where two fragments name one set, or hook one chain differently. Names of sets are unique over all
        tables.
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
        raise ValueError(f"chain {parts[0].name} is hooked in two ways")
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
    """Return the lines that remove a table whether or not it is there."""
    return f"table {title}", f"delete table {title}"
