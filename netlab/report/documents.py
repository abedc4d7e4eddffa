"""The document of a result, for programs: plain data, or a document whose lists are streamed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

from netlab.frozen import NamedTuple

API_VERSION = "netlab/v1alpha1"


class Items(NamedTuple):
    """A list that is too long to keep in memory: ``values`` makes its items one by one.

    ``texts``, if it is there, makes the same items as JSON text; a text has one item, or several with commas between.
    """

    values: Callable[[], Iterator[Any]]
    texts: Callable[[], Iterator[str]] | None = None


class Streamed(NamedTuple):
    """A document in parts, in order: first fields, lists by name, and the fields that are known after them."""

    head: dict[str, Any]
    lists: Mapping[str, Items]
    tail: Callable[[], dict[str, Any]]


class Documented(Protocol):
    """A result that has a document."""

    def document(self) -> dict[str, Any] | Streamed: ...
