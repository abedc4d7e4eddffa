"""Objects and fields that differ between two inputs, and documents in between: with some of the changes taken back."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import Any

from netlab.frozen import frozen
from netlab.objects.meta import Key, key_of
from netlab.objects.types import Document

# A list with more items, and an object with more changed fields, is one change.
_MOST_ITEMS, _MOST_FIELDS = 300, 200


class _Missing:
    """In place of a value: the field is not there."""

    def __repr__(self) -> str:
        return "MISSING"


MISSING = _Missing()


@frozen
class FieldChange:
    """One field that differs; ``old`` or ``new`` is ``MISSING`` if the field was added or removed.

    ``path`` is that of the new object, or for a removed field that of the old one.
    """

    path: str
    old: Any
    new: Any


@frozen
class ChangedObject:
    """An object that differs between two inputs; ``old`` or ``new`` is None if it was added or removed."""

    key: Key
    old: Document | None
    new: Document | None

    def fields(self) -> tuple[FieldChange, ...]:
        """Return the fields that differ, in order; () for an object that was added or removed, or has too many."""
        if self.old is None or self.new is None:
            return ()
        found = tuple(_leaves(_compared(self.old.data, self.new.data, "")))
        return found if len(found) <= _MOST_FIELDS else ()

    def without(self, fields: Collection[FieldChange]) -> Document:
        """Return the new object with the old values of some of its ``fields``; values are told apart by identity."""
        assert self.old is not None
        assert self.new is not None
        node = _compared(self.old.data, self.new.data, "")
        paths = {(one.path, id(one.old), id(one.new)) for one in fields}
        return Document(_built(node, paths), self.new.source, self.new.duplicates)


def changed_objects(old: Iterable[Document], new: Iterable[Document]) -> list[ChangedObject]:
    """Return the objects that differ, those of ``new`` first, each in the order of its documents.

    If an input has an object twice, the last one counts.
    """
    before = {key_of(one): one for one in old}
    after = {key_of(one): one for one in new}
    found = [
        ChangedObject(key, before.get(key), document)
        for key, document in after.items()
        if key not in before or before[key].data != document.data
    ]
    return found + [ChangedObject(key, document, None) for key, document in before.items() if key not in after]


@frozen
class _Map:
    """A mapping that differs in some of its fields."""

    fields: Mapping[str, Any]


@frozen
class _List:
    """A list that differs in some of its items."""

    items: tuple[Any, ...]


@frozen
class _Same:
    """A value that does not differ."""

    value: Any


_Node = _Map | _List | _Same | FieldChange


def _compared(old: Any, new: Any, path: str) -> _Node:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        fields: dict[str, _Node] = {}
        for key in dict.fromkeys((*new, *old)):
            inner = f"{path}.{key}" if path else str(key)
            fields[key] = _compared(old.get(key, MISSING), new.get(key, MISSING), inner)
        return _Map(fields)
    if isinstance(old, list) and isinstance(new, list) and max(len(old), len(new)) <= _MOST_ITEMS:
        return _List(tuple(_items(old, new, path)))
    # True equals 1, but it is another value of a field.
    if type(old) is type(new) and old == new:
        return _Same(new)
    return FieldChange(path, old, new)


def _items(old: list[Any], new: list[Any], path: str) -> Iterator[_Node]:
    texts = [[json.dumps(item, sort_keys=True, default=str) for item in of] for of in (old, new)]
    for what, i1, i2, j1, j2 in SequenceMatcher(None, texts[0], texts[1], autojunk=False).get_opcodes():
        if what == "equal":
            yield from map(_Same, new[j1:j2])
            continue
        for i, j in zip_longest(range(i1, i2), range(j1, j2)):
            at = f"{path}[{i if j is None else j}]"
            yield _compared(MISSING if i is None else old[i], MISSING if j is None else new[j], at)


def _leaves(node: _Node) -> Iterator[FieldChange]:
    if isinstance(node, FieldChange):
        yield node
    elif isinstance(node, (_Map, _List)):
        for inner in node.fields.values() if isinstance(node, _Map) else node.items:
            yield from _leaves(inner)


def _built(node: _Node, reverted: Collection[tuple[str, int, int]]) -> Any:
    """Return the value of a node with some fields as they were."""
    if isinstance(node, _Same):
        return node.value
    if isinstance(node, FieldChange):
        return node.old if (node.path, id(node.old), id(node.new)) in reverted else node.new
    if isinstance(node, _List):
        return [value for item in node.items if (value := _built(item, reverted)) is not MISSING]
    return {key: value for key, one in node.fields.items() if (value := _built(one, reverted)) is not MISSING}
