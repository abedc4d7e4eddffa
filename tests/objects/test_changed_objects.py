"""Objects and fields that differ between two inputs, and objects with some of the changes taken back."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netlab.objects.changed_objects import MISSING, ChangedObject, changed_objects
from netlab.objects.meta import key_of
from netlab.objects.types import Document, Source


def document(spec: Any, name: str = "p") -> Document:
    return Document({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}, Source())


def changed(old: Any, new: Any) -> ChangedObject:
    return ChangedObject(key_of(document(new)), document(old), document(new))


@pytest.mark.parametrize(
    ("old", "new", "fields"),
    [
        ({"a": 1}, {"a": 2}, [("spec.a", 1, 2)]),
        ({"a": 1}, {}, [("spec.a", 1, MISSING)]),
        ({}, {"a": {"b": 1}}, [("spec.a", MISSING, {"b": 1})]),
        ({"a": [1, 2, 3]}, {"a": [1, 3]}, [("spec.a[1]", 2, MISSING)]),
        ({"a": [1, 3]}, {"a": [1, 2, 3]}, [("spec.a[1]", MISSING, 2)]),
        ({"a": [{"b": 1}]}, {"a": [{"b": 2}]}, [("spec.a[0].b", 1, 2)]),
        ({"a": 1}, {"a": True}, [("spec.a", 1, True)]),
        ({"a": {"x.y/z": "1"}}, {"a": {"x.y/z": "2"}}, [("spec.a.x.y/z", "1", "2")]),
        ({"a": [1]}, {"a": 1}, [("spec.a", [1], 1)]),
    ],
)
def test_fields_that_differ_have_their_paths(old: Any, new: Any, fields: list[Any]) -> None:
    """A field that was removed has its path in the old object."""
    found = changed(old, new).fields()

    assert fields == [(one.path, one.old, one.new) for one in found]


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from("ab"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=12,
)


@given(_VALUES, _VALUES)
def test_without_all_fields_an_object_is_the_old_one_and_without_none_the_new_one(old: Any, new: Any) -> None:
    """With values of any shape; each set of fields makes an object of its own."""
    one = changed({"v": old}, {"v": new})
    fields = one.fields()

    assert {"v": old} == one.without(fields).data["spec"]
    assert {"v": new} == one.without(()).data["spec"]
    made = [repr(one.without(some).data) for size in (0, 1) for some in combinations(fields, size)]
    assert len(made) == 1 + len(fields)


def test_objects_that_were_added_and_removed_have_no_fields() -> None:
    """They differ as a whole. Of an object that is there twice, the last one counts."""
    old = [document({"a": 1}), document({}, "gone"), document({"a": 2})]
    new = [document({"a": 2}), document({}, "came")]

    found = changed_objects(old, new)

    assert [("came", True, False), ("gone", False, True)] == [
        (one.key.name, one.old is None, one.new is None) for one in found
    ]
    assert [(), ()] == [one.fields() for one in found]


def test_an_object_with_very_many_changed_fields_is_one_change() -> None:
    """So the work of a search is bounded."""
    one = changed({str(n): n for n in range(500)}, {str(n): -n - 1 for n in range(500)})

    assert () == one.fields()
