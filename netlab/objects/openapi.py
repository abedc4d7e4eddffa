"""Fields of custom resources: declarations with the rules of an OpenAPI schema, and the API server's messages.

``check`` reports what the schema of a mapping forbids. ``read`` reports nothing: it returns a field's value, or its
default if the field is absent or the schema forbids it. A null stands for an absent field; a null in a list is an
error.

Source: k8s.io/kube-openapi, ``pkg/validation/validate`` and ``pkg/validation/errors``; k8s.io/apiextensions-apiserver,
``pkg/apiserver/validation`` and ``pkg/apiserver/schema/listtype``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from netlab.frozen import by_name
from netlab.objects.field_types import Part, Parts, Text, TextMap, Texts, Whole
from netlab.objects.fields import Fields, Report, duplicate, invalid, required, too_many, unsupported
from netlab.objects.shapes import Schema, Shape
from netlab.patterns import pattern

_BLOCKING = ("Unsupported value", "Required value", "Too long", "Too many")
_TYPES: Sequence[tuple[type | tuple[type, ...], str]] = (
    (bool, "boolean"),
    (int, "integer"),
    (float, "number"),
    (str, "string"),
    (dict, "object"),
    (list, "array"),
)


def blocks_rules(message: str) -> bool:
    """Say whether an error of a schema keeps the API server from checking CEL rules (``hasBlockingErr``)."""
    return message.startswith(_BLOCKING) or " in body must be of type " in message


class OpenApiShape(Shape, strict=True):
    """The fields of a mapping of a custom resource. ``one_of``: the mapping has exactly one of them."""

    one_of: ClassVar[bool] = False

    def __init_subclass__(cls, *, one_of: bool = False, **options: Any) -> None:
        cls.one_of = one_of or cls.one_of
        super().__init_subclass__(**options)
        cls.demands = cls.demands or cls.one_of

    @classmethod
    def check(cls, fields: Fields) -> None:
        """Report what the schema forbids in a mapping, and in all mappings inside it.

        Fields that this module does not declare, such as metadata, are not checked.
        """
        cls.only(fields)
        present = [one for one in cls.fields.values() if one.has(fields)]
        if cls.one_of and len(present) != 1:
            # An unknown field has an error of its own.
            if present:
                fields.report.error(fields.path, too_many(len(present), 1))
            elif all(name in cls.fields for name in fields.data):
                fields.report.error(fields.path, _too_few(fields.path, "properties"))
        for one in cls.fields.values():
            check: Callable[[Report, str, Any], None] | None = getattr(one, "check_value", None)
            if check is None:
                continue
            if one in present:
                check(fields.report, one.at(fields), fields.data.get(one.name))
            elif one.required:
                one.error(fields, required())

    @classmethod
    def schema(cls, *, nullable: bool = False) -> Schema:
        found = super().schema(nullable=nullable)
        if cls.one_of:
            found["oneOf"] = [_present(name) for name in cls.fields]
        return found


def _present(name: str) -> Schema:
    return {"required": [name], "properties": {name: {"not": {"type": "null"}}}}


@by_name
class String(Text):
    """A string: one of ``values``, or one that ``pattern`` matches, or of at most ``longest`` characters."""

    longest: int | None = None

    def check_value(self, report: Report, path: str, value: Any) -> None:
        """Report what the schema forbids in a value."""
        _check_text(report, path, value, self.longest, self.pattern, tuple(self.values or ()))  # type: ignore[arg-type]

    def read(self, fields: Fields, default: str | None = None) -> str:
        value = fields.data.get(self.name)
        return value if isinstance(value, str) else self.default

    def schema(self) -> Schema:
        if self.values:
            return super().schema()
        return _text(self.longest, self.pattern, self.required)


def _check_text(
    report: Report, path: str, value: Any, longest: int | None, regex: str, values: Sequence[str] = ()
) -> None:
    if not isinstance(value, str):
        mistyped(report, path, value, "string")
    elif values and value not in values:
        report.error(path, unsupported(value, values))
    elif longest is not None and len(value) > longest:
        report.error(path, f"Too long: may not be more than {longest} bytes")
    elif regex and not pattern(regex.removeprefix("^").removesuffix("$")).fullmatch(value):
        report.error(path, invalid(value, f"{path} in body should match '{regex}'"))


def _text(longest: int | None, regex: str, is_required: bool) -> Schema:
    found: Schema = {"type": "string" if is_required else ["string", "null"]}
    if longest is not None:
        found["maxLength"] = longest
    if regex:
        found["pattern"] = regex
    return found


@by_name
class Integer(Whole):
    """An integer between ``low`` and ``high``."""

    def check_value(self, report: Report, path: str, value: Any) -> None:
        """Report what the schema forbids in a value."""
        if not isinstance(value, int) or isinstance(value, bool):
            mistyped(report, path, value, "integer")
        elif self.low is not None and value < self.low:
            report.error(path, invalid(value, f"{path} in body should be greater than or equal to {self.low}"))
        elif self.high is not None and value > self.high:
            report.error(path, invalid(value, f"{path} in body should be less than or equal to {self.high}"))

    def read(self, fields: Fields) -> int | None:
        value = fields.data.get(self.name)
        return value if isinstance(value, int) and not isinstance(value, bool) else self.default


@by_name
class Object(Part):
    """A mapping with fields of its own."""

    shape: type[OpenApiShape]

    def check_value(self, report: Report, path: str, value: Any) -> None:
        """Report what the schema forbids in a value."""
        if isinstance(value, dict):
            self.shape.check(Fields(report, value, path))
        else:
            mistyped(report, path, value, "object")

    def read(self, fields: Fields) -> Fields:
        return self.find(fields) or Fields(fields.report, {}, self.at(fields))

    def find(self, fields: Fields) -> Fields | None:
        value = fields.data.get(self.name)
        return Fields(fields.report, value, self.at(fields)) if isinstance(value, dict) else None


@by_name
class Array(Parts):
    """A list of ``least`` to ``most`` mappings."""

    shape: type[OpenApiShape]
    least: int = 0
    most: int | None = None

    def check_value(self, report: Report, path: str, value: Any) -> None:
        """Report what the schema forbids in a value."""
        if not isinstance(value, list):
            mistyped(report, path, value, "array")
            return
        for index, item in enumerate(value):
            if isinstance(item, dict):
                self.shape.check(Fields(report, item, f"{path}[{index}]"))
            else:
                mistyped(report, f"{path}[{index}]", item, "object")
        _check_size(report, path, len(value), self.least, self.most)

    def read(self, fields: Fields) -> list[Fields]:
        path, value = self.at(fields), fields.data.get(self.name)
        items = enumerate(value if isinstance(value, list) else ())
        return [Fields(fields.report, item, f"{path}[{index}]") for index, item in items if isinstance(item, dict)]

    def schema(self) -> Schema:
        return _sized(self.shape.schema(), self.least, self.most, self.required)


@by_name
class Strings(Texts):
    """A list of ``least`` to ``most`` strings, each once if ``unique``."""

    least: int = 0
    longest: int | None = None
    unique: bool = False

    def check_value(self, report: Report, path: str, value: Any) -> None:
        """Report what the schema forbids in a value."""
        if not isinstance(value, list):
            mistyped(report, path, value, "array")
            return
        seen = set()
        for index, item in enumerate(value):
            _check_text(report, f"{path}[{index}]", item, self.longest, self.pattern)
            if self.unique and isinstance(item, str):
                if item in seen:
                    report.error(f"{path}[{index}]", duplicate(item))
                seen.add(item)
        _check_size(report, path, len(value), self.least, self.most)

    def read(self, fields: Fields) -> list[tuple[str, str]]:
        path, value = self.at(fields), fields.data.get(self.name)
        items = enumerate(value if isinstance(value, list) else ())
        return [(f"{path}[{index}]", item) for index, item in items if isinstance(item, str)]

    def schema(self) -> Schema:
        found = _sized(_text(self.longest, self.pattern, True), self.least, self.most, self.required)
        return found | {"uniqueItems": True} if self.unique else found


@by_name
class StringMap(TextMap):
    """A mapping of strings to strings."""

    def check_value(self, report: Report, path: str, value: Any) -> None:
        """Report what the schema forbids in a value."""
        if not isinstance(value, dict):
            mistyped(report, path, value, "object")
            return
        for key, item in value.items():
            if item is not None and not isinstance(item, str):
                mistyped(report, f"{path}.{key}", item, "string")

    def read(self, fields: Fields) -> dict[str, str]:
        value = fields.data.get(self.name)
        return {key: text for key, text in value.items() if isinstance(text, str)} if isinstance(value, dict) else {}


def _check_size(report: Report, path: str, size: int, least: int, most: int | None) -> None:
    if size < least:
        report.error(path, _too_few(path, "items"))
    if most is not None and size > most:
        report.error(path, too_many(size, most))


def _too_few(path: str, what: str) -> str:
    return invalid(0, f"{path} in body should have at least 1 {what}")


def _sized(item: Schema, least: int, most: int | None, is_required: bool) -> Schema:
    found: Schema = {"type": "array" if is_required else ["array", "null"], "items": item}
    if least:
        found["minItems"] = least
    return found if most is None else found | {"maxItems": most}


def mistyped(report: Report, path: str, value: Any, wanted: str) -> None:
    """Report a value of another type than the schema has."""
    found = type_name(value)
    report.error(path, invalid(found, f'{path} in body must be of type {wanted}: "{found}"'))


def type_name(value: Any) -> str:
    """Return the type of a value, as OpenAPI names it."""
    return next((name for of, name in _TYPES if isinstance(value, of)), "null")
