"""Files, directories and standard input as documents with line numbers.

YAML is read by PyYAML's events (libyaml's where it is there), which carry lines and cost a third of its nodes; what a
scalar means is kubectl's, see ``netlab.objects.scalars``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from json.decoder import JSONDecodeError
from typing import IO, Any

import yaml

from netlab.errors import Problem
from netlab.objects.json_text import MAX_DEPTH, JSONText
from netlab.objects.lists import unpack
from netlab.objects.scalars import key_text, resolve
from netlab.objects.types import Document, Source

# A PyYAML without libyaml has the same events, ten times slower.
_Parser: Any = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader

SUFFIXES = (".yaml", ".yml", ".json")
STDIN = "<stdin>"
# go-yaml refuses documents that are almost all aliases; any bound that no manifest comes near will do.
MAX_ALIASED = 100_000
_TAG = "tag:yaml.org,2002:"


class _YAMLText:
    """Builds the plain values of a YAML text; ``lines`` and ``duplicates`` are those of the document just read."""

    def __init__(self, text: str) -> None:
        self._next: Callable[[], Any] = _Parser(text).get_event
        self._anchors: dict[str, Any] = {}
        self._aliased = 0
        self.lines: dict[str, int] = {}
        self.duplicates: list[tuple[str, int]] = []

    def values(self) -> Iterator[Any]:
        """Yield the value of each document in turn; raises yaml.YAMLError where the text is not YAML."""
        while not isinstance(event := self._next(), yaml.StreamEndEvent):
            if isinstance(event, yaml.DocumentStartEvent):
                first = self._next()
                self._anchors, self._aliased = {}, 0
                self.lines, self.duplicates = {"": first.start_mark.line + 1}, []
                yield self._value(first, "", 0)

    def _value(self, event: Any, path: str, depth: int) -> Any:
        kind = type(event)
        if kind is yaml.AliasEvent:
            return self._alias(event, depth)
        if kind is yaml.ScalarEvent:
            value = resolve(event.value) if event.tag is None and event.implicit[0] else _tagged(event)
        elif depth >= MAX_DEPTH:
            raise _error(f"nested more than {MAX_DEPTH} deep", event)
        elif kind is yaml.MappingStartEvent:
            value = self._mapping(path, depth + 1)
        else:
            value = self._sequence(path, depth + 1)
        if event.anchor is not None:
            self._anchors[event.anchor] = value
        return value

    def _mapping(self, path: str, depth: int) -> dict[str, Any]:
        data: dict[str, Any] = {}
        get, lines, scalar = self._next, self.lines, yaml.ScalarEvent
        prefix = f"{path}." if path else ""
        while type(event := get()) is not yaml.MappingEndEvent:
            key = self._value(event, path, depth)
            if key == "<<" and event.implicit[0]:
                self._merge(data, self._value(get(), path, depth), event)
                continue
            if type(key) is not str:
                key = _key(key, event)
            child = prefix + key
            line = event.start_mark.line + 1
            if key in data and child in lines:
                self.duplicates.append((child, line))
            lines[child] = line
            event = get()
            if type(event) is scalar and event.anchor is None and event.tag is None:
                data[key] = resolve(event.value) if event.implicit[0] else event.value
            else:
                data[key] = self._value(event, child, depth)
        return data

    def _sequence(self, path: str, depth: int) -> list[Any]:
        items: list[Any] = []
        while type(event := self._next()) is not yaml.SequenceEndEvent:
            child = f"{path}[{len(items)}]"
            self.lines[child] = event.start_mark.line + 1
            items.append(self._value(event, child, depth))
        return items

    def _alias(self, event: Any, depth: int) -> Any:
        if event.anchor not in self._anchors:
            raise _error(f"unknown anchor {event.anchor!r} referenced", event)
        value = self._anchors[event.anchor]
        size, height = _measure(value, {})
        self._aliased += size
        if self._aliased > MAX_ALIASED or depth + height > MAX_DEPTH:
            raise _error("document contains excessive aliasing", event)
        return value

    def _merge(self, data: dict[str, Any], merged: Any, event: Any) -> None:
        """Merge as go-yaml v2 does, in the order of writing: over keys before it, under keys after it."""
        several = merged if isinstance(merged, list) else [merged]
        if not all(isinstance(m, dict) for m in several):
            raise _error("map merge requires map or sequence of maps as the value", event)
        for one in reversed(several):
            data.update(one)


def _measure(value: Any, known: dict[int, tuple[int, int]]) -> tuple[int, int]:
    """Return how many nodes a value has, counting shared ones as often as they are reached, and how deep it is."""
    if not isinstance(value, (dict, list)):
        return 1, 0
    if id(value) not in known:
        parts = [_measure(v, known) for v in (value.values() if isinstance(value, dict) else value)]
        known[id(value)] = 1 + sum(size for size, _ in parts), 1 + max((height for _, height in parts), default=0)
    return known[id(value)]


_TAGGED: dict[str, Any] = {"int": int, "float": (int, float), "bool": bool, "null": type(None)}


def _tagged(event: Any) -> Any:
    """Return the value of a scalar that is quoted or has a tag; tags that JSON has no type for mean a string."""
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


# --- text to documents ----------------------------------------------------------------------------------------------


def parse(text: str, file: str) -> tuple[list[Document], list[Problem]]:
    """Return the documents of a text, Lists unpacked, and what is wrong with it; documents before a syntax error stay.

    JSON is read as such where the text begins with a brace and is JSON; everything else is YAML, of which flow
    mappings begin with a brace as well.
    """
    found: list[Document] = []
    problems: list[Problem] = []
    if text.lstrip().startswith("{"):
        try:
            _collect(JSONText(text), file, found, problems)
            return found, problems
        except JSONDecodeError as error:
            if file.endswith(".json"):
                return found, [*problems, Problem(file, error.lineno, "", "", f"not JSON: {error.msg}")]
            found, problems = [], []
    try:
        _collect(_YAMLText(text), file, found, problems)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        message = ", ".join(part for part in (error.context, error.problem) if part)
        problems.append(Problem(file, line, "", "", f"not YAML: {message}"))
    except yaml.reader.ReaderError as error:
        line = text.encode().count(b"\n", 0, error.position) + 1
        problems.append(Problem(file, line, "", "", f"not YAML: {error.reason}"))
    return found, problems


def _collect(text: JSONText | _YAMLText, file: str, found: list[Document], problems: list[Problem]) -> None:
    """Append the documents of a text as they are read, so that those before a syntax error are kept."""
    for value in text.values():
        source = Source(file, text.lines)
        if isinstance(value, dict):
            documents, wrong = unpack(Document(value, source, tuple(text.duplicates)))
            found += documents
            problems += wrong
        elif value is not None:
            what = "a list" if isinstance(value, list) else "a scalar"
            problems.append(Problem(file, source.line(), "", "", f"must be an object (a mapping), not {what}"))


# --- files to documents ---------------------------------------------------------------------------------------------


def read(paths: Sequence[str], stdin: IO[Any] | None = None) -> tuple[list[Document], list[Problem]]:
    """Read every document of files, of directories (recursively, in sorted order) and, for ``-``, of standard input.

    Never raises for what the user wrote: what cannot be read, is not YAML or holds no object is in the problems, and
    what could be read is returned all the same.
    """
    found: list[Document] = []
    problems: list[Problem] = []
    for path in paths:
        files = _files(path)
        if not files:
            problems.append(Problem(path, 0, "", "", f"no {', '.join('*' + s for s in SUFFIXES)} file in it"))
        for file in files:
            documents, more = _read_file(file, stdin)
            found += documents
            problems += more
    return found, problems


def listed(paths: Iterable[str]) -> Iterator[str]:
    """Yield the names under which problems name what ``read`` reads, in that order."""
    for path in paths:
        yield from (STDIN if file == "-" else file for file in _files(path) or [path])


def _files(path: str) -> list[str]:
    """Return the files that a path means: those in it, where it is a directory."""
    if path == "-" or not os.path.isdir(path):
        return [path]
    found = [
        os.path.normpath(os.path.join(parent, name))
        for parent, _, names in os.walk(path)
        for name in names
        if name.endswith(SUFFIXES)
    ]
    return sorted(found)


def _read_file(path: str, stdin: IO[Any] | None) -> tuple[list[Document], list[Problem]]:
    name = STDIN if path == "-" else path
    try:
        if path == "-":
            content = (stdin or sys.stdin.buffer).read()
        else:
            with open(path, "rb") as file:
                content = file.read()
        text = content if isinstance(content, str) else content.decode("utf-8-sig")
    except OSError as error:
        return [], [Problem(name, 0, "", "", error.strerror or str(error))]
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        return [], [Problem(name, line, "", "", f"not UTF-8: {error.reason} 0x{error.object[error.start]:02x}")]
    documents, problems = parse(text, name)
    if not documents and not problems:
        problems = [Problem(name, 0, "", "", "no object in it")]
    return documents, problems


# --- the record of a running lab ------------------------------------------------------------------------------------


def to_record(documents: Iterable[Document]) -> list[dict[str, Any]]:
    """Return documents as JSON can carry them, with file and lines."""
    return [
        {
            "file": d.source.file,
            "lines": dict(d.source.lines),
            "duplicates": [list(pair) for pair in d.duplicates],
            "data": d.data,
        }
        for d in documents
    ]


def from_record(record: Iterable[Mapping[str, Any]]) -> list[Document]:
    """Return the documents that ``to_record`` was given."""
    return [
        Document(r["data"], Source(r["file"], r["lines"]), tuple((path, line) for path, line in r["duplicates"]))
        for r in record
    ]
