"""Objects that stand inside other documents: the items of a List, and objects written inline."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from netlab.errors import Problem
from netlab.objects.types import Document, Source

_ITEM = re.compile(r"items\[([0-9]+)\]\.?(.*)", re.DOTALL).fullmatch


def unpack(document: Document) -> tuple[list[Document], list[Problem]]:
    """Return the objects that a document holds: itself, or the items of a List; and those that lack kind or version.

    Items of a typed list (PodList) that name neither have them from the list.
    """
    data, source = document.data, document.source
    kind, items = data.get("kind"), data.get("items")
    listed = isinstance(items, list) or (items is None and "items" in data)
    if not (isinstance(kind, str) and kind.endswith("List") and listed):
        problems = [
            Problem(source.file, source.line(name), name, "", f"Required value: an object has {article} {name}")
            for name, article in (("apiVersion", "an"), ("kind", "a"))
            if not (isinstance(data.get(name), str) and data[name])
        ]
        return ([], problems) if problems else ([document], [])
    found: list[Document] = []
    wrong: list[Problem] = []
    for index, (item, lines, duplicates) in enumerate(_items(document)):
        if not isinstance(item, dict):
            path = f"items[{index}]"
            wrong.append(Problem(source.file, source.line(path), path, kind, "must be an object (a mapping)"))
            continue
        if kind != "List" and "kind" not in item:
            item = {"apiVersion": data.get("apiVersion"), "kind": kind.removesuffix("List"), **item}
        documents, problems = unpack(Document(item, Source(source.file, lines), tuple(duplicates)))
        found += documents
        wrong += problems
    return found, wrong


def _items(document: Document) -> Iterator[tuple[Any, dict[str, int], list[tuple[str, int]]]]:
    """Yield every item of a List with its lines and duplicates, paths made relative to the item, in one pass."""
    items = document.data["items"] or []
    # Items that an alias repeats have no lines of their own: the list's line is the nearest.
    lines = [{"": document.source.line("items")} for _ in items]
    duplicates: list[list[tuple[str, int]]] = [[] for _ in items]
    for path, line in document.source.lines.items():
        # Of two lists under duplicate keys the longer may have been the first.
        if (match := _ITEM(path)) and int(match[1]) < len(items):
            lines[int(match[1])][match[2]] = line
    for path, line in document.duplicates:
        if (match := _ITEM(path)) and int(match[1]) < len(items):
            duplicates[int(match[1])].append((match[2], line))
    return zip(items, lines, duplicates, strict=True)


def within(document: Document, path: str) -> Document:
    """Return the object that stands inside a document at a path, with lines of its own."""
    value: Any = document.data
    for part in path.replace("]", "").replace("[", ".").split("."):
        value = value[int(part)] if isinstance(value, list) else value[part]
    cut = len(path)

    def inside(found: Iterable[tuple[str, int]]) -> Iterator[tuple[str, int]]:
        under = ((p[cut:], line) for p, line in found if p.startswith(path))
        return ((rest.removeprefix("."), line) for rest, line in under if rest[:1] in ("", ".", "["))

    lines = dict(inside(document.source.lines.items()))
    return Document(value, Source(document.source.file, lines), tuple(inside(document.duplicates)))
