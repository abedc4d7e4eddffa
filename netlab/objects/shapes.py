"""Fields as data: the name, type, default and description of each field of an object.

A ``Shape`` declares the fields of one mapping, as attributes of a class. Decoders read a field by its declaration
(``Host.addresses.read(fields)``), so a name, a type, a default and a bound are written once. The check for unknown
fields, the JSON Schema (``objects.schema``) and the tables of the documentation (``objects.reference``) follow from the
declarations. ``objects.field_types`` has the types. Rules between fields are in the decoder.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import field
from typing import Any, ClassVar, Generic, TypeVar

from netlab.frozen import by_name
from netlab.objects.fields import Fields, quoted

_T = TypeVar("_T")
Schema = dict[str, Any]


@by_name
class Field(Generic[_T]):
    """One field: its name in the API and a description of one line.

    ``required``: an object without the field, or with an empty one, has an error. The decoder reports it, as messages
    and conditions differ.
    """

    name: str = field(kw_only=False)
    about: str = field(kw_only=False)
    required: bool = False

    def read(self, fields: Fields) -> Any:
        """Return the field's value, or its default, and report what is wrong."""
        return None

    def at(self, fields: Fields) -> str:
        """Return the field's path in a mapping."""
        return fields.at(self.name)

    def error(self, fields: Fields, message: str) -> None:
        """Report that the field is wrong."""
        fields.error(self.name, message)

    def has(self, fields: Fields) -> bool:
        """Say whether the field is present and not null."""
        return fields.data.get(self.name) is not None

    def written(self, fields: Fields) -> Any:
        """Return the value as it is written, None if the field is absent."""
        return fields.data.get(self.name)

    def null(self, fields: Fields) -> bool:
        """Say whether the field is present and null, as a template prints a value that is not set."""
        return self.name in fields.data and fields.data[self.name] is None

    def missing(self, fields: Fields) -> bool:
        """Say whether the field is absent, null or the empty string: the API server treats these alike."""
        return fields.data.get(self.name) in (None, "")

    def empty(self, fields: Fields) -> bool:
        """Say whether the field is absent or has an empty value."""
        return not fields.data.get(self.name)

    def schema(self) -> Schema:
        """Return the JSON Schema of the field's value, without its description."""
        return {}

    def shown_default(self) -> str:
        """Return the default for the documentation, "" for none."""
        return ""

    def inner(self) -> tuple[str, type[Shape]] | None:
        """Return the path suffix ("" or "[]") and the shape of the mappings that the field holds, else None."""
        return None


class Shape:
    """The fields of one mapping, declared as attributes of a subclass, whose docstring describes it in one line.

    ``strict`` and ``any_of`` are arguments of the class statement. ``strict``: every other field is an error.
    ``any_of``: all fields of at least one of these sets are required. A subclass may declare a field of its base anew.
    """

    strict: ClassVar[bool] = False
    demands: ClassVar[bool] = False
    any_of: ClassVar[Sequence[Sequence[str]]] = ()
    fields: ClassVar[dict[str, Field[Any]]] = {}

    def __init_subclass__(cls, *, strict: bool = False, any_of: Sequence[Sequence[str]] = ()) -> None:
        own = {one.name: one for one in cls.attributes().values()}
        cls.fields = {name: one for base in reversed(cls.__mro__) for name, one in getattr(base, "fields", {}).items()}
        cls.fields |= own
        cls.strict = strict or cls.strict
        cls.any_of = any_of or cls.any_of
        cls.demands = bool(cls.any_of) or any(one.required for one in cls.fields.values())

    @classmethod
    def attributes(cls) -> dict[str, Field[Any]]:
        """Return the fields that the shape declares itself, by the name of the attribute."""
        return {attribute: one for attribute, one in vars(cls).items() if isinstance(one, Field)}

    @classmethod
    def only(cls, written: Fields) -> None:
        """Report every field that a strict shape does not declare, with a similar declared name."""
        if not cls.strict:
            return
        for name in written.data:
            if name not in cls.fields and not written.report.full:
                written.error(name, f"unknown field {quoted(name)}{cls.hint(name, written)}")

    @classmethod
    def hint(cls, name: str, written: Fields) -> str:
        """Return what the message about an unknown field adds: a similar declared name, or ""."""
        from difflib import get_close_matches

        return "".join(f"; did you mean {quoted(close)}?" for close in get_close_matches(name, cls.fields, 1))

    @classmethod
    def schema(cls, *, nullable: bool = False) -> Schema:
        """Return the JSON Schema of the mapping."""
        found: Schema = {"type": ["object", "null"] if nullable else "object"}
        found["properties"] = {name: {"description": one.about} | one.schema() for name, one in cls.fields.items()}
        if required := [name for name, one in cls.fields.items() if one.required]:
            found["required"] = required
        if cls.any_of:
            found["anyOf"] = [{"required": list(names)} for names in cls.any_of]
        if cls.strict:
            found["additionalProperties"] = False
        return found

    @classmethod
    def walk(cls, path: str = "") -> Iterator[tuple[str, type[Shape]]]:
        """Yield this shape and those of all mappings inside, each with its path (``spec.nodes[]``)."""
        yield path, cls
        for name, one in cls.fields.items():
            if (inner := one.inner()) is not None:
                end, shape = inner
                yield from shape.walk(f"{path}.{name}{end}".lstrip("."))
