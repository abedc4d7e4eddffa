"""A cursor over the fields of one object, which knows the path and line of each and collects what is wrong.

Wording follows the API server (k8s.io/apimachinery, ``field.Error``): strings are quoted, numbers and booleans bare.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Literal, TypeVar

from netlab.errors import Problem
from netlab.objects.types import Document, Source

_T = TypeVar("_T")


def quoted(value: object) -> str:
    """Return a value as messages show it; what is long is cut."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
    return text if len(text) <= 300 else f"{text[:297]}..."


def invalid(value: object, message: str) -> str:
    return f"Invalid value: {quoted(value)}: {message}"


def required(message: str = "") -> str:
    return f"Required value: {message}" if message else "Required value"


def forbidden(message: str) -> str:
    return f"Forbidden: {message}"


def unsupported(value: object, supported: Sequence[str]) -> str:
    return f"Unsupported value: {quoted(value)}: supported values: {', '.join(map(quoted, supported))}"


def duplicate(value: object) -> str:
    return f"Duplicate value: {quoted(value)}"


@dataclass(frozen=True, slots=True)
class Report:
    """Collects the problems of one object, each with the line of its field."""

    source: Source
    object: str
    problems: list[Problem]

    def error(self, path: str, message: str, *, at: str | None = None) -> None:
        """Add an error; ``at`` names the field whose line counts where that is not ``path`` itself."""
        line = self.source.line(path if at is None else at)
        self.problems.append(Problem(self.source.file, line, path, self.object, message))

    def warn(self, path: str, message: str) -> None:
        line = self.source.line(path)
        self.problems.append(Problem(self.source.file, line, path, self.object, message, "warning"))


class Fields:
    """One mapping of an object. Getters return the default (or nothing) where a field is absent, null or wrong.

    A null means an absent field, as in the Kubernetes API.
    """

    __slots__ = ("data", "path", "report")

    def __init__(self, report: Report, data: Mapping[str, Any], path: str = "") -> None:
        self.report = report
        self.data = data
        self.path = path

    def at(self, name: str) -> str:
        """Return the path of one of the mapping's fields."""
        return f"{self.path}.{name}" if self.path else name

    def error(self, name: str, message: str) -> None:
        self.report.error(self.at(name), message)

    def has(self, name: str) -> bool:
        return self.data.get(name) is not None

    def missing(self, name: str) -> bool:
        """Say whether the field is absent, null or the empty string, which the API server takes for the same."""
        return self.data.get(name) in (None, "")

    def only(self, *known: str) -> None:
        """Report every field that is not known, with the known one that was probably meant."""
        for name in self.data:
            if name not in known:
                close = "".join(f"; did you mean {quoted(k)}?" for k in get_close_matches(name, known, 1))
                self.error(name, f"unknown field {quoted(name)}{close}")

    def _typed(self, name: str, kind: type[_T], what: str) -> _T | None:
        value = self.data.get(name)
        if value is None:
            return None
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            self.error(name, invalid(value, _mistyped(value, what)))
            return None
        return value

    def string(self, name: str, default: str = "") -> str:
        value = self._typed(name, str, "a string")
        return default if value is None else value

    def integer(self, name: str) -> int | None:
        return self._typed(name, int, "an integer")

    def ranged(self, name: str, low: int, high: int) -> int | None:
        """Return an integer of a range, both ends included."""
        value = self.integer(name)
        if value is not None and not low <= value <= high:
            self.error(name, invalid(value, f"must be between {low} and {high}, inclusive"))
            return None
        return value

    def boolean(self, name: str) -> bool:
        return bool(self._typed(name, bool, "a boolean"))

    def choice(self, name: str, supported: Collection[_T], default: _T) -> _T:
        """Return a string that must be one of a few."""
        value = self._typed(name, str, "a string")
        for one in supported:
            if value == one:
                return one
        if value is not None:
            self.error(name, unsupported(value, [str(s) for s in supported]))
        return default

    def mapping(self, name: str) -> Fields | None:
        value = self._typed(name, dict, "a mapping")
        return None if value is None else Fields(self.report, value, self.at(name))

    def sub(self, name: str) -> Fields:
        """Return the mapping under a field, an empty one where there is none."""
        return self.mapping(name) or Fields(self.report, {}, self.at(name))

    def mappings(self, name: str) -> list[Fields]:
        """Return the mappings of a list; a null item is an empty mapping, as for the API server."""
        path = self.at(name)
        items = []
        for index, value in enumerate(self._typed(name, list, "a list") or ()):
            if value is None or isinstance(value, dict):
                items.append(Fields(self.report, value or {}, f"{path}[{index}]"))
            else:
                self.report.error(f"{path}[{index}]", invalid(value, "must be a mapping"))
        return items

    def strings(self, name: str) -> list[tuple[str, str]]:
        """Return the strings of a list, each with its path."""
        path = self.at(name)
        items = []
        for index, value in enumerate(self._typed(name, list, "a list") or ()):
            if value is None or isinstance(value, str):
                items.append((f"{path}[{index}]", value or ""))
            else:
                self.report.error(f"{path}[{index}]", invalid(value, _mistyped(value, "a string")))
        return items

    def string_map(self, name: str) -> dict[str, str]:
        """Return a mapping of strings to strings, such as labels; a null value is the empty string."""
        values = self._typed(name, dict, "a mapping")
        if not values:
            return {}
        found = {}
        for key, value in values.items():
            if value is None or isinstance(value, str):
                found[key] = value or ""
            else:
                self.error(f"{name}.{key}", invalid(value, _mistyped(value, "a string")))
        return found


def _mistyped(value: object, what: str) -> str:
    hint = "; put it in quotes" if what == "a string" and isinstance(value, (bool, int, float)) else ""
    return f"must be {what}{hint}"


def duplicates(report: Report, document: Document, *, strict: bool) -> None:
    """Report every field that is written twice: an error of kinds with strict decoding, a warning of others."""
    message = "duplicate field" if strict else "duplicate field: the last one counts"
    for path, line in document.duplicates:
        severity: Literal["error", "warning"] = "error" if strict else "warning"
        report.problems.append(Problem(document.source.file, line, path, report.object, message, severity))
