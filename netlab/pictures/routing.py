"""The paths of arrows: along the lines of a grid, around boxes, with few bends and crossings.

A* finds the cheapest path of each arrow; short arrows are first. To cross an earlier arrow has a price. To run along it
has a price so high that it is almost never paid. The search is bounded: after that, arrows are straight lines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from heapq import heappop, heappush
from math import inf

from netlab.pictures.layout import STEP, Place, Points, Route
from netlab.pictures.model import Arrow, Frame
from netlab.pictures.texts import NAME_WIDTH, title_of

# Prices, in steps of the grid.
_BEND, _CROSS, _SHARE, _BORDER, _TITLE, _NEAR, _TIGHT = 5, 5, 60, 3, 15, 1, 3
_OTHER_SIDE, _BACK = 8, 14
# Leaving the frame that both ends are in; less than sharing a cell.
_LEAVE = 25
# With 4 the search finds the cheapest path. With 6 the path is nearly as cheap, and a third of the states suffice.
_AHEAD = 6
MOST_STATES = 900_000
"""The most states of all searches of a picture; that is some two seconds."""
_MOST_CELLS = 400_000
_RIGHT, _LEFT, _DOWN, _UP = range(4)
# The directions in which a path may go on: not back.
_TURNS = ((0, 2, 3), (1, 2, 3), (0, 1, 2), (0, 1, 3))


def route(
    arrows: Sequence[Arrow],
    boxes: Mapping[str, Place],
    frames: Sequence[tuple[Frame, Place]],
    width: float,
    height: float,
) -> list[Route]:
    """Return the arrows with their paths, in their order. An arrow from a box to itself is left out."""
    grid = _Grid(boxes, frames, width, height)
    places = [place for _, place in frames]
    ways: dict[int, Points] = {}
    others = [at for at, arrow in enumerate(arrows) if arrow.source != arrow.target]

    def length(at: int) -> tuple[float, int]:
        a, b = boxes[arrows[at].source], boxes[arrows[at].target]
        return abs(a.x + a.width / 2 - b.x - b.width / 2) + abs(a.y + a.height / 2 - b.y - b.height / 2), at

    for at in sorted(others, key=length):
        source, target = boxes[arrows[at].source], boxes[arrows[at].target]
        ways[at] = grid.way(source, target, _around(source, target, places))
    return [Route(arrow, ways[at]) for at, arrow in enumerate(arrows) if at in ways]


class _Grid:
    """The cells of a picture: which are boxes, and which have arrows."""

    def __init__(
        self, boxes: Mapping[str, Place], frames: Sequence[tuple[Frame, Place]], width: float, height: float
    ) -> None:
        self._columns, self._rows = int(width) // STEP + 1, int(height) // STEP + 1
        size = self._columns * self._rows
        self._moves = (1, -1, self._columns, -self._columns)
        self._left = MOST_STATES if size <= _MOST_CELLS else 0
        # Bits: 1 a box, 2 an arrow across, 4 an arrow down, 8 a bend or an end.
        self._cells = bytearray(size if self._left else 0)
        # Prices of a step across and of one down.
        self._prices = (bytearray(len(self._cells)), bytearray(len(self._cells)))
        if self._left:
            for place in boxes.values():
                self._block(place)
            for frame, place in frames:
                self._enclose(frame, place)
            # The outermost cells are walls, so that no step leaves the grid.
            for cell in (*range(self._columns), *range(size - self._columns, size)):
                self._cells[cell] = 1
            for cell in range(0, size, self._columns):
                self._cells[cell] = self._cells[cell + self._columns - 1] = 1

    def _range(self, x: float, y: float, right: float, bottom: float) -> Iterator[int]:
        for row in range(max(0, int(y) // STEP), min(self._rows - 1, int(bottom) // STEP) + 1):
            first = row * self._columns
            yield from range(first + max(0, int(x) // STEP), first + min(self._columns - 1, int(right) // STEP) + 1)

    def _block(self, place: Place) -> None:
        for cell in self._range(place.x - STEP, place.y - STEP, place.right + STEP, place.bottom + STEP):
            for prices in self._prices:
                prices[cell] = max(prices[cell], _NEAR)
        for cell in self._range(place.x, place.y, place.right, place.bottom):
            self._cells[cell] |= 1

    def _enclose(self, frame: Frame, place: Place) -> None:
        for y in (place.y, place.bottom):
            for cell in self._range(place.x, y, place.right, y):
                self._prices[0][cell] += _BORDER
        for x in (place.x, place.right):
            for cell in self._range(x, place.y, x, place.bottom):
                self._prices[1][cell] += _BORDER
        right = min(place.right, place.x + len(title_of(frame)) * NAME_WIDTH + 20)
        for cell in self._range(place.x, place.y + STEP, right, place.y + 2 * STEP):
            for prices in self._prices:
                prices[cell] = _TITLE

    def way(self, source: Place, target: Place, frame: Place | None = None) -> Points:
        """Return the path from a box to another, and mark its cells as used; it stays in the frame if it can."""
        found = None
        if self._left > 0:
            self._charge(frame, _LEAVE)
            found = self._search(source, target)
            self._charge(frame, -_LEAVE)
        if found is None:
            return _straight(source, target)
        cells = found
        for at, cell in enumerate(cells):
            before, after = cells[max(at - 1, 0)], cells[min(at + 1, len(cells) - 1)]
            across = abs(cell - before) == 1 or abs(after - cell) == 1
            down = abs(cell - before) > 1 or abs(after - cell) > 1
            self._cells[cell] |= (2 if across else 0) | (4 if down else 0) | (8 if across and down else 0)
        points = [(cell % self._columns * STEP, cell // self._columns * STEP) for cell in cells]
        return _corners(points)

    def _charge(self, frame: Place | None, price: int) -> None:
        """Add to the price of each step onto the edge of a frame."""
        if frame is None:
            return
        sides = (
            (frame.x, frame.y, frame.right, frame.y),
            (frame.x, frame.bottom, frame.right, frame.bottom),
            (frame.x, frame.y, frame.x, frame.bottom),
            (frame.right, frame.y, frame.right, frame.bottom),
        )
        for cell in {cell for side in sides for cell in self._range(*side)}:
            for prices in self._prices:
                prices[cell] += price

    def _ports(self, box: Place, other: Place, is_source: bool) -> Iterator[tuple[int, int, int]]:
        """Yield the cells of a box's edge where an arrow may begin or end, the direction outwards, and the price."""
        column, row = int(box.x) // STEP, int(box.y) // STEP
        last_column, last_row = int(box.right) // STEP, int(box.bottom) // STEP
        # An arrow leaves at the right and arrives at the left, unless the other box is on the wrong side for that.
        onwards = other.x >= box.right if is_source else other.right <= box.x
        backwards = other.right <= box.x if is_source else other.x >= box.right
        ahead, behind = (_RIGHT, _LEFT) if is_source else (_LEFT, _RIGHT)
        prices = {ahead: _BACK if backwards else 0, behind: _BACK if onwards else 0 if backwards else _OTHER_SIDE}
        prices[_DOWN] = prices[_UP] = _OTHER_SIDE if onwards or backwards else 0
        for y in range(row + 1, last_row):
            off_middle = int(abs(y - (row + last_row) / 2))
            at_right, at_left = y * self._columns + last_column, y * self._columns + column
            yield at_right, _RIGHT, prices[_RIGHT] + off_middle + self._beside_used(at_right)
            yield at_left, _LEFT, prices[_LEFT] + off_middle + self._beside_used(at_left)
        for x in range(column + 1, last_column):
            off_middle = int(abs(x - (column + last_column) / 2) / 2)
            yield last_row * self._columns + x, _DOWN, prices[_DOWN] + off_middle
            yield row * self._columns + x, _UP, prices[_UP] + off_middle

    def _beside_used(self, cell: int) -> int:
        """Return the price of an end next to that of another arrow, as there is little room for labels."""
        return _TIGHT if (self._cells[cell - self._columns] | self._cells[cell + self._columns]) & 6 else 0

    def _search(self, source: Place, target: Place) -> list[int] | None:
        cells = self._cells
        ends = {
            cell: (outwards ^ 1, price)
            for cell, outwards, price in self._ports(target, source, is_source=False)
            if not cells[cell] & 6
        }
        rest = _distance_to(target, self._columns)

        best: dict[int, float] = {}
        came: dict[int, int] = {}
        heap: list[tuple[int, int, int]] = []
        for cell, outwards, price in self._ports(source, target, is_source=True):
            if not cells[cell] & 6:
                state = cell * 4 + outwards
                best[state] = price
                heappush(heap, (4 * price + _AHEAD * rest(cell), -price, state))
        while heap and self._left > 0:
            _, minus, state = heappop(heap)
            if -minus > best[state]:
                continue
            if state < 0:
                return _traced(~state, came)
            self._left -= 1
            for after, price in self._steps(state, -minus, ends):
                if price < best.get(after, inf):
                    best[after] = price
                    came[after if after >= 0 else ~after] = state
                    ahead = _AHEAD * rest(after >> 2) if after >= 0 else 0
                    heappush(heap, (4 * price + ahead, -price, after))
        return None

    def _steps(self, state: int, price: int, ends: Mapping[int, tuple[int, int]]) -> Iterator[tuple[int, int]]:
        """Yield the states after one and their prices; the last state of a path is negative.

        A state is the number of a cell times 4, plus the direction in which the path entered it.
        """
        cell, direction = state >> 2, state & 3
        cells = self._cells
        bend = price + _BEND + (_SHARE if cells[cell] & 6 else 0)
        for turn in (direction,) if cells[cell] & 1 else _TURNS[direction]:
            onto = cell + self._moves[turn]
            flags, down = cells[onto], turn >> 1
            cost = 1 + (price if turn == direction else bend)
            if flags & 1:
                end = ends.get(onto)
                if end is not None and end[0] == turn:
                    yield ~(onto * 4 + turn), cost + end[1]
                continue
            cost += self._prices[down][onto]
            if flags & (12 if down else 10):
                cost += _SHARE
            elif flags & 6:
                cost += _CROSS
            yield onto * 4 + turn, cost


