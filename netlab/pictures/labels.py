"""The places of labels: beside the arrow's longest stretch, where they hide no box, no arrow and no other label."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from netlab.pictures.layout import Place, Route
from netlab.pictures.model import Box, Frame
from netlab.pictures.texts import NAME_WIDTH, TEXT_WIDTH, label_of, title_of

_HEIGHT = 14
# Prices of what a label hides.
_OVER_BOX, _OVER_LABEL, _OVER_TITLE, _OVER_LINE = 100, 80, 60, 12
_MOST = 400


def with_labels(
    routes: Sequence[Route], boxes: Sequence[tuple[Box, Place]], frames: Sequence[tuple[Frame, Place]]
) -> list[Route]:
    """Return the routes with places of their labels; above a bound of routes, each in the middle of its way."""
    solid = [place for _, place in boxes]
    titles = [Place(at.x, at.y, min(at.width, len(title_of(f)) * NAME_WIDTH + 20), 28) for f, at in frames]
    lines = [(number, stretch) for number, one in enumerate(routes) for stretch in _stretches(one)]
    for _, at in frames:
        lines += [(-1, Place(x - 1, at.y, 2, at.height)) for x in (at.x, at.right)]
        lines += [(-1, Place(at.x, y - 1, at.width, 2)) for y in (at.y, at.bottom)]
    labels: list[Place] = []
    found = []
    for number, one in enumerate(routes):
        text = label_of(one.arrow)
        if not text:
            found.append(one)
            continue
        places = list(_candidates(one, len(text) * TEXT_WIDTH))
        if len(routes) <= _MOST:

            def price(at: tuple[Place, float], number: int = number) -> float:
                place, base = at
                base += _OVER_BOX * (place.x < 0 or place.y < 0)
                base += _OVER_BOX * sum(place.overlaps(other) for other in solid)
                base += _OVER_LABEL * sum(place.overlaps(other) for other in labels)
                base += _OVER_TITLE * sum(place.overlaps(other) for other in titles)
                return base + _OVER_LINE * sum(of != number and place.overlaps(line) for of, line in lines)

            place = min(places, key=price)[0]
        else:
            place = places[0][0]
        labels.append(place)
        found.append(replace(one, label=place))
    return found


def _stretches(one: Route) -> Iterator[Place]:
    for (x, y), (to_x, to_y) in zip(one.points, one.points[1:], strict=False):
        yield Place(min(x, to_x) - 1, min(y, to_y) - 1, abs(to_x - x) + 2, abs(to_y - y) + 2)


def _candidates(one: Route, width: float) -> Iterator[tuple[Place, float]]:
    """Yield places along an arrow with a price: above and below the lines across, right and left of the lines down."""
    stretches = list(zip(one.points, one.points[1:], strict=False))

    def length(at: int) -> float:
        (x, y), (to_x, to_y) = stretches[at]
        return abs(to_x - x) + abs(to_y - y) / 4

    for rank, at in enumerate(sorted(range(len(stretches)), key=lambda at: (-length(at), at))):
        (x, y), (to_x, to_y) = stretches[at]
        base = rank * 3.0
        if abs(to_x - x) >= abs(to_y - y):
            # What is wider than the line hides a corner.
            base += 6 if abs(to_x - x) < width else 0
            for share, more in ((0.5, 0), (0.75, 1), (0.25, 1), (1.0, 2), (0.0, 2)):
                room = max(abs(to_x - x) - width - 12, 0)
                left = min(x, to_x) + (6 + room * share if room else (abs(to_x - x) - width) / 2)
                middle = y + (to_y - y) * share
                yield Place(left, middle - _HEIGHT - 2, width, _HEIGHT), base + more
                yield Place(left, middle + 2, width, _HEIGHT), base + more + 2
        else:
            for share, more in ((0.5, 0), (0.75, 1), (0.25, 1), (0.9, 2), (0.1, 2)):
                top = y + (to_y - y) * share - _HEIGHT / 2
                yield Place(x + 4, top, width, _HEIGHT), base + more + 4
                yield Place(x - 4 - width, top, width, _HEIGHT), base + more + 5
