"""JSON with line numbers."""

from __future__ import annotations

import json
from json.decoder import JSONDecodeError

import pytest

from netlab.objects.bounds import Budget
from netlab.objects.json_text import JSONText

DOCUMENT = """{
  "kind": "Pod", "n": -1.5e2,
  "list": [
    {"a": null, "b": [true, false]},
    "tab\\t \\ud83d\\ude00"
  ],
  "empty": {}, "none": []
}
"""


def test_values_are_those_of_the_standard_library() -> None:
    """All types of JSON are read as by the standard library."""
    assert [json.loads(DOCUMENT)] == list(JSONText(DOCUMENT, Budget()).values())


def test_lines_are_known_by_field_path() -> None:
    """A field or item has the line in which it begins."""
    text = JSONText(DOCUMENT, Budget())
    list(text.values())

    assert {
        "": 1,
        "kind": 2,
        "n": 2,
        "list": 3,
        "list[0]": 4,
        "list[0].a": 4,
        "list[0].b": 4,
        "list[0].b[0]": 4,
        "list[0].b[1]": 4,
        "list[1]": 5,
        "empty": 7,
        "none": 7,
    } == text.lines


def test_several_values_may_follow_one_another() -> None:
    """As in a stream for kubectl. Lines count over all of them."""
    text = JSONText('{"a": 1}\n\n{"b": 2}', Budget())
    found = [(value, text.lines) for value in text.values()]

    assert [({"a": 1}, {"": 1, "a": 1}), ({"b": 2}, {"": 3, "b": 3})] == found  # type: ignore[comparison-overlap]


def test_a_key_that_stands_twice_is_listed() -> None:
    """The second value counts, and its line is in the list."""
    text = JSONText('{"spec": {"a": 1,\n"a": 2}}', Budget())

    assert [{"spec": {"a": 2}}] == list(text.values())
    assert (("spec.a", 2),) == text.lines.duplicates(10)


def test_a_whole_float_is_an_integer() -> None:
    """As in YAML: 80.0 is the port 80."""
    value = next(JSONText("80.0", Budget()).values())

    assert (80, int) == (value, type(value))


def test_half_a_surrogate_pair_is_replaced() -> None:
    """It cannot be printed."""
    assert ["a\ufffdb", "\U0001f600é"] == list(JSONText(r'"a\ud83db" "\ud83d\ude00é"', Budget()).values())


@pytest.mark.parametrize("text", ['{"a": 1,}', '{"a" 1}', "{a: 1}", "[1 2]", '{"a": tru}', '{"a', "[", '{"a": 01}'])
def test_what_is_not_json_is_refused(text: str) -> None:
    """Other texts are errors."""
    with pytest.raises(JSONDecodeError):
        list(JSONText(text, Budget()).values())


def test_nesting_is_bounded() -> None:
    """Many brackets do not exhaust the stack."""
    with pytest.raises(JSONDecodeError, match="nested more than 200 deep"):
        list(JSONText("[" * 100_000, Budget()).values())
