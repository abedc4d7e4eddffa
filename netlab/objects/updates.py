"""Updates of objects: the API server refuses changes of some fields."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from netlab.errors import Problem
from netlab.objects.fields import invalid
from netlab.objects.kind import Update
from netlab.objects.meta import key_of
from netlab.objects.types import Document

IMMUTABLE = "field is immutable"
ONCE_SET = "may not change once set"


def immutable(path: str, value: Callable[[Any], str]) -> Update:
    """Return an update that refuses a change of one field; ``value`` takes a decoded object and returns the field."""

    def update(old: Any, new: Any, document: Document) -> tuple[Document, list[Problem]]:
        same = value(old) == value(new)
        return document, [] if same else [problem(document, path, invalid(value(new), IMMUTABLE))]

    return update


def problem(document: Document, path: str, message: str) -> Problem:
    """Return an error of a field of a document."""
    source = document.source
    return Problem(source.file, source.line(path), path, str(key_of(document)), message)
