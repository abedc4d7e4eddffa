"""The JSON Schemas follow from the declarations, and refuse the types and names that decoding refuses."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from sizes import samples

from netlab.cli.command_group import cli
from netlab.errors import Problem
from netlab.objects import Document, decode, reference, schema
from netlab.objects.documents import parse
from netlab.objects.field_types import Choice, OneOf, Part, Parts, Raw, Root, Text, TextMap, Texts, Unread, Whole
from netlab.objects.fields import Fields
from netlab.objects.kind import NETLAB_VERSION, Kind, every, get, register, unregister
from netlab.objects.meta import STRICT_CLUSTER_METADATA, object_meta, open_document
from netlab.objects.openapi import OpenApiShape
from netlab.objects.shapes import Field, Shape
from netlab.objects.types import Meta, Source

REPOSITORY = Path(__file__).parents[2]
KINDS = schema.described()
FILES = [
    path
    for folder in ("topologies", "scenarios", "examples", "netlab/lessons")
    for path in sorted((REPOSITORY / folder).rglob("*.y*ml"))
    if not path.name.startswith(".")  # a file of another program
]


def validator(kind: Kind) -> jsonschema.protocols.Validator:
    """Return the validator of a kind."""
    return jsonschema.Draft202012Validator(schema.schema_of(kind))


ALL = jsonschema.Draft202012Validator(schema.schema_of_all(KINDS))
VALIDATORS = {kind.name: validator(kind) for kind in KINDS}


def fits(data: dict[str, Any]) -> bool:
    """Say whether an object fits the schema of its kind."""
    return bool(VALIDATORS[data["kind"]].is_valid(data))


def errors(data: dict[str, Any]) -> list[Problem]:
    """Return the errors of decoding."""
    _, problems = decode([Document(data, Source("x.yaml", {"": 1}))])
    return [one for one in problems if one.severity == "error"]


# Messages about the text of a string, and about a file that a scenario names.
NOT_OF_TYPE = (
    "must be a valid",
    "must be a strict",
    "must be a DNS name",
    "must be an absolute",
    "must be a domain-",
    "must be a unicast MAC",
    "must be an IPv4 address",
)


def refused(data: dict[str, Any]) -> list[str]:
    """Return the errors of decoding that are about a type or the name of a field."""
    return of_type(errors(data))


def of_type(problems: Sequence[Problem]) -> list[str]:
    """Return the errors that are about a type or the name of a field."""
    said = ("must be a", "must be an", "must be of type", "unknown field", "Unsupported value", "must be a mapping")
    return [
        f"{p.path}: {p.message}"
        for p in problems
        if any(word in p.message for word in said) and not any(word in p.message for word in NOT_OF_TYPE)
    ]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_schema_is_one_of_its_dialect(kind: Kind) -> None:
    """The schema itself is valid, and every field has a description."""
    found = schema.schema_of(kind)

    jsonschema.Draft202012Validator.check_schema(found)
    assert kind.shape is not None
    assert all(field.about.endswith(".") for _, shape in kind.shape.walk() for field in shape.fields.values())


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_what_the_repository_shows_fits_its_schema(path: Path) -> None:
    """Topologies, scenarios and manifests."""
    documents, problems = parse(path.read_text(), str(path))

    assert [] == problems
    for document in documents:
        if document.kind in VALIDATORS:
            VALIDATORS[document.kind].validate(document.data)
            ALL.validate(document.data)


@dataclass(frozen=True)
class Place:
    """A field of a kind: an object that has it, and its path."""

    data: dict[str, Any]
    path: tuple[Any, ...]
    field: Field[Any]


MEANS_MORE = {"restartPolicy": "Always", "type": "InternalIP", "controller": True}


def example(field: Field[Any], kind: Kind, to: Sequence[Any] = ()) -> Any:
    """Return a value of a field that its type allows; ``to`` leads to a field inside that the value has."""
    if field.name == "apiVersion":
        return kind.api_version
    if field.name == "kind" and field is Root.kind:
        return kind.name
    if (
        field.name in MEANS_MORE
        and not isinstance(field, Choice)
        and not (field.name == "controller" and field.required)
    ):
        return MEANS_MORE[field.name]
    match field:
        case Part():
            return filled(field.shape, kind, to)
        case Parts():
            return [filled(field.shape, kind, to[1:])]
        case Whole():
            return field.values[0] if field.values else field.low or 1
        case Texts(pattern=pattern, values=values):
            return [values[0]] if values else ["10.0.0.0/24" if "/" in pattern else "10.0.0.1"] if pattern else ["a"]
        case OneOf(values=values):
            return values[0]
        case Text(pattern=pattern) if pattern:
            return (
                "1.37" if "1" in pattern[:2] else "1%" if "%" in pattern else "100mbit" if "bit" in pattern else "1ms"
            )
        case Text() | Choice():
            values = field.values() if callable(field.values) else field.values
            return values[0] if values else "10.0.0.0/24" if field.name in ("cidr", "podCIDR") else "10.0.0.1"
        case TextMap():
            return {"a": "b"}
        case Raw():
            return {"labels": {"a": None}, "apply": [], "rollout": [], "conflist": {}, "ports": [80]}.get(
                field.name, 80
            )
        case Unread():
            return None
    return False


def filled(shape: type[Shape], kind: Kind, to: Sequence[Any] = ()) -> dict[str, Any]:
    """Return a mapping with every field; of a mapping with exactly one field, the first on the path ``to``."""
    names = [name for name, field in shape.fields.items() if not isinstance(field, Unread)]
    if issubclass(shape, OpenApiShape) and shape.one_of:
        names = [to[0] if to else names[0]]
    return {name: example(shape.fields[name], kind, to[1:] if to and to[0] == name else ()) for name in names}


def places(kind: Kind) -> Iterator[Place]:
    """Yield every field of a kind, in an object of its own."""
    assert kind.shape is not None
    # One of two fields is read, depending on the other one; a template of a Job that is numbered needs completions.
    seen = set()
    for path, shape in kind.shape.walk():
        # The declaration itself checks the fields of a custom resource, the same at each path.
        if issubclass(shape, OpenApiShape) and shape in seen:
            continue
        seen.add(shape)
        for field in shape.fields.values():
            to = _keys(path)
            yield Place(filled(kind.shape, kind, (*to, field.name)), to, field)


def _keys(path: str) -> tuple[Any, ...]:
    """Return the keys of a path of ``Shape.walk``."""
    parts = [part for part in path.replace("[]", ".0").split(".") if part]
    return tuple(int(part) if part == "0" else part for part in parts)


def holder(data: Any, path: tuple[Any, ...]) -> Any:
    """Return the mapping at a path."""
    for key in path:
        data = data[key]
    return data


# The version and the kind decide which schema it is.
PLACES = [
    (kind.name, place) for kind in KINDS for place in places(kind) if place.field not in (Root.api_version, Root.kind)
]
WRONG: list[Any] = [True, 7, 1.5, "x", [], {}, [7], [{}], ["x"], {"x": 7}, {"x": {}}, {"x": []}]


# A field of a declaration that several kinds share, as a template of pods, is tried in each of them with all samples.
FIELDS = PLACES if samples(100) == 100 else [*{id(place.field): (kind, place) for kind, place in PLACES}.values()]


@pytest.mark.parametrize(
    "place",
    [pytest.param(place, id=f"{kind}-{'.'.join(map(str, place.path))}-{place.field.name}") for kind, place in FIELDS],
)
def test_a_type_that_decoding_refuses_is_refused_by_the_schema(place: Place) -> None:
    """And decoding accepts what the schema accepts: every field of every kind, with values of every type."""
    data = copy.deepcopy(place.data)
    within = holder(data, place.path)
    for second, first in (("podCIDR", "podCIDRs"), ("podIP", "podIPs"), ("hostIP", "hostIPs")):
        if place.field.name == second:
            within.pop(first, None)
    some = False
    for value in WRONG:
        within[place.field.name] = value
        problems = errors(data)
        if found := of_type(problems):
            some = True
            assert not fits(data), (value, found)
        elif not problems:
            assert fits(data), value
    assert some or isinstance(place.field, Unread)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_schema_takes_what_is_right(kind: Kind) -> None:
    """An object with every field, and one in which optional fields are null."""
    assert kind.shape is not None
    VALIDATORS[kind.name].validate(filled(kind.shape, kind))
    for place in places(kind):
        within = holder(place.data, place.path)
        within[place.field.name] = None
        if not place.field.required and not any(place.field.name in names for names in _any_of(kind, place)):
            VALIDATORS[kind.name].validate(place.data)


def _any_of(kind: Kind, place: Place) -> list[Any]:
    assert kind.shape is not None
    named = ".".join("[]" if part == 0 else part for part in place.path).replace(".[]", "[]")
    shapes = [shape for path, shape in kind.shape.walk() if path == named]
    return [
        names
        for shape in shapes
        for names in (shape.fields if issubclass(shape, OpenApiShape) and shape.one_of else (), *shape.any_of)
    ]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.shape and kind.shape.strict], ids=lambda k: k.name)
def test_an_unknown_field_is_refused_by_both(kind: Kind) -> None:
    """In every mapping of a strict kind that netlab reads."""
    assert kind.shape is not None
    for path, shape in kind.shape.walk():
        data = filled(kind.shape, kind, _keys(path))
        holder(data, _keys(path))["nosuch"] = 1
        unknown = any("unknown field" in message for message in refused(data))

        assert unknown == shape.strict
        assert fits(data) != unknown


@settings(max_examples=samples(100), deadline=None)
@given(st.data())
def test_what_a_schema_takes_has_no_error_of_type(data: st.DataObject) -> None:
    """Up to three fields of an object are replaced, dropped or doubled."""
    _, place = data.draw(st.sampled_from(PLACES))
    found = copy.deepcopy(place.data)
    for _ in range(data.draw(st.integers(1, 3))):
        _, other = data.draw(st.sampled_from([one for one in PLACES if one[1].data["kind"] == found["kind"]]))
        try:
            within = holder(found, other.path)
        except (KeyError, IndexError, TypeError):
            continue
        if isinstance(within, dict):
            within[other.field.name] = data.draw(st.sampled_from([*WRONG, None]))
    if fits(found):
        assert not refused(found)


def test_the_files_are_those_that_the_declarations_make() -> None:
    """`python -m netlab.objects.schema` and `python -m netlab.objects.reference` write them."""
    assert schema.files() == {path.name: path.read_text() for path in schema.FOLDER.iterdir()}
    assert reference.page() == reference.FILE.read_text()


@pytest.mark.parametrize("name", ["networkpolicy", "netpol", "NetworkPolicies", "NetworkPolicy"])
def test_a_command_prints_a_schema(name: str) -> None:
    """It takes the names that other commands take."""
    result = CliRunner().invoke(cli, ["schema", name])

    assert (0, "NetworkPolicy") == (result.exit_code, json.loads(result.stdout)["title"])


def test_a_command_prints_the_schema_of_all_kinds() -> None:
    """It checks every object by its kind, and accepts other kinds."""
    found = json.loads(CliRunner().invoke(cli, ["schema"]).stdout)
    wrong = {"apiVersion": NETLAB_VERSION, "kind": "Topology", "spec": {"node": []}}

    assert found == json.loads((schema.FOLDER / schema.ALL).read_text())
    jsonschema.Draft202012Validator.check_schema(found)
    of_all = jsonschema.Draft202012Validator(found)
    with pytest.raises(jsonschema.ValidationError, match="'node' was unexpected"):
        of_all.validate(wrong)
    of_all.validate({"apiVersion": "v1", "kind": "ConfigMap", "data": 7})


def test_a_kind_without_a_schema_is_an_error() -> None:
    """The message names the kinds that have one."""
    result = CliRunner().invoke(cli, ["schema", "ConfigMap"])

    assert 2 == result.exit_code
    assert "Topology, Profile, Scenario" in result.stderr


class BallSpec(Shape, strict=True):
    """The spec of a Ball."""

    colour = Choice("colour", "The ball's colour.", values=("red", "blue"), default="red")


class BallRoot(Root, strict=True):
    """A ball."""

    metadata = STRICT_CLUSTER_METADATA
    spec = Part("spec", "What the ball is like.", shape=BallSpec)


@dataclass(frozen=True)
class Ball:
    """An object of a kind that the test adds."""

    meta: Meta
    colour: str


def ball(document: Document) -> tuple[Ball, list[Problem]]:
    """Decode a ball."""
    root = open_document(document, strict=True)
    BallRoot.only(root)
    spec: Fields = BallRoot.spec.read(root)
    BallSpec.only(spec)
    return Ball(object_meta(root, metadata=BallRoot.metadata), BallSpec.colour.read(spec)), root.report.problems


def test_a_new_kind_has_schema_and_reference_by_its_declaration() -> None:
    """Decoding, errors, schema and documentation follow from one declaration."""
    register(Kind("Ball", NETLAB_VERSION, Ball, ball, namespaced=False, shape=BallRoot))
    try:
        kind = get("Ball")
        assert kind is not None
        data = {"apiVersion": NETLAB_VERSION, "kind": "Ball", "metadata": {"name": "a"}, "spec": {"colour": "green"}}

        assert ['spec.colour: Unsupported value: "green": supported values: "red", "blue"'] == refused(data)
        assert not validator(kind).is_valid(data)
        assert validator(kind).is_valid({**data, "spec": {"colour": "blue"}})
        assert "ball.json" in schema.files()
        assert "| `colour` | `red`, `blue` | `red` | The ball's colour. |" in reference.page()
    finally:
        unregister("Ball")
    assert kind not in every()
