"""Comments that silence rules of ``netlab lint``: ``# netlab: ignore=RULE[,RULE]``.

A comment is on the first line of an object, or on a line of comments directly above that line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from netlab.objects.types import Document
from netlab.patterns import pattern

MARK = "netlab:"
"""A text without this word has no such comment."""

ANNOTATION = "netlab/ignore"
"""The annotation that silences rules, in JSON and elsewhere."""

# Names of any form: lint says that there is no such rule.
_COMMENT = pattern(r"(?:^|\s)#\s*netlab:\s*ignore\s*=\s*([^\s,]+(?:\s*,\s*[^\s,]+)*)")
_MOST_LINES = 50


def named_rules(text: str) -> frozenset[str]:
    """Return the rules that ``RULE[,RULE]`` names."""
    return frozenset(name for part in text.split(",") if (name := part.strip()))


def with_ignored(documents: Iterable[Document], text: str) -> Iterator[Document]:
    """Yield the documents of a text of YAML, each with the rules that its comments silence (``Source.ignored``)."""
    lines = text.split("\n")
    for document in documents:
        found = frozenset(_of(lines, document.source.line()))
        yield replace(document, source=replace(document.source, ignored=found)) if found else document


def _of(lines: list[str], first: int) -> Iterator[str]:
    """Yield the rules that comments silence for the object that begins at a line; lines count from 1."""
    if not 0 < first <= len(lines):
        return
    above = []
    for at in range(first - 2, max(first - 2 - _MOST_LINES, -1), -1):
        if not lines[at].lstrip().startswith("#"):
            break
        above.append(lines[at])
    for line in (*above, lines[first - 1]):
        for match in _COMMENT.finditer(line):
            yield from named_rules(match[1])
