"""The truth table: sources by destinations, one mark a pair, and below it what a mark cannot say.

Columns have names where they fit the width, else numbers; a table that is too wide even so is cut into blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from netlab.report.rows import Row

ALLOW, DENY, PARTIAL, INCONCLUSIVE, DIFFER, NOT_ASKED = ".", "X", "p", "?", "!", "-"
MEANING = {
    ALLOW: "allow",
    DENY: "deny",
    PARTIAL: "some ports",
    INCONCLUSIVE: "inconclusive",
    DIFFER: "differs from what is expected",
    NOT_ASKED: "not asked",
}
_MOST = 50
# The gaps between columns: names stand left, numbers right.
_BY_NAME, _BY_NUMBER = "  ", " "

Service = tuple[int, str, int | None]
Paint = Callable[[str, str], str]
"""Colours a text by the mark that it belongs to."""


@dataclass(slots=True)
class Cell:
    """What became of one pair: the services by verdict, and the rows that need words."""

    allowed: list[Service] = field(default_factory=list)
    denied: list[Service] = field(default_factory=list)
    flagged: list[Row] = field(default_factory=list)

    @property
    def mark(self) -> str:
        if self.flagged:
            return DIFFER if any(row.outcome == "differ" for row in self.flagged) else INCONCLUSIVE
        if self.allowed and self.denied:
            return PARTIAL
        return ALLOW if self.allowed else DENY


class TruthTable:
    """Collects rows; ``lines`` prints them. Services are shared, so a pair costs one small cell."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._cells: dict[tuple[str, str], Cell] = {}
        self._sources: dict[str, None] = {}
        self._destinations: dict[str, None] = {}
        self._families: set[int] = set()
        known: dict[Service, Service] = {}
        for row in rows:
            self._sources.setdefault(row.source)
            self._destinations.setdefault(row.destination)
            self._families.add(row.family)
            cell = self._cells.setdefault((row.source, row.destination), Cell())
            service = (row.family, row.protocol, row.port)
            service = known.setdefault(service, service)
            if row.outcome in ("differ", "inconclusive"):
                cell.flagged.append(row)
            else:
                (cell.allowed if row.verdict == "allow" else cell.denied).append(service)

    def lines(self, width: int, paint: Paint = lambda text, mark: text) -> Iterator[str]:
        """Yield the table, the meaning of its marks, and in words what is partial, inconclusive or different."""
        if not self._cells:
            return
        yield from self._grid(width, paint)
        used = {self._mark(source, to) for source in self._sources for to in self._destinations}
        yield "   ".join(f"{paint(mark, mark)} {meaning}" for mark, meaning in MEANING.items() if mark in used)
        yield from self._in_words(PARTIAL, paint)
        yield from self._in_words(INCONCLUSIVE, paint)
        yield from self._in_words(DIFFER, paint)

    def _mark(self, source: str, destination: str) -> str:
        cell = self._cells.get((source, destination))
        return cell.mark if cell is not None else NOT_ASKED

    def _grid(self, width: int, paint: Paint) -> Iterator[str]:
        sources = list(self._sources)
        destinations = [name for name in sources if name in self._destinations]
        destinations += [name for name in self._destinations if name not in self._sources]
        label = max(len("SOURCE"), *map(len, sources))
        if label + sum(2 + len(name) for name in destinations) <= width:
            yield from self._block([(name, name) for name in sources], destinations, destinations, _BY_NAME, paint)
            return
        numbers = {name: str(n) for n, name in enumerate(destinations, start=1)}
        digits = len(str(len(destinations)))
        named = [(f"{numbers.get(name, ''):>{digits}}  {name}", name) for name in sources]
        fit = max(1, (width - max(len(text) for text, _ in named)) // (1 + digits))
        for start in range(0, len(destinations), fit):
            part = destinations[start : start + fit]
            yield from self._block(named, part, [numbers[name].rjust(digits) for name in part], _BY_NUMBER, paint)
            if start + fit < len(destinations):
                yield ""
        others = [f"{numbers[name]} {name}" for name in destinations if name not in self._sources]
        if others:
            yield f"to {', '.join(others)}"

    def _block(
        self,
        sources: Sequence[tuple[str, str]],
        destinations: Sequence[str],
        header: Sequence[str],
        gap: str,
        paint: Paint,
    ) -> Iterator[str]:
        label = max(len("SOURCE"), *(len(text) for text, _ in sources))
        yield gap.join(["SOURCE".ljust(label), *header])
        for text, source in sources:
            marks = [self._mark(source, destination) for destination in destinations]
            pads = [" " * (len(head) - 1) for head in header]
            cells = [
                pad + paint(mark, mark) if gap == _BY_NUMBER else paint(mark, mark) + pad
                for mark, pad in zip(marks, pads, strict=True)
            ]
            yield gap.join([text.ljust(label), *cells]).rstrip()

    def _in_words(self, mark: str, paint: Paint) -> Iterator[str]:
        pairs = [(pair, cell) for pair, cell in self._cells.items() if cell.mark == mark]
        for (source, destination), cell in pairs[:_MOST]:
            head = f"{paint(mark, mark)} {source} -> {destination}"
            if mark == PARTIAL:
                yield f"{head}: allow {self._services(cell.allowed)}; deny {self._services(cell.denied)}"
                continue
            for row in cell.flagged:
                service = self._services([(row.family, row.protocol, row.port)])
                yield f"{head} {service}: {_answers(row)}: {row.reason}"
        if len(pairs) > _MOST:
            yield f"{paint(mark, mark)} and {len(pairs) - _MOST} more pairs; -o wide lists every row"

    def _services(self, services: Iterable[Service]) -> str:
        return ", ".join(
            (protocol if port is None else f"{port}/{protocol}") + (f" over IPv{family}" if self._both else "")
            for family, protocol, port in services
        )

    @property
    def _both(self) -> bool:
        return len(self._families) > 1


def _answers(row: Row) -> str:
    if row.expected is None:
        return row.verdict
    return f"expected {row.expected}, measured {row.measured}"
