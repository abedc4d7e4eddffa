"""What an nftables ruleset is made of, as values: tables with their sets, and the elements of sets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from netlab.ruleset.comments import LIMIT, plain


@dataclass(frozen=True, slots=True)
class Element:
    """What stands at one key of a set (``value`` None) or of a map; ``comment`` tells readers whom the key means."""

    value: str | None = None
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Set:
    """A set, or a map where ``value`` names a type, with its key type as nft writes it (``classid . mark``)."""

    name: str
    key: str
    value: str = ""
    interval: bool = False
    about: str = ""

    @property
    def kind(self) -> str:
        """``map`` or ``set``: the word that declares it."""
        return "map" if self.value else "set"

    @property
    def type(self) -> str:
        """What declares its key: a part without a type of its own, by where it stands, can only be meant by example."""
        return f"{'typeof' if '@' in self.key else 'type'} {self.key}"


@dataclass(frozen=True, slots=True)
class Table:
    """One table: its family, the sets whose elements change, and its chains as text, which never changes."""

    family: str
    sets: tuple[Set, ...]
    chains: str
    about: tuple[str, ...] = ()
    name: str = "netlab"

    @property
    def title(self) -> str:
        """How nft commands name it: ``inet netlab``."""
        return f"{self.family} {self.name}"


def element_texts(elements: Mapping[str, Element], keys: Iterable[str] | None = None) -> Iterator[str]:
    """Yield elements (those of ``keys``, or all) as nft reads them: ``10.9.0.2 comment "shop/web" : 0x00000101``."""
    for key in elements if keys is None else keys:
        element = elements[key]
        comment = f' comment "{plain(element.comment)[:LIMIT]}"' if element.comment else ""
        yield f"{key}{comment}" + (f" : {element.value}" if element.value is not None else "")


def replacement(title: str) -> tuple[str, str]:
    """Return the lines that remove a table whether or not it is there."""
    return f"table {title}", f"delete table {title}"
