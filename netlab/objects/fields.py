"""The fields of one object as decoders read them, with their paths, and the report that collects problems.

Messages have the form of the API server's (k8s.io/apimachinery, ``field.Error``): strings are quoted, numbers and
booleans are not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import Any, Literal, TypeVar

from netlab.errors import Problem
from netlab.frozen import frozen
from netlab.objects.bounds import MOST_OF_AN_OBJECT
from netlab.objects.types import Document, Source

_T = TypeVar("_T")


_LONGEST = 300
PORT_RANGE = "must be between 1 and 65535, inclusive"
LAST = 999
"""A version of Kubernetes after all others."""


def quoted(value: object) -> str:
    """Return a value as JSON for a message, cut if it is long. A long value takes no more time than a short one."""
    # Imported here, as an input without problems has no messages.
    import json

    if isinstance(value, str):
        text = json.dumps(value[: _LONGEST + 1], ensure_ascii=False)
        return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
    text = ""
    encoder = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=str)
    for part in encoder.iterencode(value) if isinstance(value, (dict, list)) else [encoder.encode(value)]:
        text += part[: _LONGEST + 1]
        if len(text) > _LONGEST:
            return f"{text[: _LONGEST - 3]}..."
    return text


def cut(text: str) -> str:
    """Return a text, cut if it is too long to read."""
    return text if len(text) <= 2 * _LONGEST else f"{text[: 2 * _LONGEST - 3]}..."


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


def too_many(count: int, most: int) -> str:
    return f"Too many: {count}: must have at most {most} {'item' if most == 1 else 'items'}"


@frozen
class Report:
    """Collects the problems of one object with their lines: the first 100 errors and the first 100 warnings.

    ``stored`` says whether the object comes from an API server, which has accepted it.
    """

    source: Source
    object: str
    problems: list[Problem]
    stored: Callable[[], bool] = lambda: False
    _counts: dict[str, int] = field(default_factory=dict)

    def error(self, path: str, message: str, *, at: str | None = None) -> None:
        """Add an error of the field at ``path``; ``at`` is the path of another field whose line is reported."""
        self.add("error", path, message, at)

    def warn(self, path: str, message: str, rule: str, *, until: int = LAST) -> None:
        """Add a warning of the field at ``path``; ``rule`` is the name of the check, ``until`` the last version."""
        self.add("warning", path, message, rule=rule, servers=None if until == LAST else (0, until))

    def refuse(self, path: str, message: str, *, since: int = 0, until: int = LAST, at: str | None = None) -> None:
        """Add an error that only servers of some versions report: from ``since`` to ``until``, both included.

        It is a warning until ``objects.versions`` has judged it.
        """
        self.add("warning", path, message, at, servers=(since, until))

    def add(
        self,
        severity: Literal["error", "warning"],
        path: str,
        message: str,
        at: str | int | None = None,
        *,
        rule: str = "",
        servers: tuple[int, int] | None = None,
    ) -> None:
        """Add a problem of the field at ``path``; ``at`` is another line, or the path of the field that has it."""
        count = self._counts[severity] = self._counts.get(severity, 0) + 1
        if count > MOST_OF_AN_OBJECT + 1:
            return
        if count > MOST_OF_AN_OBJECT:
            path, message, at = "", f"and more: netlab reports only the first {MOST_OF_AN_OBJECT}", ""
        line = at if isinstance(at, int) else self.source.line(path if at is None else at)
        self.problems.append(
            Problem(self.source.file, line, cut(path), self.object, message, severity, rule, servers=servers)
        )

    @property
    def full(self) -> bool:
        """Whether further errors are not added."""
        return self._counts.get("error", 0) > MOST_OF_AN_OBJECT


class Fields:
    """One mapping of an object, as written, with its path. Declared fields (``objects.declared``) read from it."""

    __slots__ = ("data", "path", "report")

    def __init__(self, report: Report, data: Mapping[str, Any], path: str = "") -> None:
        self.report = report
        self.data = data
        self.path = path

    def at(self, name: str) -> str:
        """Return the path of one of the mapping's fields."""
        return f"{self.path}.{name}" if self.path else name

    def error(self, name: str, message: str) -> None:
        """Report an error of one of the mapping's fields."""
        self.report.error(self.at(name), message)

    def part(self, name: str) -> Fields:
        """Return the mapping in a field, an empty one if the field is absent."""
        return Fields(self.report, self.typed(name, dict, "a mapping") or {}, self.at(name))

    def typed(self, name: str, kind: type[_T], what: str) -> _T | None:
        """Return the value of a field, None if it is absent or null; report another type and return None.

        ``what`` is the type in messages: ``a string``.
        """
        value = self.data.get(name)
        if value is None:
            return None
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            self.error(name, invalid(value, mistyped(value, what)))
            return None
        return value


def mistyped(value: object, what: str) -> str:
    """Return the message that a value must be of another type (``what``), with a hint about YAML."""
    hint = ""
    if what == "a string" and isinstance(value, bool):
        hint = "; put it in quotes (without them y, n, yes, no, on and off are booleans in YAML)"
    elif what == "a string" and isinstance(value, (int, float)):
        hint = "; put it in quotes"
    return f"must be {what}{hint}"


def duplicates(report: Report, document: Document, *, strict: bool) -> None:
    """Report every field that is written twice: an error if ``strict``, else a warning."""
    message = "duplicate field" if strict else "duplicate field: the last one counts"
    for path, line in document.duplicates:
        report.add("error" if strict else "warning", path, message, line, rule="duplicate-field")
