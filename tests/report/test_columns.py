"""Tables of columns."""

from __future__ import annotations

from netlab.report import Row
from netlab.report.columns import columns, wide


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    """Three blanks apart, no blanks at the end, and a cell that is empty says so."""

    assert ["NAME     NODE", "a        node-1", "longer   <none>"] == list(
        columns(["NAME", "NODE"], [["a", "node-1"], ["longer", ""]])
    )


def test_wide_has_a_line_for_every_row_with_its_reason() -> None:
    """Answers that nobody asked for have no column."""
    row = Row("x/a", "y/b", 6, "ICMP", None, expected="deny", reason="no way")

    assert [
        "SOURCE   DESTINATION   FAMILY   PORT   EXPECTED   REASON",
        "x/a      y/b           IPv6     ICMP   deny       no way",
    ] == list(wide([row], "reach"))
