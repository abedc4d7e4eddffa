"""The types of declared fields: how each is read, and its JSON Schema.

A null stands for an absent field, as in the Kubernetes API. ``read`` returns the default if a field is absent, null or
invalid, and reports an invalid value in the API server's words.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from netlab.frozen import by_name
from netlab.objects.fields import Fields, invalid, mistyped, unsupported
from netlab.objects.shapes import Field, Schema, Shape

_T = TypeVar("_T")
_Values = Sequence[_T] | Callable[[], Sequence[_T]]

NOT_32_BITS = "must be an integer of 32 bits"
CIDR = r"^[0-9A-Fa-f:.]+/[0-9]+$"
ADDRESS = r"^[0-9A-Fa-f:.]+$"


@by_name
class Unread(Field[None]):
    """A field that is allowed, and that netlab neither checks nor reads."""


@by_name
class Raw(Field[Any]):
    """A field whose type the decoder checks; ``type`` returns its JSON Schema."""

    type: Callable[[], Schema]

    def read(self, fields: Fields) -> Any:
        """Return the value as it is written."""
        return self.written(fields)

    def schema(self) -> Schema:
        return self.type()


@by_name
class Text(Field[str]):
    """A string. ``check`` returns the messages about a non-empty string. The decoder checks ``values``.

    ``checks_blank``: the empty string is checked too. ``pattern`` is a regular expression for valid strings, which only
    the JSON Schema has.
    """

    default: str = ""
    check: Callable[[str], Sequence[str]] | None = None
    values: _Values[str] = ()
    pattern: str = ""
    checks_blank: bool = False

    def read(self, fields: Fields, default: str | None = None) -> str:
        """Return the string; ``default`` replaces the declared default."""
        value = fields.data.get(self.name)
        if not isinstance(value, str):
            if value is not None:
                fields.error(self.name, invalid(value, mistyped(value, "a string")))
            return self.default if default is None else default
        if self.check is not None and (value or self.checks_blank):
            for message in self.check(value):
                fields.error(self.name, invalid(value, message))
        return value

    def schema(self) -> Schema:
        if values := _listed(self.values):
            return _one_of(values, self.required)
        if self.pattern:
            return _or_null("string") | {"pattern": self.pattern}
        return {"type": "string", "minLength": 1} if self.required else _or_null("string")

    def shown_default(self) -> str:
        return _code(self.default)


@by_name
class Choice(Field[_T]):
    """A string that is one of ``values``. ``blank``: the empty string stands for an absent field."""

    values: _Values[_T]
    default: _T
    blank: bool = False

    def read(self, fields: Fields) -> _T:
        value = fields.typed(self.name, str, "a string")
        if value is None or (self.blank and not value):
            return self.default
        supported = _listed(self.values)
        for one in supported:
            if value == one:
                return one
        fields.error(self.name, unsupported(value, [str(s) for s in supported]))
        return self.default

    def schema(self) -> Schema:
        return _one_of((*_listed(self.values), *([""] if self.blank else [])), self.required)

    def shown_default(self) -> str:
        return "" if self.required else _code(self.default)

    def typed(self, fields: Fields) -> str | None:
        """Return the string as it is written, None if the field is absent; report another type and return None."""
        return fields.typed(self.name, str, "a string")

    def known(self, fields: Fields) -> bool:
        """Say whether the field is absent or has one of the values."""
        value = self.written(fields)
        return value is None or value in _listed(self.values) or (self.blank and value == "")


@by_name
class OneOf(Field[str | None]):
    """A string that is one of ``values``, None if it is absent."""

    values: Sequence[str]

    def read(self, fields: Fields) -> str | None:
        value = fields.typed(self.name, str, "a string")
        if value is None or value in self.values:
            return value
        fields.error(self.name, unsupported(value, self.values))
        return None

    def schema(self) -> Schema:
        return _one_of(self.values, self.required)


@by_name
class Whole(Field[int | None]):
    """An integer between ``low`` and ``high``, both included, if these are given. The decoder checks other limits."""

    low: int | None = None
    high: int | None = None
    values: Sequence[int] = ()
    default: int | None = None

    def read(self, fields: Fields) -> int | None:
        value = fields.typed(self.name, int, "an integer")
        if value is None:
            return self.default
        if not -(2**31) <= value < 2**31:
            fields.error(self.name, invalid(value, NOT_32_BITS))
            return self.default
        if self.high is not None and not (self.low or 0) <= value <= self.high:
            fields.error(self.name, invalid(value, f"must be between {self.low} and {self.high}, inclusive"))
            return self.default
        return value

    def schema(self) -> Schema:
        if self.values:
            return _one_of(self.values, self.required)
        bounds = {"minimum": self.low, "maximum": self.high}
        found: Schema = {"type": "integer"} if self.required else _or_null("integer")
        return found | {name: bound for name, bound in bounds.items() if bound is not None}

    def shown_default(self) -> str:
        return _code(self.default)


@by_name
class Flag(Field[bool]):
    """A boolean; false is the default."""

    def read(self, fields: Fields) -> bool:
        return bool(fields.typed(self.name, bool, "a boolean"))

    def schema(self) -> Schema:
        return _or_null("boolean")

    def shown_default(self) -> str:
        return _code("false")


@by_name
class Switch(Field[bool | None]):
    """A boolean, None if it is absent."""

    def read(self, fields: Fields) -> bool | None:
        return fields.typed(self.name, bool, "a boolean")

    def schema(self) -> Schema:
        return _or_null("boolean")


@by_name
class OnFlag(Flag):
    """A boolean; true is the default."""

    def read(self, fields: Fields) -> bool:
        return fields.typed(self.name, bool, "a boolean") is not False

    def shown_default(self) -> str:
        return _code("true")


@by_name
class Texts(Field[list[tuple[str, str]]]):
    """A list of strings. ``pattern`` is a regular expression for valid ones, ``most`` the largest number of them."""

    pattern: str = ""
    values: Sequence[str] = ()
    most: int | None = None
    default: str = ""

    def read(self, fields: Fields) -> list[tuple[str, str]]:
        """Return the strings, each with its path; a null item is an empty string."""
        path = fields.at(self.name)
        items = []
        for index, value in enumerate(fields.typed(self.name, list, "a list") or ()):
            if value is None or isinstance(value, str):
                items.append((f"{path}[{index}]", value or ""))
            else:
                fields.report.error(f"{path}[{index}]", invalid(value, mistyped(value, "a string")))
        return items

    def schema(self) -> Schema:
        item: Schema = _or_null("string")
        if self.pattern:
            item = {"type": "string", "pattern": self.pattern}
        elif self.values:
            item = _one_of(self.values, required=True)
        return _list(item, self.required) | ({} if self.most is None else {"maxItems": self.most})

    def shown_default(self) -> str:
        return self.default


@by_name
class TextMap(Field[dict[str, str]]):
    """A mapping of strings to strings. ``check`` takes fields, the field's name and the mapping, and reports errors."""

    check: Callable[[Fields, str, dict[str, str]], None] | None = None

    def read(self, fields: Fields) -> dict[str, str]:
        """Return the mapping; a null value is the empty string."""
        values = fields.typed(self.name, dict, "a mapping")
        if not values:
            return {}
        found = {}
        for key, value in values.items():
            if value is None or isinstance(value, str):
                found[key] = value or ""
            else:
                fields.error(f"{self.name}.{key}", invalid(value, mistyped(value, "a string")))
        if self.check is not None:
            self.check(fields, self.name, found)
        return found

    def names(self, fields: Fields) -> list[str]:
        """Return the names in the mapping. It reads no value, so a lab's record does not keep them."""
        values = fields.data.get(self.name)
        return [*values] if isinstance(values, dict) else []

    def schema(self) -> Schema:
        return {"type": ["object", "null"], "additionalProperties": _or_null("string")}


