"""``pattern`` is ``re.compile`` at the first use."""

from __future__ import annotations

import copy
import pickle
import re
from threading import Thread
from typing import Any

import pytest

from netlab.patterns import compiled_later, pattern


def test_it_does_what_a_compiled_pattern_does() -> None:
    """Its methods and attributes are those of the compiled pattern, with the flags."""
    ours, theirs = pattern("a(b+)", re.IGNORECASE), re.compile("a(b+)", re.IGNORECASE)

    for _ in range(2):
        assert theirs.findall("ab ABB") == ours.findall("ab ABB")
        assert theirs.sub("", "xabx") == ours.sub("", "xabx")
    found = ours.fullmatch("aBB")
    assert found is not None
    assert "BB" == found[1]
    assert (theirs.pattern, theirs.flags, theirs.groups) == (ours.pattern, ours.flags, ours.groups)


def test_it_compiles_nothing_before_it_is_used() -> None:
    """An error in the text is raised by the first use."""
    wrong = pattern("(")

    with pytest.raises(re.error):
        wrong.match("a")


def test_what_no_pattern_has_is_an_error() -> None:
    """As with any other value."""
    with pytest.raises(AttributeError):
        getattr(pattern("a"), "matches")  # noqa: B009  # mypy knows that it is none


def test_it_is_copied_and_pickled_as_a_compiled_pattern() -> None:
    """Programs that import netlab may do this with the patterns of PyYAML, used or not."""
    used, wanted = pattern("a+", re.IGNORECASE), re.compile("a+", re.IGNORECASE)
    used.match("a")

    for one in (pattern("a+", re.IGNORECASE), used):
        assert wanted == copy.copy(one) == copy.deepcopy(one)
        assert wanted == pickle.loads(pickle.dumps(one))  # noqa: S301  # it is ours


def test_compiled_later_is_about_one_thread() -> None:
    """Within the block, patterns of this thread are compiled at their first use, and those of others at once."""
    made: list[Any] = []
    with compiled_later():
        late = re.compile("a+")
        other = Thread(target=lambda: made.append(re.compile("b+")))
        other.start()
        other.join(10)

    assert [re.Pattern] == [type(one) for one in made] == [type(re.compile("c+"))]
    assert type(late) is not re.Pattern
    assert late.fullmatch("aa")
    assert "a+" == late.pattern
