"""Fixtures that read objects from text."""

from __future__ import annotations

import textwrap
from collections.abc import Callable

import pytest

from netlab.errors import Problem
from netlab.objects import Objects, decode
from netlab.objects.documents import parse


@pytest.fixture
def read_text() -> Callable[[str], tuple[Objects, list[Problem]]]:
    """Decode a text; returns the objects and every problem."""

    def read(text: str) -> tuple[Objects, list[Problem]]:
        documents, problems = parse(textwrap.dedent(text), "x.yaml")
        objects, more = decode(documents)
        return objects, [*problems, *more]

    return read


@pytest.fixture
def problems(read_text: Callable[[str], tuple[Objects, list[Problem]]]) -> Callable[[str], list[str]]:
    """Decode a text; returns its errors as ``PATH: MESSAGE``."""
    return lambda text: [f"{p.path}: {p.message}" for p in read_text(text)[1] if p.severity == "error"]
