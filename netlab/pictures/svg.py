"""A picture as SVG: one file, light and dark, without anything from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from netlab.pictures.layout import LINE, lay_out
from netlab.pictures.model import Picture


def lines(picture: Picture) -> Iterator[str]:
    """Yield the lines of the SVG element, which may stand in a file of its own or in a page."""
    layout = lay_out(picture)
    size = f'width="{layout.width:.0f}" height="{layout.height:.0f}"'
    yield f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">'
    yield f"<title>{escape(picture.title)}</title>"
    for _, points in layout.arrows:
        yield f'<polyline points="{" ".join(f"{x:.0f},{y:.0f}" for x, y in points)}" stroke="black" fill="none"/>'
    for box, at in layout.boxes:
        yield f'<rect x="{at.x:.0f}" y="{at.y:.0f}" width="{at.width:.0f}" height="{at.height:.0f}" fill="none"/>'
        for number, line in enumerate(box.lines, 1):
            yield f'<text x="{at.x:.0f}" y="{at.y + number * LINE:.0f}">{escape(line)}</text>'
    yield "</svg>"
