"""Objects inside of documents."""

from __future__ import annotations

import pytest

from netlab.objects.documents import parse
from netlab.objects.lists import object_at

POD = "{apiVersion: v1, kind: Pod}"


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (f"items:\n- {POD}\n- apiVersion: v1\n  kind: List\n  items:\n  - {POD}\n", [3, 7]),
        (f"x: &pods\n- {POD}\n- {POD}\nitems: *pods\n", [5, 5]),
        (f"items:\n- {POD}\n- {POD}\nitems:\n- {POD}\n", [6]),
        (f"'items[x': 1\nitems: [{POD}]\n'items[9]': 2\n", [3]),
        ("items: null\n", []),
    ],
    ids=["List in a List", "alias", "duplicate items", "keys that look like items", "null"],
)
def test_items_have_lines(text: str, lines: list[int]) -> None:
    """Each has its own line, or without one the list's."""
    documents, problems = parse(f"apiVersion: v1\n{text}kind: List\n", "x.yaml")

    assert [] == problems
    assert lines == [d.source.line("metadata.name") for d in documents]


def test_duplicate_fields_of_an_item_are_its_own() -> None:
    """Their paths begin at the item."""
    (document,), _ = parse(
        "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: A,\n   a: 1, a: 2}\n", "x.yaml"
    )

    assert (("a", 5),) == document.duplicates


def test_a_kind_that_ends_like_a_list_is_none_without_items() -> None:
    """Nor is one whose items are no objects."""
    documents, problems = parse(
        "{apiVersion: v1, kind: AllowList}\n---\n{apiVersion: v1, kind: AList, items: {a: 1}}", "x"
    )

    assert [] == problems
    assert ["AllowList", "AList"] == [d.kind for d in documents]


def test_an_object_of_another_api_that_ends_like_a_list_may_have_items_of_its_own() -> None:
    """An AllowList of strings is one object, which netlab does not read."""
    documents, problems = parse("{apiVersion: example.com/v1, kind: AllowList, items: [a, b]}", "x.yaml")

    assert (["AllowList"], []) == ([document.kind for document in documents], problems)


def test_an_inline_object_has_lines_of_its_own() -> None:
    """Their paths begin at the object. An index with more digits is another object."""
    items = "".join(f"  - {{apiVersion: v1, kind: K{n},\n     a: 1, a: 2}}\n" for n in range(11))
    (document,), _ = parse(f"apiVersion: v1\nkind: X\nspec:\n  apply:\n{items}", "x.yaml")
    found = object_at(document, "spec.apply[1]")

    assert "K1" == found.kind
    assert {"": 7, "apiVersion": 7, "kind": 7, "a": 8} == found.source.lines
    assert (("a", 8),) == found.duplicates
