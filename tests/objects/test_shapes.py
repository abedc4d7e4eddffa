"""Fields are data: decoders read by declarations, and schema and documentation are made from them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

import netlab
from netlab.objects import Document
from netlab.objects.field_types import Choice, Flag, Part, Parts, Raw, Text, TextMap, Texts, Unread, Whole
from netlab.objects.fields import Fields, Report
from netlab.objects.kind import Kind, every
from netlab.objects.load import decode
from netlab.objects.openapi import OpenApiShape
from netlab.objects.shapes import Field, Shape
from netlab.objects.types import Source

OBJECTS = Path(netlab.__file__).parent / "objects"
# What reads by name: the declarations themselves, and what looks at documents before their kind is known.
CURSOR = ("fields.py", "declared.py", "field_types.py")


class Noting(dict[str, Any]):
    """A mapping that records the fields that are read, present or not."""

    def __init__(self, data: dict[str, Any]) -> None:
        super().__init__(data)
        self.asked: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        self.asked.add(name)
        return super().get(name, default)


class Toy(Shape, strict=True):
    """A toy with a field of each type."""

    text = Text("text", "A string.", default="x")
    choice = Choice("choice", "One of two.", values=("a", "b"), default="a")
    whole = Whole("whole", "A number.", low=1, high=9)
    flag = Flag("flag", "Yes or no.")
    texts = Texts("texts", "Strings.")
    map = TextMap("map", "Strings by names.")
    raw = Raw("raw", "Whatever.", type=dict)
    unread = Unread("unread", "Not read.")


class Box(Toy, any_of=[("lid",), ("text",)]):
    """A toy with toys in it."""

    lid = Part("lid", "One toy.", shape=Toy)
    toys = Parts("toys", "Toys.", shape=Toy, required=True)
    text = Text("text", "Another string.")


def fields_of(data: dict[str, Any]) -> Fields:
    """Return the fields of a mapping, with an empty report."""
    return Fields(Report(Source("toy.yaml", {"": 1}), "Toy", []), data)


def said(fields: Fields) -> list[str]:
    """Return the problems that were reported."""
    return [f"{problem.path}: {problem.message}" for problem in fields.report.problems]


# Where a field decides whether others are read.
MEANS_MORE = {"restartPolicy": "Always", "controller": True, "type": "InternalIP"}


def example(field: Field[Any], dice: Random) -> Any:
    """Return a value of a field's type, with all fields inside."""
    if field.name in MEANS_MORE:
        return MEANS_MORE[field.name]
    inner = field.inner()
    if inner is not None:
        return [filled(inner[1], dice)] if inner[0] else filled(inner[1], dice)
    schema = field.schema()
    if "enum" in schema:
        return schema["enum"][-2 if schema["enum"][-1] is None else -1]
    kinds = schema.get("type", "string")
    kind = kinds if isinstance(kinds, str) else kinds[0]
    return {"string": "a", "integer": 1, "boolean": False, "array": [], "object": {}}[kind]


def _one_of(shape: type[Shape]) -> bool:
    return issubclass(shape, OpenApiShape) and shape.one_of


def filled(shape: type[Shape], dice: Random) -> Noting:
    """Return a mapping with every field that a shape declares; with one of them if only one is allowed."""
    names = [dice.choice([*shape.fields])] if _one_of(shape) else [*shape.fields]
    return Noting({name: example(shape.fields[name], dice) for name in names})


def declared(shape: type[Shape], path: str = "") -> Iterator[str]:
    """Yield the paths of all fields that netlab reads."""
    for name, field in shape.fields.items():
        if not isinstance(field, Unread) and name not in ("apiVersion", "kind"):
            yield f"{path}.{name}"
        inner = field.inner()
        if inner is not None:
            yield from declared(inner[1], f"{path}.{name}")


