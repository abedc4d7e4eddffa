"""YAML that every reader reads back as the same data."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from netlab.report import yaml_text

# What YAML allows in a document: printable characters, tabs and line breaks (YAML 1.1, section 5.1).
TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)  # type: ignore[arg-type]
SCALARS = st.none() | st.booleans() | st.integers() | TEXT
DATA = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


@given(DATA)
def test_any_data_reads_back_as_it_was(data: Any) -> None:
    """Mappings, lists and scalars survive, however nested and whatever characters they have."""

    assert data == yaml.safe_load("\n".join(yaml_text.lines(data)))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("shop/web", "shop/web"),
        ("10.244.0.2", '"10.244.0.2"'),
        ("yes", '"yes"'),
        ("No", '"No"'),
        ("", '""'),
        ("node:a", '"node:a"'),
        ("80", '"80"'),
        (80, "80"),
        (None, "null"),
        (True, "true"),
        ([], "[]"),
        ({}, "{}"),
    ],
)
def test_only_certain_strings_are_plain(value: Any, text: str) -> None:
    """Booleans of YAML 1.1, and texts that begin with a digit, are quoted."""

    assert text == yaml_text.scalar(value)


def test_lists_stand_below_their_key_as_kubectl_prints_them() -> None:
    """Block style, two blanks a level, a list's dashes under its key."""
    data = {"items": [{"a": 1, "b": [{"c": 2}]}, {"a": []}]}

    assert ["items:", "- a: 1", "  b:", "  - c: 2", "- a: []"] == list(yaml_text.lines(data))
