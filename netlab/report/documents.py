"""What programs read of a result: a value of dictionaries, lists and scalars, or one whose lists are streamed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol

API_VERSION = "netlab/v1alpha1"


class Items(NamedTuple):
    """A list that is too long to keep: ``values`` makes its items one by one.

    Where the same items are JSON already, ``texts`` makes them, one or several in a text with a comma between.
    """

    values: Callable[[], Iterator[Any]]
    texts: Callable[[], Iterator[str]] | None = None


class Streamed(NamedTuple):
    """A document in parts, in their order: its first fields, its lists by name, and what is known after them."""

    head: dict[str, Any]
    lists: Mapping[str, Items]
    tail: Callable[[], dict[str, Any]]


class Documented(Protocol):
    """A result that has a document."""

    def document(self) -> dict[str, Any] | Streamed: ...
