"""A batch as a participant has it: rows of probes or controls, and what this machine saw of each."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any

from netlab.probe.decode import Observation
from netlab.probe.machines.steps import ROWS, Columns, Form, Seen

# More strays than these are not reported: they say nothing new.
_MOST_STRAYS = 1_000


class Batch:
    """A batch of rows; ``mine`` are the rows whose source is on this machine."""

    def __init__(self, action: dict[str, Any], data: bytes) -> None:
        rows = int(action["rows"])
        if not 0 < rows <= ROWS:
            raise ValueError("rows")
        self.number = int(action["number"])
        self.columns = Columns(rows, data)
        self.forms: list[Form] = [tuple(form) for form in action["forms"]]
        self.mine: Sequence[int] = ()
        self.into = bytearray(rows)
        self.arrivals: dict[int, Observation] = {}
        self.strays: dict[tuple[int, str], None] = {}
        # Keys of answers that have no id, so that they are forgotten with the batch.
        self.keys: list[tuple[int, bytes, int, int]] = []
        # What sources saw: a code for each row, the values that codes stand for, and the codes after one more field.
        self.out = array("H", bytes(2 * rows))
        self.known: list[Seen] = [{}]
        self._codes: dict[tuple[tuple[str, str], ...], int] = {(): 0}
        self._after: dict[tuple[int, str, str], int] = {}
        # Counters of lost packets before the first packet of the batch.
        self.drops: dict[str, int] = {}
        self.overflows = 0

    def note(self, row: int, field: str, words: str) -> None:
        """Note a field of the evidence of a row whose source is here; the first answer counts."""
        key = self.out[row], field, words
        code = self._after.get(key)
        if code is None:
            seen = dict(self.known[key[0]])
            seen[field] = seen.get(field, words) if field == "answered" else words
            code = self._codes.setdefault(tuple(sorted(seen.items())), len(self.known))
            if code == len(self.known):
                self.known.append(seen)
            self._after[key] = code
        self.out[row] = code

    def answered(self, row: int) -> bool:
        """Return whether an answer came back to the source."""
        return "answered" in self.known[self.out[row]]

    def stray(self, row: int, namespace: str) -> None:
        """Note that a namespace received the packet of a row that is not for it."""
        if len(self.strays) < _MOST_STRAYS:
            self.strays[row, namespace] = None
