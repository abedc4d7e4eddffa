"""Results as people and as programs read them."""

from __future__ import annotations

import json

import pytest

from benchmarks.figures import Ratio, Result, Row
from benchmarks.tables import document, number, text

RESULT = Result(
    "bringup",
    "labs made",
    (Row("50 pods", "netlab up", "ms/pod", (2.0, 4.0, 3.0)), Row("50 pods", "floor up", "ms/pod", (1.5, 1.5, 1.5))),
    (Ratio("50 pods: netlab up / floor up", 2.0, "<= 2"), Ratio("no floor", float("nan"))),
    ("mininet: not on this host",),
    seconds=12.3,
)


def test_a_table_shows_every_row_ratio_and_absent_peer() -> None:
    """Medians with their spread, ratios with their targets, and a word on what could not be measured."""
    expected = """\
bringup: labs made (12 s)

CASE      WHAT        MEDIAN   LOW    HIGH   ROUNDS   UNIT
50 pods   netlab up   3.00     2.00   4.00   3        ms/pod
50 pods   floor up    1.50     1.50   1.50   3        ms/pod

RATIO                           VALUE   TARGET
50 pods: netlab up / floor up   2.00    <= 2
no floor                        nan

mininet: not on this host
"""

    assert expected == text(RESULT)


def test_json_holds_every_single_round() -> None:
    """Readers can do their own statistics; NaN is null."""
    found = json.loads(document({"processors": 2}, [RESULT]))

    assert {"processors": 2} == found["machine"]
    assert [2.0, 4.0, 3.0] == found["results"][0]["rows"][0]["values"]
    assert [2.0, None] == [one["value"] for one in found["results"][0]["ratios"]]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, "0"),
        (0.01234, "0.0123"),
        (1.5, "1.50"),
        (54.21, "54.2"),
        (999.6, "1,000"),
        (18455.2, "18,455"),
        (-9.41, "-9.41"),
    ],
)
def test_three_digits_count(value: float, expected: str) -> None:
    """A figure is printed with three significant digits."""
    assert expected == number(value)
