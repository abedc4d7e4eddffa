"""The JSON of an API server: its text as a value, and objects without what no reader wants."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from netlab.objects.bounds import FIELD, LIST, MAPPING, MAX_DEPTH, TooLargeError
from netlab.objects.scalars import number
from netlab.patterns import pattern

_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_SURROGATE = pattern(r"\\u[dD][89a-fA-F]")


def value_of(text: str) -> Any:
    """Return the value of a JSON text; raises ValueError, RecursionError."""
    if _SURROGATE.search(text):
        # Half a surrogate pair cannot be printed. Go also replaces it with U+FFFD.
        whole = json.dumps(json.loads(text), ensure_ascii=False)
        text = whole.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return json.loads(text, parse_float=lambda one: number(float(one), one), parse_constant=_no_constant)


def memory_of_text(text: str) -> int:
    """Return how many bytes the value of a JSON text takes at most."""
    return len(text) + MAPPING * text.count("{") + LIST * text.count("[") + FIELD * text.count(",")


def _no_constant(text: str) -> None:
    raise ValueError(text)


def clean(item: dict[str, Any]) -> dict[str, Any]:
    """Return an object without ``managedFields`` and the last applied configuration; it is changed in place."""
    metadata = item["metadata"]
    metadata.pop("managedFields", None)
    if isinstance(annotations := metadata.get("annotations"), dict):
        annotations.pop(_LAST_APPLIED, None)
    return item


def memory(item: Mapping[str, Any]) -> int:
    """Return how many bytes an object takes at most; raises TooLargeError if it is nested too deep."""
    spent = 0
    level: list[Any] = [item]
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                spent += MAPPING + FIELD * len(value)
                below += value.values()
            elif isinstance(value, list):
                spent += LIST + FIELD * len(value)
                below += value
            elif isinstance(value, str) and len(value) > FIELD:
                spent += 4 * len(value)
        if not below:
            return spent
        level = below
    raise TooLargeError(f"an object is nested more than {MAX_DEPTH} deep")
