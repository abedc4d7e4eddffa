"""The truth table: sources by destinations with a mark for each pair, and details of some pairs below it.

Columns have names if they fit the width, else numbers. A table that is still too wide is cut into blocks.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

from netlab.frozen import frozen
from netlab.report.rows import Outcome, Row

ALLOW, DENY, PARTIAL, SOME, UNKNOWN, INCONCLUSIVE, DIFFER, NOT_ASKED = ".", "X", "p", "s", "u", "?", "!", "-"
MEANING = {
    ALLOW: "allow",
    DENY: "deny",
    PARTIAL: "some ports",
    SOME: "some endpoints",
    UNKNOWN: "unknown: a policy that netlab does not read could change it",
    INCONCLUSIVE: "inconclusive",
    DIFFER: "differs from what is expected",
    NOT_ASKED: "not asked",
}
_MARKS = {"allow": ALLOW, "deny": DENY, "some": SOME, "unknown": UNKNOWN}
# The most pairs with details for each mark.
_MOST = 50
# The gaps between columns: names are left-aligned, numbers right-aligned.
_BY_NAME, _BY_NUMBER = "  ", " "

AskedPort = tuple[int, str, int | None]
"""An IP family, a protocol, and its port; None for ICMP."""

Paint = Callable[[str, str], str]
"""Returns a text in the colour of a mark."""


@frozen
class Cell:
    """The outcome of a pair: its ports by verdict, and the mark of an outcome that needs details."""

    allowed: tuple[AskedPort, ...] = ()
    denied: tuple[AskedPort, ...] = ()
    some: tuple[AskedPort, ...] = ()
    unknown: tuple[AskedPort, ...] = ()
    flag: str = ""

    def after(self, row: Row) -> Cell:
        """Return the cell with one more row."""
        if row.outcome in ("differ", "inconclusive"):
            differs = self.flag == DIFFER or row.outcome == "differ"
            return replace(self, flag=DIFFER if differs else INCONCLUSIVE)
        port = row.family, row.protocol, row.port
        if row.outcome == "unknown":
            return replace(self, unknown=(*self.unknown, port))
        if row.verdict == "some":
            return replace(self, some=(*self.some, port))
        if row.verdict == "allow":
            return replace(self, allowed=(*self.allowed, port))
        return replace(self, denied=(*self.denied, port))

    @property
    def mark(self) -> str:
        if self.flag:
            return self.flag
        if len(self.parts) > 1:
            return PARTIAL
        return _MARKS[self.parts[0][0]] if self.parts else NOT_ASKED

    @property
    def parts(self) -> list[tuple[str, tuple[AskedPort, ...]]]:
        """The verdicts of the pair with their ports."""
        found = [("allow", self.allowed), ("deny", self.denied), ("some", self.some), ("unknown", self.unknown)]
        return [(verdict, ports) for verdict, ports in found if ports]


class _Cells:
    """The different cells by number; 0 is a pair that is not asked. They are few, however many pairs there are."""

    def __init__(self) -> None:
        self.known = [Cell()]
        self._numbers = {self.known[0]: 0}
        self._after: dict[tuple[int, int, str, int | None, str | None, str | None], tuple[int, bool]] = {}

    def number(self, cell: Cell) -> int:
        """Return the number of a cell."""
        found = self._numbers.setdefault(cell, len(self.known))
        if found == len(self.known):
            self.known.append(cell)
        return found

    def after(self, number: int, row: Row) -> tuple[int, bool]:
        """Return the number of a cell with one more row, and whether the row needs details."""
        key = (number, row.family, row.protocol, row.port, row.expected, row.measured)
        found = self._after.get(key)
        if found is None:
            became = self.number(self.known[number].after(row))
            found = self._after[key] = (became, row.outcome in ("differ", "inconclusive"))
        return found


class TruthTable:
    """Collects rows; ``lines`` prints them. A pair takes four bytes; rows are kept for pairs that need details.

    If many sources have equal cells, ``number`` and ``fill`` add cells instead of rows.
    """

    def __init__(self, rows: Iterable[Row] = (), destinations: Iterable[str] = ()) -> None:
        self._cells = _Cells()
        # By source: the number of a cell by the number of the destination.
        self._grid: dict[str, array[int]] = {}
        self._columns: dict[str, int] = {name: at for at, name in enumerate(destinations)}
        self._families: set[int] = set()
        self._flagged: dict[tuple[str, str], list[Row]] = {}
        flagged = Counter[Outcome]()
        for row in rows:
            self._families.add(row.family)
            column = self._columns.setdefault(row.destination, len(self._columns))
            cells = self._grid.get(row.source)
            if cells is None:
                cells = self._grid[row.source] = array("I")
            if column >= len(cells):
                cells.extend([0] * (len(self._columns) - len(cells)))
            cells[column], needs_details = self._cells.after(cells[column], row)
            if needs_details:
                pair = row.source, row.destination
                if pair not in self._flagged and flagged[row.outcome] < _MOST:
                    flagged[row.outcome] += 1
                    self._flagged[pair] = []
                if pair in self._flagged:
                    self._flagged[pair].append(row)
        for cells in self._grid.values():
            cells.extend([0] * (len(self._columns) - len(cells)))

    def number(self, cell: Cell) -> int:
        """Return the number of a cell for ``fill``; 0 is a pair that is not asked."""
        self._families.update(family for _, ports in cell.parts for family, _, _ in ports)
        return self._cells.number(cell)

    def fill(self, source: str, cells: array[int]) -> None:
        """Add a source with the numbers of its cells, one for each of the table's destinations."""
        self._grid[source] = cells

    @cached_property
    def _mark_of(self) -> list[str]:
        return [cell.mark for cell in self._cells.known]

    def lines(self, width: int, paint: Paint = lambda text, mark: text, *, wrong_first: bool = False) -> Iterator[str]:
        """Yield the table, the meaning of its marks, and details of partial, inconclusive and different pairs.

        With ``wrong_first`` the details of different and inconclusive pairs come before the table.
        """
        if not self._grid:
            return
        painted = {mark: paint(mark, mark) for mark in MEANING}
        used = {self._mark_of[number] for cells in self._grid.values() for number in set(cells)}
        wrong = [mark for mark in (DIFFER, INCONCLUSIVE) if mark in used]
        if wrong_first and wrong:
            for mark in wrong:
                yield from self._details(mark, painted[mark])
            yield ""
        yield from self._table(width, painted)
        yield "   ".join(f"{painted[mark]} {meaning}" for mark, meaning in MEANING.items() if mark in used)
        for mark in (PARTIAL, INCONCLUSIVE, DIFFER):
            if mark in used and not (wrong_first and mark in wrong):
                yield from self._details(mark, painted[mark])

    def fits(self, width: int) -> bool:
        """Say whether the table is one block on a page of a width."""
        digits = len(str(len(self._columns)))
        label = max((len(name) for name in self._grid), default=0) + digits + 2
        return label + len(self._columns) * (1 + digits) <= width

    @property
    def _destinations(self) -> list[str]:
        """The destinations as columns: in the order of the sources, then those that are not sources."""
        both = [name for name in self._grid if name in self._columns]
        return both + [name for name in self._columns if name not in self._grid]

    def _cell(self, source: str, destination: str) -> Cell:
        return self._cells.known[self._grid[source][self._columns[destination]]]

    def _mark(self, source: str, destination: str) -> str:
        return self._mark_of[self._grid[source][self._columns[destination]]]

    def _table(self, width: int, painted: Mapping[str, str]) -> Iterator[str]:
        sources, destinations = list(self._grid), self._destinations
        label = max(len("SOURCE"), *map(len, sources))
        if label + sum(2 + len(name) for name in destinations) <= width:
            yield from self._block([(name, name) for name in sources], destinations, destinations, _BY_NAME, painted)
            return
        numbers = {name: str(n) for n, name in enumerate(destinations, start=1)}
        digits = len(str(len(destinations)))
        named = [(f"{numbers.get(name, ''):>{digits}}  {name}", name) for name in sources]
        fit = max(1, (width - max(len(text) for text, _ in named)) // (1 + digits))
        for start in range(0, len(destinations), fit):
            part = destinations[start : start + fit]
            yield from self._block(named, part, [numbers[name].rjust(digits) for name in part], _BY_NUMBER, painted)
            if start + fit < len(destinations):
                yield ""
        others = [f"{numbers[name]} {name}" for name in destinations if name not in self._grid]
        if others:
            yield f"to {', '.join(others)}"

    def _block(
        self,
        sources: Sequence[tuple[str, str]],
        destinations: Sequence[str],
        header: Sequence[str],
        gap: str,
        painted: Mapping[str, str],
    ) -> Iterator[str]:
        label = max(len("SOURCE"), *(len(text) for text, _ in sources))
        yield gap.join(["SOURCE".ljust(label), *header])
        columns = [self._columns[destination] for destination in destinations]
        pads = [" " * (len(head) - 1) for head in header]
        marks = [painted[mark] for mark in self._mark_of]
        for text, source in sources:
            cells = self._grid[source]
            line = [text.ljust(label)]
            for column, pad in zip(columns, pads, strict=True):
                mark = marks[cells[column]]
                line.append(pad + mark if gap == _BY_NUMBER else mark + pad)
            yield gap.join(line).rstrip()

    def _details(self, mark: str, painted: str) -> Iterator[str]:
        destinations = self._destinations
        marked = {number for number, of in enumerate(self._mark_of) if of == mark}
        those = {source: cells for source, cells in self._grid.items() if not marked.isdisjoint(cells)}
        pairs = ((source, to) for source in those for to in destinations if self._mark(source, to) == mark)
        printed = 0
        for source, destination in pairs:
            if printed == _MOST:
                break
            if mark != PARTIAL and (source, destination) not in self._flagged:
                continue
            printed += 1
            head = f"{painted} {source} -> {destination}"
            if mark == PARTIAL:
                parts = self._cell(source, destination).parts
                yield f"{head}: {'; '.join(f'{verdict} {self._ports_text(ports)}' for verdict, ports in parts)}"
                continue
            for row in self._flagged[source, destination]:
                port = self._ports_text([(row.family, row.protocol, row.port)])
                yield f"{head} {port}: {_verdicts(row)}: {row.reason}"
        more = sum(sum(map(marked.__contains__, cells)) for cells in those.values()) - printed
        if more:
            yield f"{painted} and {more} more pairs; -o wide lists every row"

    def _ports_text(self, ports: Iterable[AskedPort]) -> str:
        return ", ".join(
            (protocol if port is None else f"{port}/{protocol}") + (f" over IPv{family}" if self._both else "")
            for family, protocol, port in ports
        )

    @property
    def _both(self) -> bool:
        return len(self._families) > 1


def _verdicts(row: Row) -> str:
    if row.expected is None:
        return row.verdict
    return f"expected {row.expected}, measured {row.measured}"
