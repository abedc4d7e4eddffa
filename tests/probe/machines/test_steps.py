"""Steps, answers, and what a coordinator makes of the parts of several machines."""

from __future__ import annotations

import zlib
from array import array
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netlab.probe.machines.batch import Batch
from netlab.probe.machines.channel import Ended, MemoryChannel
from netlab.probe.machines.collected import Collected
from netlab.probe.machines.steps import ARRIVED, CONTROL, ROWS, Columns, codes, packed, unpacked

NUMBER, SHORT = st.integers(0, 2**32 - 1), st.integers(0, 2**16 - 1)
RST = {"answered": "TCP RST"}


@given(st.lists(st.tuples(NUMBER, NUMBER, NUMBER, SHORT, SHORT), min_size=1, max_size=50))
def test_rows_are_the_same_on_the_other_side(rows: list[tuple[int, ...]]) -> None:
    """Every value of every column."""
    sent = Columns()
    sent.fill(rows)
    head, data = unpacked(packed([{"do": "prepare", "rows": len(rows)}], [sent.data()]))
    came = Columns(len(rows), data)

    assert [{"do": "prepare", "rows": len(rows)}] == head
    assert rows == list(zip(came.source, came.destination, came.to, came.form, came.port, strict=True))


@pytest.mark.parametrize("data", [b"", b"no", packed([1])[:-3], zlib.compress(bytes(1 << 27))])
def test_damaged_bytes_are_an_error(data: bytes) -> None:
    """Also those that would need much memory."""
    with pytest.raises(ValueError, match=r"compression|size"):
        unpacked(data)


@pytest.mark.parametrize("rows", [-1, 0, ROWS + 1])
def test_a_batch_has_a_number_of_rows_that_its_ids_allow(rows: int) -> None:
    """Two batches would share ids."""
    with pytest.raises(ValueError, match="rows"):
        Batch({"number": 1, "rows": rows, "forms": []}, bytes(max(0, rows) * 16))


def test_columns_without_all_rows_are_an_error() -> None:
    """What is missing is not taken for the row of another probe."""
    with pytest.raises(ValueError, match=r"rows|multiple"):
        Columns(3, bytes(2 * 16))


def _batch(rows: int) -> Batch:
    columns = Columns()
    columns.fill([(0, 1, 1, 0, 5000)] * rows)
    return Batch({"number": 1, "rows": rows, "forms": [["TCP", 80, 4, False, 1]]}, columns.data())


def _part(of: Batch) -> tuple[dict[str, Any], bytes]:
    head, column = codes(of.out, of.known)
    return head | {"strays": [], "overflowed": [], "drops": []}, column + bytes(of.into)


def test_the_first_answer_counts_and_the_last_rejection() -> None:
    """As on one machine."""
    batch = _batch(2)
    for words in ("TCP RST", "TCP SYN-ACK"):
        batch.note(0, "answered", words)
        batch.note(1, "rejected", words)

    assert [RST, {"rejected": "TCP SYN-ACK"}] == [batch.known[code] for code in batch.out]
    assert [True, False] == [batch.answered(0), batch.answered(1)]


def test_source_and_destination_add_to_one_evidence() -> None:
    """Each machine has its own numbers for what it saw."""
    source, destination, other = _batch(3), _batch(3), _batch(3)
    source.note(0, "answered", "TCP RST")
    destination.into[:] = bytes((ARRIVED, CONTROL, 0))
    other.note(2, "refused", "no route from source")
    other.note(1, "answered", "an ICMP error")
    other.out[1] = 0
    seen = Collected(3, {"a": _part(other), "b": _part(destination), "c": _part(source)})

    assert ["allow", "deny", "deny"] == [verdict for verdict, _ in seen.verdicts()]
    assert "not sent: no route from source" == seen.verdict(2)[1]


@pytest.mark.parametrize("rows", [200, 300, 700])
def test_rows_with_many_different_answers_are_merged(rows: int) -> None:
    """One byte for each row is enough for 256 values; more take two."""
    batches = [_batch(rows), _batch(rows)]
    for row in range(rows):
        batches[row % 2].note(row, "wrong_sender", f"TCP RST from 10.0.{row >> 8}.{row & 255}")
    seen = Collected(rows, {name: _part(of) for name, of in zip("ab", batches, strict=True)})

    assert [f"TCP RST from 10.0.{row >> 8}.{row & 255}" for row in range(rows)] == [
        seen.evidence(row).wrong_sender for row in range(rows)
    ]


def test_a_part_of_another_size_is_an_error() -> None:
    """Its rows would be those of other probes."""
    with pytest.raises(ValueError, match="rows"):
        Collected(2, {"a": _part(_batch(3))})


def test_a_machine_that_is_away_leaves_rows_inconclusive() -> None:
    """A destination alone proves that packets arrived, and no answer."""
    destination = _batch(1)
    destination.into[0] = ARRIVED

    assert "inconclusive" == Collected(1, {"b": _part(destination)}).verdict(0)[0]
    assert "inconclusive" == Collected(1, {}).verdict(0)[0]


def test_an_ended_run_has_no_more_steps() -> None:
    """A participant learns it at its next call."""
    channel = MemoryChannel(["a"])
    side = channel.participant("a")
    channel.post(0, b"step", ())

    assert (0, b"step") == side.next()
    assert side.next() is None
    channel.close()
    with pytest.raises(Ended):
        side.next()
    with pytest.raises(Ended):
        side.answer(0, b"")
    channel.free()


def test_codes_of_few_values_take_a_byte() -> None:
    """A matrix of a million pairs is some hundred kilobytes before compression."""
    assert [3, 6] == [len(codes(array("H", (0, 1, 0)), [{}] * number)[1]) for number in (256, 257)]
