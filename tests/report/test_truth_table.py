"""The truth table: golden tables, and what each mark stands for."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable

from netlab.report.rows import Row
from netlab.report.truth_table import TruthTable

NAMES = ("shop/web", "shop/api", "host:internet")


def rows(
    allowed: Iterable[str] = (), ports: tuple[int, ...] = (80,), family: int = 4, names: tuple[str, ...] = NAMES
) -> list[Row]:
    """Return every pair of the names; ``allowed`` lists ``SOURCE DESTINATION PORT``."""
    yes = set(allowed)
    return [
        Row(a, b, family, "TCP", port, expected="allow" if f"{a} {b} {port}" in yes else "deny")
        for a in names
        for b in names
        if a != b
        for port in ports
    ]


def table(found: Iterable[Row], width: int = 120) -> str:
    return "\n".join(TruthTable(found).lines(width))


def test_columns_have_names_where_they_fit() -> None:
    """A line for each source, a column for each destination, in one order, and the meaning of the marks."""

    assert """\
SOURCE         shop/web  shop/api  host:internet
shop/web       -         .         X
shop/api       X         -         X
host:internet  X         X         -
. allow   X deny   - not asked""" == table(rows(["shop/web shop/api 80"]))


def test_columns_have_numbers_where_names_do_not_fit() -> None:
    """A number before each source names the column of the same number."""

    assert """\
SOURCE           1 2 3
1  shop/web      - . X
2  shop/api      X - X
3  host:internet X X -
. allow   X deny   - not asked""" == table(rows(["shop/web shop/api 80"]), width=40)


def test_a_table_that_does_not_fit_is_cut_into_blocks() -> None:
    """Every block has all sources and some of the destinations."""
    lines = table(rows(), width=20).splitlines()

    assert ["SOURCE           1 2", "", "SOURCE           3"] == [
        line for line in lines if line.startswith("SOURCE") or not line
    ]


def test_destinations_that_are_no_sources_are_named_below_their_numbers() -> None:
    """A column is never without a name."""
    found = [Row("shop/web", f"192.0.2.{n}", 4, "TCP", 80, expected="deny") for n in range(1, 4)]

    assert "to 1 192.0.2.1, 2 192.0.2.2, 3 192.0.2.3" in table(found, width=30).splitlines()


def test_a_pair_with_some_open_ports_has_a_line_below() -> None:
    """``p`` means that ports differ; a line names them."""
    lines = table(rows(["shop/web shop/api 80"], ports=(80, 443), names=NAMES[:2])).splitlines()

    assert "shop/web  -         p" == lines[1]
    assert "X deny   p some ports   - not asked" == lines[3]
    assert ["p shop/web -> shop/api: allow 80/TCP; deny 443/TCP"] == lines[4:]


def test_families_are_named_where_both_are_asked() -> None:
    """A pair that is open over one family only is partial too."""
    found = [*rows(["shop/web shop/api 80"], names=NAMES[:2]), *rows(family=6, names=NAMES[:2])]

    assert "p shop/web -> shop/api: allow 80/TCP over IPv4; deny 80/TCP over IPv6" in table(found).splitlines()


def test_the_mark_for_differs_wins_over_inconclusive_and_verdicts() -> None:
    """One wrong port marks its pair; each wrong row has a line with the reason."""
    found = [
        Row("a/a", "a/b", 4, "TCP", 80, "allow", "allow", "fine"),
        Row("a/a", "a/b", 4, "TCP", 81, "allow", "inconclusive", "control lost"),
        Row("a/a", "a/b", 4, "ICMP", None, "allow", "deny", "never arrived"),
        Row("a/b", "a/a", 4, "TCP", 80, "allow", "allow", "fine"),
        Row("a/b", "a/a", 4, "TCP", 81, "allow", "inconclusive", "control lost"),
    ]

    assert """\
SOURCE  a/a  a/b
a/a     -    !
a/b     ?    -
? inconclusive   ! differs from what is expected   - not asked
? a/b -> a/a 81/TCP: expected allow, measured inconclusive: control lost
! a/a -> a/b 81/TCP: expected allow, measured inconclusive: control lost
! a/a -> a/b ICMP: expected allow, measured deny: never arrived""" == table(found)


def test_partial_pairs_beyond_fifty_are_counted() -> None:
    """The lines below the table stay few; ``-o wide`` has every row."""
    names = tuple(f"n/{n}" for n in range(9))
    found = rows((f"{a} {b} 80" for a in names for b in names), ports=(80, 81), names=names)

    assert "p and 22 more pairs; -o wide lists every row" == table(found).splitlines()[-1]


def test_pairs_that_differ_beyond_fifty_are_counted() -> None:
    """The first pairs have lines, and only their rows are kept."""
    names = [f"n/{n}" for n in range(9)]
    found = [Row(a, b, 4, "TCP", 80, "allow", "deny", "why") for a in names for b in names if a != b]
    lines = [line for line in table(found).splitlines() if line.startswith(("! n/", "! and"))]

    assert 51 == len(lines)
    assert "! n/0 -> n/1 80/TCP: expected allow, measured deny: why" == lines[0]
    assert "! n/6 -> n/1 80/TCP: expected allow, measured deny: why" == lines[49]
    assert "! and 22 more pairs; -o wide lists every row" == lines[-1]


def test_a_pair_costs_a_few_bytes() -> None:
    """No row is kept: each further pair takes about four bytes."""

    def peak(sources: int) -> int:
        names = [f"n/{n}" for n in range(200)]
        found = (Row(a, b, 4, "TCP", 80, "deny", "deny", f"{a} {b}") for a in names[:sources] for b in names)
        tracemalloc.start()
        table = TruthTable(found)
        size = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        assert next(table.lines(120))
        return size

    assert 20 * 100 * 200 > peak(200) - peak(100)


def test_colour_adds_nothing_to_the_width() -> None:
    """Blanks are outside the colour: the plain text of a coloured table is the plain table."""
    found = TruthTable(rows(["shop/web shop/api 80"]))
    coloured = [*found.lines(120, lambda text, mark: f"<{text}>"), *found.lines(40, lambda text, mark: f"<{text}>")]

    assert [*found.lines(120), *found.lines(40)] == [line.replace("<", "").replace(">", "") for line in coloured]


def test_no_rows_no_table() -> None:
    """A lab with a single pod has no pairs."""

    assert "" == table([])


def test_unknown_has_a_mark_of_its_own() -> None:
    """For any measured verdict; if other ports of the pair have verdicts, a line names them."""
    found = [
        Row("x/a", "x/b", 4, "TCP", 80, "unknown", "allow"),
        Row("x/b", "x/a", 4, "TCP", 80, "unknown", "allow"),
        Row("x/b", "x/a", 4, "TCP", 81, "deny", "deny"),
    ]

    assert """\
SOURCE  x/a  x/b
x/a     -    u
x/b     p    -
p some ports   u unknown: a policy that netlab does not read could change it   - not asked
p x/b -> x/a: deny 81/TCP; unknown 80/TCP""" == table(found)
