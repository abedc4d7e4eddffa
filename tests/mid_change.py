"""The verdicts on a packet while one ruleset replaces another: a change takes effect between two lookups."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from netlab.ruleset import Ruleset
from netlab.testing.nft_text import SetText
from netlab.testing.tracer import Packet, Tracer


class SwitchingSets(Mapping[str, SetText]):
    """The sets of the old ruleset for the first ``first`` lookups, then those of the new one."""

    def __init__(self, old: Mapping[str, SetText], new: Mapping[str, SetText], first: int) -> None:
        self.old, self.new, self.left = old, new, first

    def __getitem__(self, name: str) -> SetText:
        self.left -= 1
        return (self.old if self.left >= 0 else self.new)[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.new)

    def __len__(self) -> int:
        return len(self.new)


def verdicts_during_change(before: Ruleset | str, after: Ruleset | str, packet: Packet) -> list[str]:
    """Return the verdict if the change takes effect before the first lookup, after each one, and after the last."""
    tracer, new = Tracer(before), Tracer(after).tables.sets
    old = tracer.tables
    found: list[str] = []
    left = -1
    while left < 0:
        sets = SwitchingSets(old.sets, new, len(found))
        tracer.tables = replace(old, sets=sets)  # type: ignore[arg-type]
        found.append(tracer.verdict(packet).verdict)
        left = sets.left
    return found
