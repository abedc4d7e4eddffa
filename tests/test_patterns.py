"""``pattern`` is ``re.compile`` at the first use."""

from __future__ import annotations

import re

import pytest

from netlab.patterns import pattern


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
