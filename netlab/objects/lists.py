"""Objects inside of documents: the items of a List, and objects that a scenario has inline."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from netlab.errors import Problem
from netlab.objects.bounds import DOCUMENT, MOST_OF_AN_OBJECT, Budget
from netlab.objects.lines import Lines
from netlab.objects.similar_names import close_name, list_kinds
from netlab.objects.types import Document, Source


def unpack(document: Document, budget: Budget | None = None) -> tuple[list[Document], list[Problem]]:
    """Return the document itself, or the items of a List, and the problems of these.

    Items of a typed list (PodList) without kind and apiVersion get them from the list. A list that the server cut off
    gets a warning.

    Raises:
      TooLargeError: if there are more objects than the budget has memory for.
    """
    data, source = document.data, document.source
    kind, items = data.get("kind"), data.get("items")
    if not (isinstance(kind, str) and kind.endswith("List") and _is_list(kind, data)):
        problems = [
            Problem(source.file, source.line(name), name, "", f"Required value: an object has {article} {name}{hint}")
            for name, article in (("apiVersion", "an"), ("kind", "a"))
            if not (isinstance(data.get(name), str) and data[name])
            for hint in [_hint(data, name)]
        ]
        return ([], problems) if problems else ([document], [])
    if items is not None and not isinstance(items, list):
        return [], [Problem(source.file, source.line("items"), "items", kind, "must be a list")]
    if "items" not in data:
        return [], [Problem(source.file, source.line("kind"), "items", kind, "Required value: a List has items")]
    if budget is not None:
        budget.spend(DOCUMENT * len(items or ()))
    found: list[Document] = []
    wrong = _cut_off(document)
    for index, (item, lines) in enumerate(_items(document)):
        if not isinstance(item, dict):
            path = f"items[{index}]"
            wrong.append(Problem(source.file, source.line(path), path, kind, "must be an object (a mapping)"))
            continue
        if kind != "List" and "kind" not in item:
            item = {"apiVersion": data.get("apiVersion"), "kind": kind.removesuffix("List"), **item}
        one = Document(item, Source(source.file, lines, source.tree), lines.duplicates(MOST_OF_AN_OBJECT))
        documents, problems = unpack(one, budget)
        found += documents
        wrong += problems
    return found, wrong


def _is_list(kind: str, data: dict[str, Any] | Any) -> bool:
    """Say whether a kind whose name ends with List is a list: its name is known, or its items are objects."""
    if kind in list_kinds():
        return True
    items = data.get("items", ())
    # A kind of another API may end with List too, with items that are no objects: an AllowList of strings.
    return items is None or (isinstance(items, list) and all(isinstance(item, dict) for item in items))


def _hint(data: Any, name: str) -> str:
    close = close_name(data, name)
    return f'; did you mean "{name}" by "{close}"?' if close not in (None, name) else ""


def _cut_off(document: Document) -> list[Problem]:
    """Return a warning if the server left out a part of a list (its metadata says so)."""
    metadata, source = document.data.get("metadata"), document.source
    if not isinstance(metadata, dict):
        return []
    name = next((n for n in ("remainingItemCount", "continue") if metadata.get(n)), "")
    if not name:
        return []
    left = metadata.get("remainingItemCount")
    what = f"{left} more objects are" if isinstance(left, int) and left else "the rest is"
    message = f"not the whole list: {what} on the server; read all of it (kubectl get does)"
    path = f"metadata.{name}"
    return [Problem(source.file, source.line(path), path, document.kind, message, "warning", "list-cut-off")]


def _items(document: Document) -> Iterator[tuple[Any, Lines]]:
    """Yield every item of a List with its lines."""
    items, lines = document.data["items"] or [], document.source.lines
    own = list(lines.items_of("items")) if isinstance(lines, Lines) else []
    # If an alias repeats the list, its items have no lines. Use the list's line.
    nearest = Lines.of_one(document.source.line("items"))
    return ((item, own[at] if len(own) == len(items) else nearest) for at, item in enumerate(items))


def object_at(document: Document, path: str) -> Document:
    """Return the object at a path in a document, as a document with its lines."""
    value: Any = document.data
    for part in re.split(r"[.\[]", path.replace("]", "")):
        value = value[int(part)] if isinstance(value, list) else value[part]
    lines = document.source.lines
    inside = lines.inside(path) if isinstance(lines, Lines) else Lines.of_one(document.source.line(path))
    source = Source(document.source.file, inside, document.source.tree)
    return Document(value, source, inside.duplicates(MOST_OF_AN_OBJECT))
