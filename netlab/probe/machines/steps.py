"""Steps and answers as bytes: JSON, and columns with a number for each row of a batch, compressed together.

A step is a list of actions, each a dictionary with ``do``:

* ``ends`` numbers ends from the next free number on: ``ends`` has (reference, address) of each, with the reference ""
  for an address that no endpoint has.
* ``prepare`` makes a batch known: its ``number``, ``rows``, ``forms``, ``pairs`` and ``relays``, and its columns.
* ``send``, ``collect``, ``reply`` and ``forget`` name a batch by its ``number``.
* ``ask`` has questions to the kernels of namespaces (``probe/facts.py``).
* ``clear`` deletes the neighbours of the run, ``end`` ends it.

An answer has a result for each action, in order.
"""

from __future__ import annotations

import json
import zlib
from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Action = dict[str, Any]

# The most rows of a batch, and the ids of one: a row has an id for its probe, and one for the control that follows it.
ROWS = 1 << 13
IDS = 2 * ROWS
# Bits of a row in the column of destinations: its probe arrived, its control did, and its probe did a second time.
ARRIVED, CONTROL, TWICE = 1, 2, 4
# The most ends that one action numbers: a reference has up to 320 bytes.
ENDS = 1_500
# Bytes of a step or answer. etcd takes 1.5 MB.
MOST = 1_000_000
_MOST_PLAIN = 1 << 26
# Level 1 makes the columns of a matrix ten times as large as this one, and takes longer.
_LEVEL = 3


def packed(head: Any, columns: Iterable[bytes] = ()) -> bytes:
    """Return a value and columns as bytes."""
    text = json.dumps(head, separators=(",", ":")).encode()
    return zlib.compress(b"".join((len(text).to_bytes(4), text, *columns)), _LEVEL)


def unpacked(data: bytes) -> tuple[Any, bytes]:
    """Return the value and the columns, one after the other; raises ValueError where they are damaged."""
    stream = zlib.decompressobj()
    try:
        plain = stream.decompress(data, _MOST_PLAIN)
    except zlib.error as error:
        raise ValueError("compression") from error
    if not stream.eof:
        raise ValueError("size")
    end = 4 + int.from_bytes(plain[:4])
    return json.loads(plain[4:end]), plain[end:]


class Columns:
    """The rows of a batch, as columns.

    Attributes:
      source, destination: the numbers of the ends.
      to: the number of the end or address to which the packet is sent; of a control, the end that it goes through.
      form: the place of the row's form in the batch's forms.
      port: the source port.
    """

    def __init__(self, rows: int = 0, data: bytes = b"") -> None:
        self.source, self.destination, self.to = (array("I") for _ in range(3))
        self.form, self.port = (array("H") for _ in range(2))
        at = 0
        for column in self._all if rows else ():
            end = at + rows * column.itemsize
            column.frombytes(data[at:end])
            at = end
        if len(self.port) != rows:
            raise ValueError("rows")

    @property
    def _all(self) -> tuple[array[int], ...]:
        return self.source, self.destination, self.to, self.form, self.port

    def fill(self, rows: Sequence[tuple[int, ...]]) -> None:
        """Add rows, each with a value for each column."""
        for column, values in zip(self._all, zip(*rows, strict=True), strict=True):
            column.extend(values)

    def data(self) -> bytes:
        return b"".join(column.tobytes() for column in self._all)

    def __len__(self) -> int:
        return len(self.source)


# When a control follows a probe: never, where no answer came back, or always. An answer without an arrival comes from
# elsewhere, and the source does not know of arrivals; so all attempts but the first follow each probe.
NEVER, UNANSWERED, ALWAYS = range(3)
# A form: protocol, port, family, whether the source port chooses an endpoint, and when a control follows the probe.
Form = tuple[str, int, int, bool, int]
# What a source saw of a row: fields of ``Evidence`` by name. "" for a row of another machine, or with nothing seen.
Seen = Mapping[str, str]


def codes(column: array[int], known: Sequence[Seen]) -> tuple[dict[str, Any], bytes]:
    """Return the head and the bytes of a column of codes of ``known`` values: one byte each where that is enough."""
    wide = len(known) > 256
    return {"known": list(known), "wide": wide}, column.tobytes() if wide else bytes(column.tolist())


def read_codes(head: Mapping[str, Any], data: bytes) -> tuple[Sequence[int], Sequence[Seen]]:
    """Return a column of codes and the values that they stand for."""
    column: Sequence[int] = array("H", data) if head["wide"] else data
    return column, head["known"]
