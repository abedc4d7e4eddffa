"""The page ``docs/fields.md``: the fields of netlab's own kinds, made from their declarations.

``python -m netlab.objects.reference`` writes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from netlab.objects.field_types import Raw, Unread
from netlab.objects.kind import NETLAB_VERSION, Kind
from netlab.objects.profile_shapes import ChoiceShape
from netlab.objects.schema import described
from netlab.objects.shapes import Field, Shape

FILE = Path(__file__).parents[2] / "docs" / "fields.md"
_HEAD = """\
# Fields of netlab's own kinds

`python -m netlab.objects.reference` writes this page from the declarations in `netlab/objects/kinds`. Decoding and
`netlab schema` use the same declarations. Any other field is an error. A field that is null counts as absent.
"""


def page() -> str:
    """Return the whole page."""
    own = [kind for kind in described() if kind.api_version == NETLAB_VERSION]
    return "\n".join([_HEAD, *(line for kind in own for line in _kind(kind))]).rstrip() + "\n"


def _kind(kind: Kind) -> Iterator[str]:
    if kind.shape is None:
        return
    yield f"## {kind.name}\n"
    for path, shape in kind.shape.walk():
        if issubclass(shape, ChoiceShape):
            continue
        yield f"### `{path}`\n" if path else f"`apiVersion: {kind.api_version}`, `kind: {kind.name}`\n"
        yield f"{(shape.__doc__ or '').strip()}\n"
        yield from _table(shape)


def _table(shape: type[Shape]) -> Iterator[str]:
    some = {name for names in shape.any_of for name in names}
    read = [field for field in shape.fields.values() if not isinstance(field, Unread)]
    yield "| field | type | default | meaning |\n|---|---|---|---|"
    for field in read:
        default = "required" if field.required else "" if field.name in some else field.shown_default()
        yield f"| `{field.name}` | {_type(_value(field).schema())} | {default} | {field.about} |"
    yield ""
    if any(_value(field) is not field for field in read):
        yield "Each field is a choice: a mapping with the value above, and where it is from.\n"
        yield from _table(_EveryChoice)
    if shape.any_of:
        yield f"Required: {', or '.join(_names(names) for names in shape.any_of)}.\n"
    if len(read) < len(shape.fields):
        others = [name for name, field in shape.fields.items() if isinstance(field, Unread)]
        yield f"Allowed and not read: {', '.join(f'`{name}`' for name in others)}.\n"


def _value(field: Field[Any]) -> Field[Any]:
    """Return the field with the value of a choice of a profile, another field as it is."""
    inner = field.inner()
    return inner[1].fields["value"] if inner is not None and issubclass(inner[1], ChoiceShape) else field


class _EveryChoice(ChoiceShape, strict=True):
    """The fields of every choice."""

    value = Raw("value", "The value of the field.", type=dict, required=True)


def _names(names: Sequence[str]) -> str:
    *first, last = [f"`{name}`" for name in names]
    return f"{', '.join(first)} and {last}" if first else last


def _type(schema: dict[str, Any]) -> str:
    """Return the type of a value in words."""
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"] if value is not None)
    kinds = schema.get("type", "any")
    named = [_WORDS.get(kind, kind) for kind in ([kinds] if isinstance(kinds, str) else kinds) if kind != "null"]
    found = " or ".join(named)
    if "items" in schema:
        found = f"list of {_several(schema['items'])}"
    if "minimum" in schema:
        found += f", {schema['minimum']} to {schema['maximum']}"
    return found


_WORDS = {"object": "mapping", "array": "list"}


def _several(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return _type(schema)
    kinds, comma, bounds = _type(schema).partition(", ")
    return " or ".join(f"{name}s" for name in kinds.split(" or ")) + comma + bounds


if __name__ == "__main__":
    FILE.write_text(page())
