"""Tables of columns."""

from __future__ import annotations

from netlab.report.columns import columns, wide
from netlab.report.rows import EndpointRow, Row


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    """Three blanks between columns, none at the end; an empty cell is ``<none>``."""

    assert ["NAME     NODE", "a        node-1", "longer   <none>"] == list(
        columns(["NAME", "NODE"], [["a", "node-1"], ["longer", ""]])
    )


def test_wide_has_a_line_for_every_row_with_its_reason() -> None:
    """Verdicts that the command does not have have no column."""
    row = Row("x/a", "y/b", 6, "ICMP", None, expected="deny", reason="no way")

    assert [
        "SOURCE   DESTINATION   FAMILY   PORT   EXPECTED   REASON",
        "x/a      y/b           IPv6     ICMP   deny       no way",
    ] == list(wide([row], "reach"))


def test_wide_has_the_backends_of_a_row() -> None:
    """With pod, address and port, and both verdicts where they differ; an address that no machine has has no pod."""
    backends = (
        EndpointRow("shop/db-0", "10.244.0.3", 5432, "allow", "allow"),
        EndpointRow("shop/db-1", "fd00::1", 5432, "allow", "deny"),
        EndpointRow("", "fd00::2", None, "deny"),
        EndpointRow("shop/db-2", "10.244.0.4", 53, None, "inconclusive"),
    )
    row = Row("x/a", "y/b", 4, "TCP", 80, "allow", "some", "differs", backends)
    (_, line) = wide([row], "verify")

    assert line.endswith(
        "   differs (endpoints: shop/db-0 10.244.0.3:5432 allow; shop/db-1 [fd00::1]:5432 deny, expected allow; "
        "fd00::2 deny; shop/db-2 10.244.0.4:53 inconclusive)"
    )


def test_wide_rows_are_printed_in_blocks(monkeypatch) -> None:
    """Rows are printed in blocks. Columns get wider for a later block."""
    monkeypatch.setattr("netlab.report.columns._BLOCK", 2)
    asked = []

    def rows():
        for name in ("x/a", "x/b", "x/longer", "x/c"):
            asked.append(name)
            yield Row(name, "y/b", 4, "TCP", 80, expected="deny", reason="why")

    lines = wide(rows(), "reach")
    first = [next(lines) for _ in range(3)]

    assert ["x/a", "x/b"] == asked
    assert "SOURCE   DESTINATION" == first[0][:20]
    assert ["x/longer   y/b", "x/c        y/b"] == [line[:14] for line in lines]
