"""A number with its noun: the plural for every number but 1, and separators of thousands."""

from __future__ import annotations

import pytest

from netlab.quantity import quantity


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 policies"), (1, "1 policy"), (2, "2 policies"), (1200, "1,200 policies")]
)
def test_the_noun_fits_the_number(number: int, text: str) -> None:
    """The plural of most nouns needs no argument."""

    assert text == quantity(number, "policy", "policies")
    assert "2 pods" == quantity(2, "pod")
