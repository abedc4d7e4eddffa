"""Objects that run, as a result: kubectl's tables and a list of Kubernetes objects."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field
from typing import Any, Literal

from netlab.frozen import frozen
from netlab.report.formats import Page

Depth = Literal["cells", "objects", "drift"]
"""How much is looked up: what the cells need, or the objects as well, or also what differs in the kernel."""


@frozen
class Item:
    """One object that is listed: as Kubernetes has it, and its cells; the ``wide`` ones come last."""

    namespace: str
    name: str
    object: Mapping[str, Any]
    cells: tuple[str, ...]
    wide: tuple[str, ...] = ()


@frozen
class Listing:
    """The items of one kind with their table's header; the first column is NAMESPACE where kinds have one.

    ``first`` has the ``NAMESPACE/NAME`` of the items that other such names stand for: of workloads, the first pod's.
    """

    header: tuple[str, ...]
    wide: tuple[str, ...]
    items: Sequence[Item] = field(default_factory=tuple)
    first: Mapping[str, str] = field(default_factory=dict)


class Listed:
    """The objects of one kind; ``listing`` looks up as much as a view needs. ``kind`` and ``plural`` are its names."""

    def __init__(self, kind: str, plural: str, listing: Callable[[Depth], Listing]) -> None:
        self._kind = kind
        self._plural = plural
        self._listing = listing

    def table(self, page: Page) -> Iterator[str]:
        """Yield a table as kubectl's; where nothing is listed, say so beside it."""
        found = self._listing("cells")
        return self._columns(page, found.header, [item.cells for item in found.items])

    def wide(self, page: Page) -> Iterator[str]:
        """Yield a table with all columns."""
        found = self._listing("drift")
        header = (*found.header, *found.wide)
        return self._columns(page, header, [(*item.cells, *item.wide) for item in found.items])

    def names(self) -> Iterator[str]:
        """Yield ``KIND/NAMESPACE/NAME`` of each."""
        for item in self._listing("cells").items:
            yield "/".join(part for part in (self._kind, item.namespace, item.name) if part)

    def document(self) -> dict[str, Any]:
        """Return a List of the objects."""
        items = [dict(item.object) for item in self._listing("objects").items]
        return {"apiVersion": "v1", "kind": "List", "items": items}

    def _columns(self, page: Page, header: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
        from netlab.report.columns import columns

        if rows:
            return columns(header, rows)
        page.say(f"no {self._plural} found")
        return iter(())
