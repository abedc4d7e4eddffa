"""The places of boxes, frames and arrows, in pixels. The same picture always gets the same layout.

Boxes are placed from the inside out (``placing``): the content of each frame in columns, callers left of what they
call. Then arrows get paths around boxes (``routing``), and labels get places beside them (``labels``).
"""

from __future__ import annotations

from netlab.frozen import frozen
from netlab.pictures.model import Arrow, Box, Frame, Picture


@frozen
class Place:
    """A rectangle: its upper left corner, its width and its height."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """The x of the right edge."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """The y of the lower edge."""
        return self.y + self.height

    def overlaps(self, other: Place) -> bool:
        """Return whether the two share more than an edge."""
        across = self.x < other.right and other.x < self.right
        return across and self.y < other.bottom and other.y < self.bottom

    def contains(self, other: Place) -> bool:
        """Return whether the other is inside."""
        across = self.x <= other.x and other.right <= self.right
        return across and self.y <= other.y and other.bottom <= self.bottom


Points = tuple[tuple[float, float], ...]
STEP = 10
"""The grid in pixels: the corners of boxes and frames are on it, and arrows run along its lines."""


@frozen
class Route:
    """An arrow with its path, as points from its source to its target, and the place of its label."""

    arrow: Arrow
    points: Points
    label: Place | None = None


@frozen
class Layout:
    """A picture with places."""

    width: float
    height: float
    boxes: tuple[tuple[Box, Place], ...]
    frames: tuple[tuple[Frame, Place], ...]
    arrows: tuple[Route, ...]


def lay_out(picture: Picture) -> Layout:
    """Return the layout of a picture. Arrows to or from a box that the picture does not have are left out."""
    from netlab.pictures.labels import with_labels
    from netlab.pictures.placing import place
    from netlab.pictures.routing import route

    placed = place(picture)
    boxes = tuple((box, placed.places[box.ident]) for box in picture.boxes)
    frames = tuple((frame, placed.places[frame.ident]) for frame in picture.frames)
    drawn = [arrow for arrow in picture.arrows if arrow.source in placed.places and arrow.target in placed.places]
    routes = route(drawn, {box.ident: at for box, at in boxes}, frames, placed.width, placed.height)
    routes = with_labels(routes, boxes, frames)
    return Layout(placed.width, placed.height, boxes, frames, tuple(routes))
