"""Rows and their counts."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from netlab.report.rows import EndpointRow, Row, Tally, json_texts, outcome_of


def row(expected: str | None = None, measured: str | None = None, port: int | None = 80) -> Row:
    return Row("x/a", "y/b", 4, "TCP" if port else "ICMP", port, expected, measured, "because")


OUTCOMES = [
    ("allow", "allow", "agree"),
    ("deny", "deny", "agree"),
    ("allow", "deny", "differ"),
    ("deny", "allow", "differ"),
    ("deny", "inconclusive", "inconclusive"),
    ("allow", None, "allow"),
    (None, "deny", "deny"),
    (None, "inconclusive", "inconclusive"),
    ("unknown", "allow", "unknown"),
    ("unknown", "inconclusive", "unknown"),
    ("unknown", None, "unknown"),
]


@pytest.mark.parametrize(("expected", "measured", "outcome"), OUTCOMES)
def test_outcome(expected: str | None, measured: str | None, outcome: str) -> None:
    """Two verdicts agree or differ, one counts by itself, and an unknown one never agrees."""

    assert outcome == row(expected, measured).outcome


# What a comparison gets wrong, or could, and the answers that find it.
FAULTS: dict[str, tuple[Callable[[str | None, str | None], str], tuple[str | None, str | None]]] = {
    "what is unknown agrees": (
        lambda expected, measured: "agree" if expected == "unknown" and measured else outcome_of(expected, measured),
        ("unknown", "allow"),
    ),
    "what is unknown differs": (
        lambda expected, measured: "differ" if expected == "unknown" and measured else outcome_of(expected, measured),
        ("unknown", "inconclusive"),
    ),
    "what is lost is denied": (
        lambda expected, measured: outcome_of(expected, "deny" if measured == "inconclusive" else measured),
        ("deny", "inconclusive"),
    ),
    "only what is allowed has to agree": (
        lambda expected, measured: "agree" if expected == "deny" and measured else outcome_of(expected, measured),
        ("deny", "allow"),
    ),
    "what is measured is what is expected": (
        lambda expected, measured: outcome_of(expected, expected if measured else None),
        ("allow", "deny"),
    ),
}


@pytest.mark.parametrize(("fault", "finds"), FAULTS.values(), ids=FAULTS)
def test_a_wrong_comparison_is_found(
    fault: Callable[[str | None, str | None], str], finds: tuple[str | None, str | None]
) -> None:
    """The named verdicts have another outcome."""

    assert finds in {
        (expected, measured) for expected, measured, right in OUTCOMES if fault(expected, measured) != right
    }


def test_verdicts_that_the_command_lacks_are_left_out_of_the_data() -> None:
    """``reach`` has no ``measured``, ``probe`` no ``expected``; ICMP has a port that is null."""

    assert {
        "source": "x/a",
        "destination": "y/b",
        "family": 4,
        "protocol": "ICMP",
        "port": None,
        "measured": "deny",
        "reason": "because",
    } == row(measured="deny", port=None).data()
    assert "measured" not in row(expected="deny").data()


def test_a_tally_counts_rows_as_they_pass() -> None:
    """The summary of a comparison has five counts."""
    tally = Tally("verify")
    rows = [row("allow", "allow"), row("deny", "deny"), row("deny", "allow"), row("deny", "inconclusive")]

    assert rows == list(tally.count(rows))
    assert {"pairs": 4, "agree": 2, "differ": 1, "inconclusive": 1, "unknown": 0} == tally.data()
    assert "4 pairs: 2 agree, 1 differ, 1 inconclusive" == str(tally)


@pytest.mark.parametrize(("measured", "text"), [("allow", ", 0 inconclusive"), (None, "")])
def test_unknown_pairs_are_counted_separately(measured: str | None, text: str) -> None:
    """It neither agrees nor differs with any measured verdict, and does not change ``as_expected``."""
    tally = Tally("verify" if measured else "reach")
    rows = [row("unknown", measured), row("unknown", measured and "inconclusive"), row("allow", measured)]
    list(tally.count(rows))

    assert tally.as_expected
    assert 2 == tally.data()["unknown"]
    assert str(tally).endswith(f"{text or '0 deny'}, 2 unknown")


@pytest.mark.parametrize(
    ("rows", "as_expected"),
    [
        ([], True),
        ([row("allow", "allow")], True),
        ([row(expected="deny")], True),
        ([row("allow", "deny")], False),
        ([row(measured="inconclusive")], False),
    ],
    ids=["nothing", "agree", "expected only", "differ", "inconclusive"],
)
def test_only_differing_and_inconclusive_rows_are_not_as_expected(rows: list[Row], as_expected: bool) -> None:
    """Any verdict without an expected one is fine."""
    tally = Tally("verify")
    list(tally.count(rows))

    assert as_expected == tally.as_expected


def test_a_tally_without_comparison_counts_verdicts() -> None:
    """``reach`` and ``probe`` count allowed and denied pairs."""
    tally = Tally("probe")
    list(tally.count([row(measured="allow"), row(measured="deny"), row(measured="deny")]))

    assert {"pairs": 3, "agree": 0, "differ": 0, "inconclusive": 0, "allow": 1, "deny": 2} == tally.data()
    assert "3 pairs: 1 allow, 2 deny, 0 inconclusive" == str(tally)


def test_a_row_as_json_text_is_its_data_in_json():
    """Whatever characters a row has, and however many texts are kept."""
    rows = [
        Row(source, destination, family, protocol, port, expected, measured, reason, endpoints)
        for source, destination in (("x/a", "y/b"), ("y/b", "x/a"), ("x/ä", '"\\\n'))
        for family, protocol, port in ((4, "TCP", 80), (6, "ICMP", None), (4, "UDP", 80))
        for expected, measured in (("allow", None), (None, "deny"), ("deny", "inconclusive"))
        for reason in ("", 'not "sent"')
        for endpoints in ((), (EndpointRow("x/c", "10.0.0.1", 80, "allow"),))
    ]
    rows += [Row(f"x/p{i}", "y/b", 4, "TCP", 80, None, "deny", f"because {i}") for i in range(20_000)] + rows

    assert [json.dumps(one.data()) for one in rows] == list(json_texts(rows))
