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
        found = frozenset(name for _, names in _of(lines, document.source.line()) for name in names)
        yield replace(document, source=replace(document.source, ignored=found)) if found else document


def without_effect(documents: Iterable[Document], text: str) -> list[int]:
    """Return the lines of comments that silence nothing because of their place; lines count from 1."""
    lines = text.split("\n")
    effective = {at for document in documents for at, _ in _of(lines, document.source.line())}
    return [at for at, line in enumerate(lines, start=1) if at not in effective and _COMMENT.search(line)]


def _of(lines: list[str], first: int) -> Iterator[tuple[int, frozenset[str]]]:
    """Yield the comments of the object that begins at a line: the line of each, and the rules that it silences."""
    if not 0 < first <= len(lines):
        return
    numbers = [first]
    for at in range(first - 1, max(first - 1 - _MOST_LINES, 0), -1):
        if not lines[at - 1].lstrip().startswith("#"):
            break
        numbers.append(at)
    for at in numbers:
        for match in _COMMENT.finditer(lines[at - 1]):
            yield at, named_rules(match[1])
