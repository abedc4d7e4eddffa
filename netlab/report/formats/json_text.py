"""A result's document as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator

from netlab.report.documents import Documented, Streamed
from netlab.report.formats import Page


def lines(result: Documented, page: Page) -> Iterator[str]:
    """Yield the document with indents; a streamed document has a line for each item."""
    found = result.document()
    if isinstance(found, Streamed):
        yield from _streamed(found)
    else:
        yield json.dumps(found, indent=2)


def _streamed(found: Streamed) -> Iterator[str]:
    before = f"{json.dumps(found.head)[:-1]}, "
    for key, items in found.lists.items():
        yield f"{before}{json.dumps(key)}: ["
        texts = items.texts() if items.texts is not None else map(json.dumps, items.values())
        last = ""
        for text in texts:
            if last:
                yield f"{last},"
            last = text
        if last:
            yield last
        before = "], "
    yield before + json.dumps(found.tail())[1:]
