"""What all machines saw of a batch, merged: for each row what its source saw, and what its destination received."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from netlab.probe.machines.steps import ARRIVED, CONTROL, Seen, read_codes
from netlab.probe.verdicts import Evidence, verdict
from netlab.verdicts import Measured


class Collected:
    """The merged parts of all machines; a machine has no part where it is away.

    Attributes:
      out: for each row the place in ``known`` of what its source saw.
      into: for each row the bits ``ARRIVED`` and ``CONTROL``.
      strays: which other namespaces received the packet of a row.
      overflowed: the namespaces whose receive buffers overflowed.
      drops: why any packet of the batch may have been lost.
    """

    def __init__(self, rows: int, parts: Mapping[str, tuple[Mapping[str, Any], bytes]]) -> None:
        self.known: list[Seen] = [{}]
        codes: dict[tuple[tuple[str, str], ...], int] = {(): 0}
        self.out: Sequence[int] = bytes(rows)
        self.strays: dict[int, list[str]] = {}
        self.overflowed: set[str] = set()
        self._verdicts: dict[tuple[int, int], tuple[Measured, str]] = {}
        into, drops = 0, dict[str, None]()
        for machine, (head, data) in parts.items():
            size = len(data) - rows
            column, known = read_codes(head, data[:size])
            if len(column) != rows:
                raise ValueError("rows")
            into |= int.from_bytes(data[size:])
            for seen in known:
                key = tuple(sorted(seen.items()))
                if codes.setdefault(key, len(self.known)) == len(self.known):
                    self.known.append(seen)
            table = [codes[tuple(sorted(seen.items()))] for seen in known]
            self.out = _joined(self.out, column, table)
            for row, namespace in head["strays"]:
                self.strays.setdefault(row, []).append(namespace)
            self.overflowed |= set(head["overflowed"])
            drops |= {f"{why} (machine {machine})": None for why in head["drops"]}
        self.into = into.to_bytes(rows)
        self.drops = ", ".join(drops)

    def evidence(self, row: int) -> Evidence:
        """Return what was seen of a row, without what is on no machine's own."""
        bits = self.into[row]
        found = Evidence(arrived=bool(bits & ARRIVED), control=bool(bits & CONTROL))
        for field, words in self.known[self.out[row]].items():
            setattr(found, field, words)
        return found

    def verdict(self, row: int) -> tuple[Measured, str]:
        """Return the verdict that follows from ``evidence``."""
        key = self.out[row], self.into[row]
        known = self._verdicts.get(key)
        if known is None:
            known = self._verdicts[key] = verdict(self.evidence(row))
        return known

    def verdicts(self) -> list[tuple[Measured, str]]:
        """Return the verdict of each row."""
        known = self._verdicts
        pairs = list(zip(self.out, self.into, strict=True))
        for row, key in enumerate(pairs):
            if key not in known:
                self.verdict(row)
        return [known[key] for key in pairs]


def _joined(one: Sequence[int], other: Sequence[int], table: Sequence[int]) -> Sequence[int]:
    """Return a column with the values of another one, which stand for those of a table, where they are not zero."""
    if isinstance(one, bytes) and isinstance(other, bytes) and max(table) < 256:
        translated = other.translate(bytes(table).ljust(256, b"\0"))
        return (int.from_bytes(one) | int.from_bytes(translated)).to_bytes(len(one))
    return [mine or table[theirs] for mine, theirs in zip(one, other, strict=True)]
