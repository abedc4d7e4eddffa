"""A picture as SVG: one element, light and dark, without scripts and without anything from elsewhere.

It may stand in a file of its own or, several times, in a page: it has no ids, and its classes begin with ``nl-``. It
follows the reader's system, or ``data-theme`` (``light``, ``dark``) of an element around it. All text of the input is
escaped. Links are fragments of the page only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from textwrap import wrap

from netlab.errors import printable
from netlab.pictures.layout import Layout, Place, Route, lay_out
from netlab.pictures.legend import signs
from netlab.pictures.model import Box, Frame, Picture
from netlab.pictures.svg_style import STYLE
from netlab.pictures.texts import TEXT_WIDTH, label_of, lines_of, title_of

_LINE, _MARGIN, _NARROWEST = 17, 20, 620


def lines(picture: Picture, *, below: bool = True) -> Iterator[str]:
    """Yield the lines of the SVG element.

    Args:
      picture: the picture.
      below: whether the text below is part of it; a page may have it as text of its own.
    """
    layout = lay_out(picture)
    width = max(layout.width, _NARROWEST)
    legend = [*signs(picture)]
    text = [
        line
        for paragraph in (picture.below if below else ())
        for line in wrap(printable(paragraph), int((width - 2 * _MARGIN) / TEXT_WIDTH)) or [""]
    ]
    height = layout.height + (len(legend) + len(text)) * _LINE + (_MARGIN if legend or text else 0)
    size = f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
    label = f'role="group" aria-label="{_escaped(picture.title)}"'
    yield f'<svg xmlns="http://www.w3.org/2000/svg" class="nl-picture" {size} {label}>'
    yield f"<title>{_escaped(picture.title)}</title>"
    yield f"<style>{STYLE}</style>"
    yield f'<rect class="nl-page" width="{width:.0f}" height="{height:.0f}"/>'
    yield from _content(layout)
    y = layout.height + 8
    for kind, words in legend:
        yield from _sign(kind, words, y)
        y += _LINE
    for line in text:
        y += _LINE
        yield f'<text class="nl-below" x="{_MARGIN}" y="{y - 4:.0f}">{_escaped(line)}</text>'
    yield "</svg>"


def _content(layout: Layout) -> Iterator[str]:
    for frame, place in layout.frames:
        yield from _frame(frame, place)
    for box, place in layout.boxes:
        yield from _box(box, place)
    for one in layout.arrows:
        yield from _arrow(one)
    # Labels are above all arrows.
    for one in layout.arrows:
        if one.label is not None:
            verdict = one.arrow.verdict
            at = f'x="{one.label.x + one.label.width / 2:.1f}" y="{one.label.y + 11:.1f}"'
            text = _escaped(label_of(one.arrow)) + _hover(one.arrow.note)
            yield f'<text class="nl-label nl-{verdict or "plain"}" {at}>{text}</text>'


def _frame(frame: Frame, place: Place) -> Iterator[str]:
    yield f'<g class="nl-frame nl-{frame.kind}" {_data(frame.ident, frame.place)}>'
    yield _hover((frame.label, *frame.note, frame.place))
    yield f"<rect {_at(place)} rx='6'/>"
    title = f'<text x="{place.x + 12:.0f}" y="{place.y + 20:.0f}">{_escaped(title_of(frame))}</text>'
    yield _linked(title, frame.link)
    yield "</g>"


def _box(box: Box, place: Place) -> Iterator[str]:
    isolation = " nl-open" if box.isolation == "none" else ""
    yield f'<g class="nl-box nl-{box.kind}{isolation}" {_data(box.ident, box.place)} data-count="{box.count}">'
    yield _hover((*box.lines, *box.badges, *box.note, box.place))
    rounded = 14 if box.kind in ("outside", "network") else 3 if box.kind in ("host", "node", "bridge", "tunnel") else 6
    inside = [f'<rect class="nl-edge" {_at(place)} rx="{rounded}"/>']
    shown = lines_of(box)
    y = place.y + (place.height - sum(line.height for line in shown)) / 2
    middle = place.x + place.width / 2
    for number, line in enumerate(shown):
        if line.rows:
            of = shown[number : number + line.rows]
            width = max(one.width for one in of)
            size = f'width="{width:.0f}" height="{sum(one.height for one in of) - 3}"'
            inside.append(f'<rect class="nl-pill" x="{middle - width / 2:.0f}" y="{y + 2:.0f}" {size} rx="8"/>')
        at = f'x="{middle:.0f}" y="{y + line.height - 5:.0f}"'
        inside.append(f'<text class="nl-{line.role}" {at}>{_escaped(line.text)}</text>')
        y += line.height
    yield _linked("".join(inside), box.link)
    yield "</g>"


def _arrow(one: Route) -> Iterator[str]:
    arrow = one.arrow
    yield f'<g class="nl-arrow nl-{arrow.verdict or "plain"}" {_data(f"{arrow.source} {arrow.target}", arrow.place)}>'
    yield _hover((f"{arrow.source} to {arrow.target}: {arrow.label}", *arrow.note, arrow.place))
    way = _rounded(one.points)
    # A wide line without colour, so that the hover text is easy to reach.
    yield f'<path class="nl-near" d="{way}"/><path class="nl-way" d="{way}"/>'
    if arrow.head:
        yield _head(one.points[-2], one.points[-1])
        if arrow.both:
            yield _head(one.points[1], one.points[0])
    yield "</g>"


def _rounded(points: Sequence[tuple[float, float]], radius: float = 5) -> str:
    """Return a path with round corners."""
    parts = [f"M{points[0][0]:.0f},{points[0][1]:.0f}"]
    for before, (x, y), after in zip(points, points[1:], points[2:], strict=False):
        (a, b), (c, d) = _towards((x, y), before, radius), _towards((x, y), after, radius)
        parts.append(f"L{a:.1f},{b:.1f}Q{x:.0f},{y:.0f} {c:.1f},{d:.1f}")
    parts.append(f"L{points[-1][0]:.0f},{points[-1][1]:.0f}")
    return "".join(parts)


def _towards(point: tuple[float, float], other: tuple[float, float], most: float) -> tuple[float, float]:
    (x, y), (to_x, to_y) = point, other
    length = ((to_x - x) ** 2 + (to_y - y) ** 2) ** 0.5 or 1
    share = min(most, length / 2) / length
    return x + (to_x - x) * share, y + (to_y - y) * share


def _head(before: tuple[float, float], tip: tuple[float, float]) -> str:
    (x, y), (to_x, to_y) = tip, before
    length = ((to_x - x) ** 2 + (to_y - y) ** 2) ** 0.5 or 1
    a, b = x + (to_x - x) * 9 / length, y + (to_y - y) * 9 / length
    dx, dy = (x - a) * 0.45, (y - b) * 0.45
    return f'<path class="nl-head" d="M{x:.1f},{y:.1f}L{a - dy:.1f},{b + dx:.1f}L{a + dy:.1f},{b - dx:.1f}Z"/>'


def _sign(kind: str, words: str, y: float) -> Iterator[str]:
    """Draw one line of the legend: a sign and what it means."""
    middle = y + _LINE / 2
    area = f'x="{_MARGIN}" y="{y + 3:.0f}" width="28" height="11"'
    if kind == "open":
        yield f'<g class="nl-box nl-open"><rect class="nl-edge" {area} rx="3"/></g>'
    elif kind == "badge":
        yield f'<rect class="nl-pill" {area} rx="5"/>'
    else:
        ends = ((_MARGIN, middle), (_MARGIN + 28.0, middle))
        yield f'<g class="nl-arrow nl-{kind}"><path class="nl-way" d="{_rounded(ends)}"/>{_head(*ends)}</g>'
    yield f'<text class="nl-below" x="{_MARGIN + 38}" y="{y + 13:.0f}">{_escaped(words)}</text>'


def _at(place: Place) -> str:
    return f'x="{place.x:.0f}" y="{place.y:.0f}" width="{place.width:.0f}" height="{place.height:.0f}"'


def _data(ident: str, place: str) -> str:
    return f'data-ident="{_escaped(ident)}"' + (f' data-place="{_escaped(place)}"' if place else "")


def _hover(texts: Sequence[str]) -> str:
    shown = "\n".join(_escaped(text) for text in dict.fromkeys(texts) if text)
    return f"<title>{shown}</title>" if shown else ""


def _linked(inside: str, link: str) -> str:
    return f'<a href="{_escaped(link)}">{inside}</a>' if link.startswith("#") else inside


def _escaped(text: str) -> str:
    """Return text for an element or an attribute: characters that XML forbids are printed as escapes."""
    return escape(printable(text))