@by_name
class Part(Field[Fields]):
    """A mapping with fields of its own."""

    shape: type[Shape]

    def read(self, fields: Fields) -> Fields:
        """Return the mapping, an empty one if the field is absent."""
        return fields.part(self.name)

    def find(self, fields: Fields) -> Fields | None:
        """Return the mapping, None if the field is absent."""
        value = fields.typed(self.name, dict, "a mapping")
        return None if value is None else Fields(fields.report, value, fields.at(self.name))

    def schema(self) -> Schema:
        return self.shape.schema(nullable=not self.required)

    def inner(self) -> tuple[str, type[Shape]]:
        return "", self.shape


@by_name
class Parts(Field[list[Fields]]):
    """A list of mappings."""

    shape: type[Shape]
    default: str = ""

    def read(self, fields: Fields) -> list[Fields]:
        """Return the mappings; a null item is an empty mapping, as for the API server."""
        path = fields.at(self.name)
        items = []
        for index, value in enumerate(fields.typed(self.name, list, "a list") or ()):
            if value is None or isinstance(value, dict):
                items.append(Fields(fields.report, value or {}, f"{path}[{index}]"))
            else:
                fields.report.error(f"{path}[{index}]", invalid(value, "must be a mapping"))
        return items

    def schema(self) -> Schema:
        return _list(self.shape.schema(nullable=not self.shape.demands), self.required)

    def shown_default(self) -> str:
        return self.default

    def inner(self) -> tuple[str, type[Shape]]:
        return "[]", self.shape


class Root(Shape):
    """The fields that all objects have: apiVersion and kind."""

    api_version = Raw("apiVersion", "The version of the API.", type=lambda: {"type": "string"}, required=True)
    kind = Raw("kind", "The kind of the object.", type=lambda: {"type": "string"}, required=True)


def int_or_text(low: int, high: int) -> Callable[[], Schema]:
    """Return a function for ``Raw.type``: the schema of a number between two bounds, or a name."""
    return lambda: {"type": ["integer", "string", "null"], "minimum": low, "maximum": high}


def _listed(values: _Values[_T]) -> Sequence[_T]:
    return values() if callable(values) else values


def _or_null(kind: str) -> Schema:
    return {"type": [kind, "null"]}


def _one_of(values: Sequence[Any], required: bool) -> Schema:
    return {"enum": [*values] if required else [*values, None]}


def _list(item: Schema, required: bool) -> Schema:
    if required:
        return {"type": "array", "minItems": 1, "items": item}
    return {"type": ["array", "null"], "items": item}


def _code(value: object) -> str:
    return "" if value in (None, "") else f"`{value}`"