def _around(source: Place, target: Place, frames: Sequence[Place]) -> Place | None:
    """Return the smallest frame with both boxes inside."""
    both = [frame for frame in frames if frame.contains(source) and frame.contains(target)]
    return min(both, key=lambda frame: frame.width * frame.height, default=None)


def _distance_to(target: Place, columns: int) -> Callable[[int], int]:
    left, right = int(target.x) // STEP, int(target.right) // STEP
    top, bottom = int(target.y) // STEP, int(target.bottom) // STEP

    def distance(cell: int) -> int:
        row, column = divmod(cell, columns)
        across = left - column if column < left else column - right if column > right else 0
        down = top - row if row < top else row - bottom if row > bottom else 0
        return across + down

    return distance


def _traced(state: int, came: Mapping[int, int]) -> list[int]:
    found = [state >> 2]
    while state in came:
        state = came[state]
        found.append(state >> 2)
    return found[::-1]


def _corners(points: Sequence[tuple[float, float]]) -> Points:
    """Return a path without the points on straight lines."""
    found = [points[0]]
    for at in range(1, len(points) - 1):
        (a, b), (c, d), (e, f) = points[at - 1 : at + 2]
        if (c - a, d - b) != (e - c, f - d):
            found.append(points[at])
    return (*found, points[-1])


def _straight(source: Place, target: Place) -> Points:
    """Return a straight line between the edges of two boxes."""
    ends = []
    for box, other in ((source, target), (target, source)):
        x, y = box.x + box.width / 2, box.y + box.height / 2
        dx, dy = other.x + other.width / 2 - x, other.y + other.height / 2 - y
        shrink = max(abs(dx) / (box.width / 2), abs(dy) / (box.height / 2), 1e-9)
        ends.append((x + dx / shrink, y + dy / shrink) if shrink > 1 else (x, y))
    return ends[0], ends[1]
