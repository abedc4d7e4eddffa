"""The JSON Schemas (draft 2020-12) of the kinds that netlab reads, made from their declarations.

The schema of a kind of Kubernetes has the fields that netlab reads, and allows others. ``python -m
netlab.objects.schema`` writes the files in ``netlab/schemas``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from netlab.objects.kind import Kind, every

DIALECT = "https://json-schema.org/draft/2020-12/schema"
FOLDER = Path(__file__).parents[1] / "schemas"
ALL = "all.json"


def described() -> tuple[Kind, ...]:
    """Return the kinds that have a schema: those that users write."""
    return tuple(kind for kind in every() if kind.written and kind.shape is not None)


def schema_of(kind: Kind) -> dict[str, Any]:
    """Return the schema of the objects of one kind."""
    return {"$schema": DIALECT, "title": kind.name, **_object(kind)}


def schema_of_all(kinds: Iterable[Kind]) -> dict[str, Any]:
    """Return one schema for the objects of several kinds; objects of other kinds are valid too."""
    rules = [
        {"if": {"properties": {"kind": {"const": kind.name}}, "required": ["kind"]}, "then": _object(kind)}
        for kind in kinds
    ]
    return {"$schema": DIALECT, "title": "Objects that netlab reads", "type": "object", "allOf": rules}


def _object(kind: Kind) -> dict[str, Any]:
    shape = kind.shape
    if shape is None:
        raise ValueError(f"kind {kind.name} does not declare its fields")
    found = {"description": (shape.__doc__ or "").strip(), **shape.schema()}
    found["properties"]["apiVersion"]["enum"] = [kind.api_version, *kind.served, *kind.retired]
    found["properties"]["kind"]["const"] = kind.name
    return found


def text_of(schema: dict[str, Any]) -> str:
    """Return a schema as the text of a file."""
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


def files() -> dict[str, str]:
    """Return the text of every file in ``netlab/schemas``, by name."""
    kinds = described()
    found = {f"{kind.name.lower()}.json": text_of(schema_of(kind)) for kind in kinds}
    return found | {ALL: text_of(schema_of_all(kinds))}


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, text in files().items():
        (FOLDER / name).write_text(text)
