"""The places of boxes, frames and arrows, in pixels. The same picture always gets the same layout."""

from __future__ import annotations

from netlab.frozen import frozen
from netlab.pictures.model import Arrow, Box, Frame, Picture

# The width of a character of the font (monospace, 12 pixels), and the height of a line.
CHARACTER, LINE = 7.3, 17.0
_PADDING, _GAP = 10.0, 28.0


@frozen
class Place:
    """A rectangle: its upper left corner, its width and its height."""

    x: float
    y: float
    width: float
    height: float


@frozen
class Layout:
    """A picture with places: of boxes, of frames, and of arrows as lines from point to point."""

    width: float
    height: float
    boxes: tuple[tuple[Box, Place], ...]
    frames: tuple[tuple[Frame, Place], ...]
    arrows: tuple[tuple[Arrow, tuple[tuple[float, float], ...]], ...]


def lay_out(picture: Picture) -> Layout:
    """Return the layout of a picture."""
    places: dict[str, Place] = {}
    x = _GAP
    for box in picture.boxes:
        width = max(map(len, box.lines), default=0) * CHARACTER + 2 * _PADDING
        places[box.ident] = Place(x, _GAP, width, len(box.lines) * LINE + 2 * _PADDING)
        x += width + _GAP
    arrows = []
    for arrow in picture.arrows:
        a, b = places[arrow.source], places[arrow.target]
        arrows.append((arrow, ((a.x + a.width, a.y + a.height / 2), (b.x, b.y + b.height / 2))))
    height = max((place.y + place.height for place in places.values()), default=0.0) + _GAP
    boxes = tuple((box, places[box.ident]) for box in picture.boxes)
    return Layout(x, height, boxes, (), tuple(arrows))
