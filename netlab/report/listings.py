"""Objects of labs, as a result: kubectl's tables, and a List of Kubernetes objects."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field
from typing import Any, Literal

from netlab.frozen import frozen
from netlab.report.formats import Page

Depth = Literal["cells", "objects", "drift"]
"""How much to look up: the cells of the narrow table, also the objects, or also the drift of the kernel."""


@frozen
class Item:
    """One listed object: as Kubernetes data, and as cells; the ``wide`` cells come last."""

    namespace: str
    name: str
    object: Mapping[str, Any]
    cells: tuple[str, ...]
    wide: tuple[str, ...] = ()


@frozen
class Listing:
    """The items of one kind with the header of their table; a namespaced kind has the first column NAMESPACE.

    ``first`` maps the ``NAMESPACE/NAME`` of a workload to that of its first pod.
    """

    header: tuple[str, ...]
    wide: tuple[str, ...]
    items: Sequence[Item] = field(default_factory=tuple)
    first: Mapping[str, str] = field(default_factory=dict)


class Listed:
    """The objects of one kind; ``listing`` looks up what a view needs. ``kind`` and ``plural`` are its names."""

    def __init__(self, kind: str, plural: str, listing: Callable[[Depth], Listing]) -> None:
        self._kind = kind
        self._plural = plural
        self._listing = listing

    def table(self, page: Page) -> Iterator[str]:
        """Yield kubectl's table; if it is empty, print a message on standard error."""
        found = self._listing("cells")
        return self._columns(page, found.header, [item.cells for item in found.items])

    def wide(self, page: Page) -> Iterator[str]:
        """Yield a table with all columns."""
        found = self._listing("drift")
        header = (*found.header, *found.wide)
        return self._columns(page, header, [(*item.cells, *item.wide) for item in found.items])

    def names(self) -> Iterator[str]:
        """Yield ``KIND/NAMESPACE/NAME`` of each object."""
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
