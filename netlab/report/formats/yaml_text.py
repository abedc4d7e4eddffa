"""A result's document as YAML."""

from __future__ import annotations

from collections.abc import Iterator

from netlab.report import yaml_text as text
from netlab.report.documents import Documented, Streamed
from netlab.report.formats import Page


def lines(result: Documented, page: Page) -> Iterator[str]:
    """Yield the document; a streamed document item by item."""
    found = result.document()
    if not isinstance(found, Streamed):
        yield from text.lines(found)
        return
    yield from text.lines(found.head)
    for key, items in found.lists.items():
        values = items.values()
        first = next(values, None)
        yield f"{key}:" if first is not None else f"{key}: []"
        if first is not None:
            yield from text.lines([first])
        for value in values:
            yield from text.lines([value])
    yield from text.lines(found.tail())
