"""A YAML parser that has the line of every field, made of PyYAML's events, which take a third of the time of its nodes.

``netlab.objects.scalars`` has the meaning of scalars, which is kubectl's.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from typing import Any

from netlab.objects.bounds import FIELD, LIST, MAPPING, MAX_DEPTH, NARROW, WIDE_FIELD, Budget, too_dense
from netlab.objects.lines import Lines, Table
from netlab.objects.scalars import key_text, resolve
from netlab.patterns import compiled_later

# PyYAML compiles the regular expressions of its reader in Python, which is not used here: half the time of its import.
with compiled_later():
    import yaml

MarkedYAMLError = yaml.MarkedYAMLError
ReaderError = yaml.reader.ReaderError

# Without libyaml PyYAML has the same events, and takes ten times as long.
_Parser: Any = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader

# go-yaml refuses documents that consist mostly of aliases. No manifest comes near this limit.
MAX_ALIASED = 100_000
_TAG = "tag:yaml.org,2002:"


class YAMLText:
    """Reads the documents of a YAML text as plain values; ``lines`` has the lines of the document just read."""

    def __init__(self, text: str, budget: Budget) -> None:
        self._next: Callable[[], Any] = _Parser(text).get_event
        self._budget = budget
        self._anchors: dict[str, Any] = {}
        self._aliased = 0
        self._table = Table()
        # The block in the table of the value just read, 0 if it has no fields or items.
        self._block = 0
        self.lines = Lines(self._table, 0)

    def values(self) -> Iterator[Any]:
        """Yield the value of each document in turn.

        Raises:
          yaml.YAMLError: if the text is not YAML.
          TooLargeError: if it takes more memory than the budget has.
        """
        while not isinstance(event := self._next(), yaml.StreamEndEvent):
            if isinstance(event, yaml.DocumentStartEvent):
                first = self._next()
                self._anchors, self._aliased = {}, 0
                value = self._value(first, 0)
                self.lines = Lines(self._table, first.start_mark.line + 1, self._block)
                yield value

    def _value(self, event: Any, depth: int) -> Any:
        kind = type(event)
        self._block = 0
        if kind is yaml.AliasEvent:
            return self._alias(event, depth)
        if kind is yaml.ScalarEvent:
            value = resolve(event.value) if event.tag is None and event.implicit[0] else _tagged(event)
            if len(event.value) > FIELD:
                self._budget.spend(4 * len(event.value))
        elif depth >= MAX_DEPTH:
            raise _error(f"nested more than {MAX_DEPTH} deep", event)
        elif kind is yaml.MappingStartEvent:
            value = self._mapping(depth + 1)
        else:
            value = self._sequence(depth + 1)
        if event.anchor is not None:
            self._budget.spend(FIELD)
            self._anchors[event.anchor] = value
        return value

    def _mapping(self, depth: int) -> dict[str, Any]:
        data: dict[str, Any] = {}
        lines: dict[str, int] = {}
        below: dict[str, int] = {}
        repeated: list[tuple[str, int]] = []
        first = len(self._table)
        get, scalar, budget = self._next, yaml.ScalarEvent, self._budget
        budget.spend(MAPPING)
        while type(event := get()) is not yaml.MappingEndEvent:
            budget.memory -= FIELD if len(lines) < NARROW else WIDE_FIELD
            if budget.memory < 0:
                raise too_dense()
            key = self._value(event, depth)
            if key == "<<" and type(event) is scalar and event.implicit[0]:
                self._merge(data, self._value(get(), depth), event)
                continue
            if type(key) is not str:
                key = _key(key, event)
            line = event.start_mark.line + 1
            if key in lines:
                repeated.append((key, line))
                below.pop(key, None)
            lines[key] = line
            event = get()
            if type(event) is scalar and event.anchor is None and event.tag is None and len(event.value) <= FIELD:
                data[key] = resolve(event.value) if event.implicit[0] else event.value
                continue
            data[key] = self._value(event, depth)
            if self._block:
                below[key] = self._block
        self._block = self._table.add_mapping(first, lines, below)
        if repeated:
            self._table.repeated[self._block] = repeated
        return data

    def _sequence(self, depth: int) -> list[Any]:
        items: list[Any] = []
        lines, below = array("I"), array("I")
        first = len(self._table)
        budget = self._budget
        budget.spend(LIST)
        while type(event := self._next()) is not yaml.SequenceEndEvent:
            budget.memory -= FIELD
            if budget.memory < 0:
                raise too_dense()
            lines.append(event.start_mark.line + 1)
            items.append(self._value(event, depth))
            below.append(self._block)
        self._block = self._table.add_list(first, lines, below)
        return items

    def _alias(self, event: Any, depth: int) -> Any:
        if event.anchor not in self._anchors:
            raise _error(f"unknown anchor {event.anchor!r} referenced", event)
        value = self._anchors[event.anchor]
        size, height = _measure(value, {})
        self._aliased += size
        if self._aliased > MAX_ALIASED or depth + height > MAX_DEPTH:
            raise _error("document contains excessive aliasing", event)
        # In a lab's record the value is written in place of the alias.
        self._budget.spend(size * FIELD)
        return value

    def _merge(self, data: dict[str, Any], merged: Any, event: Any) -> None:
        """Merge (``<<``) as go-yaml v2 does: merged keys replace earlier keys, and later keys replace them."""
        several = merged if isinstance(merged, list) else [merged]
        if not all(isinstance(m, dict) for m in several):
            raise _error("map merge requires map or sequence of maps as the value", event)
        for one in reversed(several):
            data.update(one)


def _measure(value: Any, known: dict[int, tuple[int, int]]) -> tuple[int, int]:
    """Return the size and the depth of a value; parts that are shared count each time.

    A field counts 1, and each ``FIELD`` characters of a string count 1 more.
    """
    if not isinstance(value, (dict, list)):
        return 1 + (len(value) // FIELD if isinstance(value, str) else 0), 0
    if id(value) not in known:
        parts = [_measure(v, known) for v in (value.values() if isinstance(value, dict) else value)]
        names = sum(len(key) // FIELD for key in value) if isinstance(value, dict) else 0
        size = 1 + names + sum(size for size, _ in parts)
        known[id(value)] = size, 1 + max((height for _, height in parts), default=0)
    return known[id(value)]


_TAGGED: dict[str, Any] = {"int": int, "float": (int, float), "bool": bool, "null": type(None)}


def _tagged(event: Any) -> Any:
    """Return the value of a scalar that is quoted or has a tag; a tag without a JSON type makes it a string."""
    kind = (event.tag or "").removeprefix(_TAG)
    if kind not in _TAGGED:
        return event.value
    value = resolve(event.value)
    if not isinstance(value, _TAGGED[kind]) or isinstance(value, bool) != (kind == "bool"):
        raise _error(f"cannot decode {event.value!r} as a !!{kind}", event)
    return value


def _key(key: Any, event: Any) -> str:
    text = key_text(key) if isinstance(key, (int, float)) else None
    if text is None:
        raise _error("a mapping's key must be a string", event)
    return text


def _error(message: str, event: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=message, problem_mark=event.start_mark)
