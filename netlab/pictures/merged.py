"""Boxes and arrows that stand for several alike things: names and addresses of all become one box with a count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Interface, IPv6Interface
from textwrap import wrap
from typing import Literal

from netlab.errors import printable
from netlab.pictures.model import Arrow, Box, BoxKind
from netlab.pictures.texts import MOST, TIMES, in_numbers
from netlab.quantity import quantity

MOST_NOTES = 40
"""The most lines of a note."""
MOST_LETTERS = 60
"""The most characters of a text before it is divided into the lines of a box, which have at most ``MOST``."""
_PARTS_LINES = 4

AnyInterface = IPv4Interface | IPv6Interface


def one_line(text: str) -> str:
    """Return a text as one printable line of at most ``MOST_LETTERS`` characters."""
    shown = printable(text)
    return shown if len(shown) <= MOST_LETTERS else f"{shown[: MOST_LETTERS - 1]}…"


def bounded(lines: Iterable[str]) -> tuple[str, ...]:
    """Return lines for a note: the first ones, and the number of the others."""
    found = [printable(line) for line in lines]
    if len(found) <= MOST_NOTES:
        return tuple(found)
    return (*found[: MOST_NOTES - 1], f"and {len(found) - MOST_NOTES + 1:,} more")


@dataclass
class MergedBox:
    """A box that collects its members.

    Attributes:
      name: the first line of the box.
      facts: lines that are the same for every member.
      addresses: those of all members.
      parts: the names of its members' parts, as workloads, with the number of each.
      notes: a line for each member.
      counted: how the first line has the number of members: ``shop/web ×3``, ``shop: 17 pods``, or not at all.
    """

    ident: str
    kind: BoxKind
    name: str
    frame: str = ""
    facts: tuple[str, ...] = ()
    addresses: list[AnyInterface] = field(default_factory=list)
    parts: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    count: int = 0
    place: str = ""
    counted: Literal["", "×", "pods"] = ""

    def add(self, addresses: Iterable[AnyInterface], note: str) -> None:
        """Add a member."""
        self.count += 1
        self.addresses += addresses
        self.notes.append(note)

    @property
    def _heading(self) -> str:
        if self.counted == "pods":
            return f"{self.name}: {quantity(self.count, 'pod')}"
        return f"{self.name} {TIMES}{self.count:,}" if self.counted and self.count > 1 else self.name

    def box(self) -> Box:
        """Return the box of all members."""
        lines = (self._heading, *part_lines(self.parts), *address_lines(self.addresses), *self.facts)
        shown = tuple(part for line in lines for part in wrap(one_line(line), MOST) or [""])
        note, place = bounded(self.notes), printable(self.place)
        return Box(self.ident, self.kind, shown, self.frame, self.count, note=note, place=place)


@dataclass
class MergedArrow:
    """An arrow without a head that collects links of one kind between two boxes.

    Attributes:
      what: the kind of link, as text: ``veth``.
      after: text after the names, as an impairment.
      names: the names of the links' ends on the side of the source.
    """

    source: str
    target: str
    what: str
    after: str = ""
    names: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def arrow(self) -> Arrow:
        """Return the arrow of all links."""
        names = list(dict.fromkeys(self.names))
        of = self.what
        if len(names) == 1:
            of = names[0] if names[0].startswith(self.what) else f"{self.what} {names[0]}"
        elif names:
            of = f"{len(names):,} {self.what}s"
        label = ", ".join(filter(None, (of.strip(), self.after)))
        return Arrow(self.source, self.target, one_line(label), head=False, note=bounded(self.notes))


def address_lines(addresses: Sequence[AnyInterface]) -> list[str]:
    """Return a line for the addresses of each IP family: one address, or the first and the last of several."""
    lines = []
    for version in (4, 6):
        of = sorted((one for one in addresses if one.version == version), key=lambda one: (one.ip, one.network))
        if not of:
            continue
        lengths = sorted({one.network.prefixlen for one in of})
        if len(of) == 1:
            lines.append(str(of[0]))
        else:
            length = f" /{lengths[0]}" if len(lengths) == 1 else ""
            lines.append(f"{of[0].ip} … {of[-1].ip}{length}")
    return lines


def part_lines(parts: Mapping[str, int]) -> list[str]:
    """Return a few short lines with names and the number of each: ``api ×2, cache``."""
    lines: list[str] = []
    for name, count in sorted(parts.items()):
        text = one_line(f"{name} {TIMES}{count:,}" if count > 1 else name)
        if lines and len(lines[-1]) + len(text) + 2 <= MOST:
            lines[-1] += f", {text}"
        elif len(lines) < _PARTS_LINES:
            lines.append(text)
        else:
            lines[-1] += f", … ({len(parts):,} in all)"
            break
    return lines


def name_range(names: Sequence[str]) -> str:
    """Return the names of alike things: one, or the first and the last, and their number."""
    if len(names) == 1:
        return names[0]
    ordered = sorted(names, key=in_numbers)
    return f"{ordered[0]} … {ordered[-1]} {TIMES}{len(names):,}"
