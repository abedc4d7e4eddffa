"""The comparison of two revisions."""

from __future__ import annotations

from benchmarks.compare import figures, table


def run(value: float) -> dict[tuple[str, str, str], float]:
    return {("startup", "start", "netlab --help, ms"): value}


def test_the_ratio_is_of_pairs_measured_together() -> None:
    """A time in which both were slow does not change the ratio."""
    expected = """\
FIGURE                              V1     WORKING TREE   RATIO   OF THE PAIRS
startup: start: netlab --help, ms   20.0   40.0           2.00    1.90 to 2.50
"""

    assert expected == table("v1", [run(10), run(100), run(20)], [run(25), run(190), run(40)])


def test_a_figure_that_one_revision_lacks_is_left_out() -> None:
    """A new figure has no counterpart."""
    other = {("startup", "start", "netlab check, ms"): 3.0}

    assert 1 == len(table("v1", [run(10)], [other]).splitlines())


def test_figures_are_the_medians_of_a_run() -> None:
    """Each is known by its benchmark, its case, what it is and in which unit."""
    row = {"case": "start", "what": "netlab --help", "unit": "ms", "median": 12.0, "values": [12.0]}

    assert run(12.0) == figures({"results": [{"name": "startup", "rows": [row]}]})