def read(shape: type[Shape], data: Noting, path: str = "") -> Iterator[str]:
    """Yield the paths of declared fields that were read."""
    for name, field in shape.fields.items():
        if name not in data:
            continue
        if name in data.asked:
            yield f"{path}.{name}"
        inner = field.inner()
        if inner is not None:
            value = dict.__getitem__(data, name)
            yield from read(inner[1], value[0] if inner[0] else value, f"{path}.{name}")


KINDS = [kind for kind in every() if kind.shape is not None]
# One of two fields is read, depending on the other one.
ONE_OF_TWO = {"spec.podCIDR", "status.podIP", "status.hostIP"}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_declared_field_is_read(kind: Kind) -> None:
    """A declaration that no decoder reads would document a field without effect."""
    assert kind.shape is not None
    missed = {*declared(kind.shape)}
    for seed in range(40):
        data = filled(kind.shape, Random(seed))  # noqa: S311
        dict.update(data, apiVersion=kind.api_version, kind=kind.name)
        decode([Document(data, Source("x.yaml", {"": 1}))])
        missed -= {*read(kind.shape, data)}
        if not any(_one_of(shape) for _, shape in kind.shape.walk()):
            break

    assert {path.removeprefix(".") for path in missed} <= ONE_OF_TWO


def test_every_kind_that_users_write_declares_its_fields() -> None:
    """Without them it has no schema. A schema of TLS Secrets would refuse Secrets of other types."""
    assert ["Secret"] == [kind.name for kind in every() if kind.written and kind.shape is None]


def test_decoders_read_no_field_by_a_name_in_quotes() -> None:
    """A name is in the declaration only, so every field that is read is declared."""
    asked = {"error", "at", "part", "typed", "get"}
    found = [
        f"{path.relative_to(OBJECTS)}:{call.lineno}"
        for path in (*OBJECTS.glob("kinds/*.py"), *(OBJECTS / name for name in ("pods.py", "workloads.py", "meta.py")))
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr in asked
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id in ("fields", "spec", "root", "metadata", "status")
        and call.args
        and isinstance(call.args[0], ast.Constant)
    ]

    assert not found, found


def test_a_field_has_its_default_where_it_is_absent_null_or_wrong() -> None:
    """A wrong value is reported. Null counts as absent."""
    for data in ({}, dict.fromkeys(Toy.fields)):
        fields = fields_of(data)
        read = [Toy.text, Toy.choice, Toy.whole, Toy.flag, Toy.texts, Toy.map]
        assert ["x", "a", None, False, [], {}] == [field.read(fields) for field in read]  # type: ignore[attr-defined]
        assert [] == said(fields)

    fields = fields_of({"text": 1, "choice": "c", "whole": 10, "flag": "yes", "texts": [True], "map": {"a": 1}})
    assert ("x", "a", None) == (Toy.text.read(fields), Toy.choice.read(fields), Toy.whole.read(fields))
    assert (False, [], {}) == (Toy.flag.read(fields), Toy.texts.read(fields), Toy.map.read(fields))
    assert [
        "text: Invalid value: 1: must be a string; put it in quotes",
        'choice: Unsupported value: "c": supported values: "a", "b"',
        "whole: Invalid value: 10: must be between 1 and 9, inclusive",
        'flag: Invalid value: "yes": must be a boolean',
        "texts[0]: Invalid value: true: must be a string; put it in quotes (without them y, n, yes, no, on and off are"
        " booleans in YAML)",
        "map.a: Invalid value: 1: must be a string; put it in quotes",
    ] == said(fields)


def test_a_strict_shape_reports_what_is_not_declared() -> None:
    """The message has a similar declared field. Fields of the base class are declared too."""
    fields = fields_of({"txet": "a", "toys": []})
    Box.only(fields)

    assert ['txet: unknown field "txet"; did you mean "text"?'] == said(fields)


def test_a_subclass_declares_a_field_anew() -> None:
    """It replaces the field of the base class."""
    assert ["Another string.", "A string."] == [shape.fields["text"].about for shape in (Box, Toy)]
    assert [("", Box), ("lid", Toy), ("toys[]", Toy)] == [*Box.walk()]
