"""A ratio is the median of ratios of rounds, for rows that were both measured."""

from __future__ import annotations

import math

from benchmarks.figures import Ratio, Row, against, ratio, rows_of


def row(what: str, *values: float) -> Row:
    return Row("case", what, "ms", values)


def test_a_round_that_was_slow_for_both_sides_leaves_the_ratio_alone() -> None:
    """The ratio is the median of the ratios round by round."""
    found = ratio("netlab / floor", row("netlab", 2, 20, 2), row("floor", 1, 10, 1))

    assert Ratio("netlab / floor", 2) == found


def test_a_floor_of_zero_gives_no_ratio() -> None:
    """A round whose lower figure is zero does not count; without any other there is no number."""
    assert math.isnan(ratio("x", row("netlab", 1), row("floor", 0)).value)


def test_a_peer_that_was_not_measured_has_no_ratio() -> None:
    """Only the others that are there are compared with, each with its own target."""
    rows = [row("netlab", 3), row("floor", 2), row("peer", 6)]

    assert [
        Ratio("case: netlab / floor", 1.5, "<= 2"),
        Ratio("case: netlab / peer", 0.5),
    ] == against(rows, "netlab", ("floor", "absent", "peer"), {"floor": "<= 2"})


def test_nothing_is_compared_with_a_row_that_is_not_there() -> None:
    """Without the row in question there are no ratios."""
    assert [] == against([row("floor", 2)], "netlab", ("floor",), {})


def test_values_are_scaled_to_their_unit() -> None:
    """Seconds become the unit that the row names."""
    assert [Row("case", "netlab", "ms", (1500.0, 2000.0))] == rows_of("case", "ms", {"netlab": [1.5, 2.0]}, 1000)
