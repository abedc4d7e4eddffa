"""The sets of an nftables ruleset and their elements. Keys are Python values until they are written as text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from netlab.frozen import NamedTuple, frozen
from netlab.objects.types import Address, Prefix
from netlab.ruleset.comments import LIMIT, plain


class Span(NamedTuple):
    """The numbers or addresses from ``first`` to ``last``, both included."""

    first: int | Address
    last: int | Address

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"


Part = int | str | Address | Prefix | Span
"""One field of a key: a number (port, mark, classid), a word (protocol, interface, MAC), an address or a range."""

Key = tuple[Part, ...]
"""The fields of a key, or of a map's value, in the order of the types that the set declares."""


@frozen
class Element:
    """The element of a set (``value`` is empty) or map at one key; ``comment`` names the pods and policies."""

    value: Key = ()
    comment: str = ""


class Elements(dict[Key, Element]):
    """The elements of a set by key. It does not change after ``ElementStore.read``, so ``text`` can keep its text."""

    __slots__ = ("shared", "text")

    def __init__(self, *args: Any, shared: bool = False) -> None:
        super().__init__(*args)
        self.shared = shared
        self.text: str | None = None


_WRITTEN = {
    "mark": "0x%08x",
    "ifname": '"%s"',
    "iifname": '"%s"',
    # nft 1.0.6 has no name for the target of a neighbour advertisement, so the address is its number.
    "@th,64,128": "%#034x",
}
"""By type: the format of a field. Other types use Python's ``str``; ``writer`` formats classids."""


@lru_cache
def writer(types: tuple[str, ...]) -> Callable[[Key], str]:
    """Return the function that writes a key of these types as nft reads it: ``5cb0:b8ac . tcp . 5432``.

    Raises:
      ValueError: if a classid is not the first field. So one ``%`` format writes the rest of a key, which is fast.
    """
    first, *rest = types or ("",)
    if "classid" in rest:
        raise ValueError(f"{' . '.join(types)}: a classid is the first field, or none")
    patterns = [_WRITTEN.get(kind, "%s") for kind in types]
    if first != "classid":
        return " . ".join(patterns).__mod__
    more = "".join(f" . {pattern}" for pattern in patterns[1:])
    return lambda key: f"{key[0] >> 16:x}:{key[0] & 0xFFFF:x}" + more % key[1:]  # type: ignore[operator]


@frozen
class Set:
    """A set, or a map if ``value`` has types. ``key`` and ``value`` are the nft types of their fields.

    A field without a type of its own has the expression that reads it in place of a type (``@th,64,128``). Then all
    fields have expressions, as nft's ``typeof`` requires.

    ``timeout``: if it is not 0, packets add the elements, and an element lasts this many seconds unless its rule has
    another timeout.
    """

    name: str
    key: tuple[str, ...]
    value: tuple[str, ...] = ()
    interval: bool = False
    about: str = ""
    timeout: int = 0

    @property
    def kind(self) -> str:
        """The keyword that declares it: ``map`` or ``set``."""
        return "map" if self.value else "set"

    @property
    def type(self) -> str:
        """The line that declares its key and value."""
        word = "typeof" if any(" " in part or part.startswith("@") for part in self.key) else "type"
        return f"{word} {' . '.join(self.key)}" + (f" : {' . '.join(self.value)}" if self.value else "")

    @property
    def flags(self) -> tuple[str, ...]:
        """The lines that follow its type in nft's text."""
        if self.timeout:
            return ("flags dynamic,timeout", f"timeout {self.timeout}s")
        return ("flags interval",) if self.interval else ()

    def written(self, elements: Mapping[Key, Element], keys: Iterable[Key] | None = None) -> Iterator[tuple[Key, str]]:
        """Yield elements with their text, ``10.9.0.2 comment "shop/web" : 0x00000101``: those of ``keys``, or all."""
        write, value = writer(self.key), writer(self.value)
        for key in elements if keys is None else keys:
            element = elements[key]
            comment = f' comment "{plain(element.comment)[:LIMIT]}"' if element.comment else ""
            yield key, f"{write(key)}{comment}" + (f" : {value(element.value)}" if element.value else "")
