"""The places of boxes and frames: the content of each frame in columns, callers left of what they call.

Columns are the longest ways from callers ("Methods for Visual Understanding of Hierarchical System Structures",
Sugiyama, Tagawa and Toda 1981). Inside a frame, boxes are sorted by the mean place of their neighbours. Frames keep
the order of the picture, so that a small change of the input moves little. Outside hosts are left, nodes right.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import ceil, sqrt

from netlab.frozen import frozen
from netlab.pictures.layout import STEP, Place
from netlab.pictures.model import Frame, Picture
from netlab.pictures.ranks import columns_of, heights, sorted_by_neighbours
from netlab.pictures.texts import NAME_WIDTH, TEXT_WIDTH, label_of, lines_of, title_of

_PADDING, _TITLE, _MARGIN = 20, 40, 20
_BESIDE, _BELOW, _BETWEEN_FRAMES = 50, 20, 40
WIDTH, HEIGHT = 1360, 860
"""The size of a screen: columns that are higher are divided, and what no arrow joins fills rows of this width."""


@frozen
class Placed:
    """The places of boxes and frames by their idents, and the size of all."""

    places: Mapping[str, Place]
    width: float
    height: float


@frozen
class _Block:
    """A box or a frame with the places of its content, relative to its own corner."""

    ident: str
    width: int
    height: int
    content: tuple[tuple[_Block, int, int], ...] = ()
    is_frame: bool = False


def place(picture: Picture) -> Placed:
    """Return the places of all boxes and frames of a picture."""
    content = _Content(picture)
    blocks, width, height = content.arranged("")
    places: dict[str, Place] = {}
    # Arrows run around everything.
    margin = _MARGIN + STEP * min(len(picture.arrows) // 6, 6)
    _spread(blocks, margin, margin, places)
    return Placed(places, width + 2 * margin, height + 2 * margin)


def _spread(blocks: Sequence[tuple[_Block, int, int]], x: int, y: int, places: dict[str, Place]) -> None:
    for block, left, top in blocks:
        places[block.ident] = Place(x + left, y + top, block.width, block.height)
        _spread(block.content, x + left, y + top, places)


def _up(size: float, step: int = STEP) -> int:
    return ceil(size / step) * step


class _Content:
    """What each frame has, and the arrows between the items of one frame."""

    def __init__(self, picture: Picture) -> None:
        self._boxes = {box.ident: box for box in picture.boxes}
        self._frames = {frame.ident: frame for frame in picture.frames}
        outer = {f.ident: f.inside if f.inside in self._frames else "" for f in picture.frames}
        outer |= {b.ident: b.frame if b.frame in self._frames else "" for b in picture.boxes}
        self._items: dict[str, list[str]] = {}
        first = {ident: at for at, ident in enumerate(outer)}
        for box in picture.boxes:
            # A frame has the place of its first box, so that the order is that of the boxes.
            at = box.ident
            while at := outer[at]:
                first[at] = min(first[at], first[box.ident])
        for ident in sorted(outer, key=lambda ident: first[ident]):
            self._items.setdefault(outer[ident], []).append(ident)
        self._arrows: dict[str, dict[tuple[str, str], float]] = {}
        for arrow in picture.arrows:
            if arrow.source in self._boxes and arrow.target in self._boxes:
                width = len(label_of(arrow)) * TEXT_WIDTH
                for item in _shared(outer, arrow.source, arrow.target):
                    of_frame = self._arrows.setdefault(item[0], {})
                    of_frame[item[1:]] = max(of_frame.get(item[1:], 0), width)

    def block(self, ident: str) -> _Block:
        """Return a box or a frame with its size."""
        if ident in self._boxes:
            lines = lines_of(self._boxes[ident])
            width = max(line.width for line in lines) + 2 * 8
            return _Block(ident, _up(max(width, 50), 2 * STEP), _up(sum(line.height for line in lines) + 10, 2 * STEP))
        frame: Frame = self._frames[ident]
        content, width, height = self.arranged(ident)
        # Room for arrows above and below the content.
        room = STEP * min(len(self._arrows.get(ident, ())) // 10, 4)
        width = max(width + 2 * _PADDING, _up(len(title_of(frame)) * NAME_WIDTH + 2 * _PADDING))
        moved = tuple((block, x + _PADDING, y + _TITLE + room) for block, x, y in content)
        return _Block(ident, width, height + _TITLE + _PADDING + 2 * room, moved, is_frame=True)

    def arranged(self, ident: str) -> tuple[list[tuple[_Block, int, int]], int, int]:
        """Return the items of a frame ("" for the picture) with their places, and the size of all."""
        blocks = {item: self.block(item) for item in self._items.get(ident, ())}
        arrows = self._arrows.get(ident, {})
        outermost = not ident
        left = [i for i in blocks if outermost and i in self._boxes and self._boxes[i].kind in ("host", "outside")]
        right = [i for i in blocks if outermost and i in self._boxes and self._boxes[i].kind == "node"]
        between = [i for i in blocks if i not in left and i not in right]
        inner = {pair: width for pair, width in arrows.items() if {*pair} <= {*between}}
        joined = {item for pair in inner for item in pair}
        columns = columns_of([i for i in between if i in joined], list(inner)) if joined else []
        if not outermost:
            columns = sorted_by_neighbours(columns, list(inner))
        loose = [i for i in between if i not in joined]
        columns = [part for column in columns for part in _divided(column, blocks)]
        if outermost:
            sides = sum(max((blocks[i].width for i in side), default=-100) + 100 for side in (left, right))
            columns = _narrowed(columns, blocks, WIDTH - sides)
        found, width, height = self._in_columns(columns, blocks, inner)
        rest = (
            _into_gaps(found, columns, [blocks[i] for i in loose], height) if outermost else [blocks[i] for i in loose]
        )
        found, width, height = _with_rows(found, width, height, rest, outermost)
        beside = [_room(side, arrows) for side in (left, right)]
        return _with_sides(found, width, height, [blocks[i] for i in left], [blocks[i] for i in right], beside)

    def _in_columns(
        self, columns: Sequence[Sequence[str]], blocks: Mapping[str, _Block], arrows: Mapping[tuple[str, str], float]
    ) -> tuple[list[tuple[_Block, int, int]], int, int]:
        column_of = {item: at for at, column in enumerate(columns) for item in column}
        found: list[tuple[_Block, int, int]] = []
        sizes = {item: block.height for item, block in blocks.items()}
        gap = _gap(blocks[item] for column in columns for item in column)
        tops = heights(columns, list(arrows), sizes, gap)
        x = 0
        for at, column in enumerate(columns):
            # The label of an arrow to the next column has room between the two; one of a longer arrow has more.
            labels = [w for pair, w in arrows.items() if {column_of[pair[0]], column_of[pair[1]]} == {at, at + 1}]
            passing = sum(min(column_of[i] for i in pair) <= at < max(column_of[i] for i in pair) for pair in arrows)
            found += [(blocks[item], x, tops[item]) for item in column]
            room = max(_BESIDE + STEP * min(passing, 8) // 2, _up(max(labels, default=0)) + 30)
            x += max(blocks[item].width for item in column) + (_up(room) if at + 1 < len(columns) else 0)
        return found, x, max((y + block.height for block, _, y in found), default=0)


def _room(side: Sequence[str], arrows: Mapping[tuple[str, str], float]) -> int:
    """Return the room between a side and the middle: for its arrows and their labels."""
    widths = [width for pair, width in arrows.items() if not {*pair}.isdisjoint(side)]
    return _up(max(2 * _BESIDE + STEP // 2 * min(len(widths), 12), max(widths, default=0) + 40))


def _gap(blocks: Iterable[_Block]) -> int:
    return _BETWEEN_FRAMES if any(block.is_frame for block in blocks) else _BELOW


def _divided(column: Sequence[str], blocks: Mapping[str, _Block]) -> list[list[str]]:
    """Return a column as columns of a screen's height; wide blocks stay one column, as no screen is so wide."""
    gap = _gap([blocks[i] for i in column])
    total = sum(blocks[item].height + gap for item in column)
    beside = max(1, WIDTH // max(blocks[item].width for item in column))
    parts: list[list[str]] = [[]]
    filled, most = 0, total / max(1, min(beside, ceil(total / HEIGHT)))
    for item in column:
        if parts[-1] and filled + blocks[item].height / 2 > most:
            parts.append([])
            filled = 0
        parts[-1].append(item)
        filled += blocks[item].height + gap
    return parts


def _narrowed(columns: list[list[str]], blocks: Mapping[str, _Block], most: int) -> list[list[str]]:
    """Return columns that are at most ``most`` wide: neighbouring columns become one, the lowest ones first.

    A column of boxes stays beside one of frames: arrows from a box above would cross the frames.
    """

    def width() -> int:
        return sum(max(blocks[i].width for i in column) + 2 * _BESIDE for column in columns) - 2 * _BESIDE

    def height(at: int) -> int:
        return sum(blocks[i].height + _BETWEEN_FRAMES for i in (*columns[at], *columns[at + 1]))

    def framed(column: list[str]) -> bool:
        return any(blocks[i].is_frame for i in column)

    columns = list(columns)
    while len(columns) > 1 and width() > most:
        alike = [at for at in range(len(columns) - 1) if framed(columns[at]) == framed(columns[at + 1])]
        lowest = min(alike, key=height, default=None)
        if lowest is None or height(lowest) > 2 * HEIGHT:
            break
        columns[lowest : lowest + 2] = [[*columns[lowest], *columns[lowest + 1]]]
    return columns


def _into_gaps(
    found: list[tuple[_Block, int, int]], columns: Sequence[Sequence[str]], loose: Sequence[_Block], height: int
) -> list[_Block]:
    """Place blocks below columns that are as wide and leave room; return those that have no such place."""
    gap = _gap([*loose, *(block for block, _, _ in found)])
    rest = []
    for block in loose:
        for column in columns:
            of = [one for one in found if one[0].ident in column]
            left, below = of[0][1], max(y + one.height for one, _, y in of) + gap
            widest = max(one.width for one, _, _ in of)
            stacked = [one for one in found if one[1] == left and one not in of]
            below = max([below, *(y + one.height + gap for one, _, y in stacked)])
            if block.width <= widest and below + block.height <= height:
                found.append((block, left, below))
                break
        else:
            rest.append(block)
    return rest


def _with_rows(
    found: list[tuple[_Block, int, int]], width: int, height: int, loose: Sequence[_Block], outermost: bool
) -> tuple[list[tuple[_Block, int, int]], int, int]:
    """Add blocks that no arrow joins, in rows below."""
    if not loose:
        return found, width, height
    gap = _gap([*loose, *(block for block, _, _ in found)]) if outermost else _BELOW
    area = sum((block.width + gap) * (block.height + gap) for block in loose)
    most = max(width, *(block.width for block in loose), min(WIDTH, int(sqrt(area * 2.2))))
    x, y, tallest = 0, height + gap if found else 0, 0
    for block in loose:
        if x and x + block.width > most:
            x, y, tallest = 0, y + tallest + gap, 0
        found.append((block, x, y))
        x, tallest = x + block.width + gap, max(tallest, block.height)
    right = max(x + block.width for block, x, _ in found)
    return found, max(width, right), max(y + block.height for block, _, y in found)


def _with_sides(
    found: list[tuple[_Block, int, int]],
    width: int,
    height: int,
    left: Sequence[_Block],
    right: Sequence[_Block],
    gaps: Sequence[int],
) -> tuple[list[tuple[_Block, int, int]], int, int]:
    """Add a column at the left and one at the right, from the top."""
    beside = 0
    for blocks, at_left in ((left, True), (right, False)):
        if not blocks:
            continue
        if at_left:
            beside = max(block.width for block in blocks) + gaps[0]
            found = [(block, x + beside, y) for block, x, y in found]
            x, width = 0, width + beside
        else:
            x = width + gaps[1]
            width = x + max(block.width for block in blocks)
        y = 0
        for block in blocks:
            found.append((block, x, y))
            y += block.height + _BELOW
        height = max(height, y - _BELOW)
    return found, width, height


def _shared(outer: Mapping[str, str], source: str, target: str) -> list[tuple[str, str, str]]:
    """Return the innermost frame that has both boxes, and its two items that have them; none for one item."""
    above: dict[str, str] = {}
    at = source
    while True:
        above[outer[at]] = at
        if not outer[at]:
            break
        at = outer[at]
    at = target
    while outer[at] not in above:
        at = outer[at]
    found = above[outer[at]]
    return [(outer[at], found, at)] if found != at else []
