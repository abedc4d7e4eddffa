"""The text in a box and on an arrow, and its width in pixels.

The font is monospace, so that widths are known without a browser. Long text is clipped; the hover text has all of it.
"""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING, Literal

from netlab.frozen import frozen
from netlab.patterns import pattern
from netlab.pictures.model import Arrow, Box, Frame, Isolation

if TYPE_CHECKING:
    from netlab.cluster.types import Pod

SIGNS = {"unknown": "u ", "some": "s ", "deny": "X "}
"""The marks of a truth table, so that no verdict is told by its colour alone."""

TIMES = "\N{MULTIPLICATION SIGN}"
"""Before the number of endpoints that a box stands for."""

Role = Literal["name", "line", "open", "badge"]
"""What a line of a box is: its name, more about it, a direction that is not isolated, a badge."""

MOST = 34
"""The most characters of a line in a box."""
MOST_ON_ARROW = 36
# The width of a character in pixels at 12 and 11 pixels of height, rounded up over common monospace fonts.
NAME_WIDTH, TEXT_WIDTH = 7.4, 6.8
_HEIGHTS: dict[Role, int] = {"name": 18, "line": 15, "open": 15, "badge": 19}
_NUMBERS = pattern(r"([0-9]+)")
# int() refuses texts of more than 4,300 digits; no two names differ only after 18.
_MOST_DIGITS = 18
_OPEN: dict[Isolation, str] = {
    "none": "not isolated",
    "ingress": "egress not isolated",
    "egress": "ingress not isolated",
}


@frozen
class Line:
    """One line of a box; ``rows`` is the number of lines of its badge if it is the first of them, else 0."""

    text: str
    role: Role
    rows: int = 0

    @property
    def width(self) -> float:
        """The width in pixels; a badge has an edge."""
        each = NAME_WIDTH if self.role == "name" else TEXT_WIDTH
        return len(self.text) * each + (10 if self.role == "badge" else 0)

    @property
    def height(self) -> int:
        """The height in pixels."""
        return _HEIGHTS[self.role]


def lines_of(box: Box) -> tuple[Line, ...]:
    """Return the lines of a box: its name, its other lines, what is not isolated, its badges."""
    name, *others = box.lines or ("",)
    found = [Line(clipped(name), "name"), *(Line(clipped(other), "line") for other in others)]
    if box.isolation in _OPEN:
        found.append(Line(_OPEN[box.isolation], "open"))
    for badge in box.badges:
        rows = _wrapped(badge)
        found += [Line(row, "badge", len(rows) if row is rows[0] else 0) for row in rows]
    return tuple(found)


def _wrapped(text: str) -> list[str]:
    """Return a badge in lines, as it must be read whole; what is longer than three lines is clipped."""
    lines = wrap(text, MOST, break_on_hyphens=False)
    return [*lines[:2], clipped(" ".join(lines[2:]))] if len(lines) > 2 else lines


def all_lines(box: Box) -> list[str]:
    """Return all text of a box, not clipped; badges are in brackets."""
    found = [*box.lines, *([_OPEN[box.isolation]] if box.isolation in _OPEN else [])]
    return [*found, *(f"[{badge}]" for badge in box.badges)]


def title_of(frame: Frame) -> str:
    """Return the title of a frame."""
    return clipped(frame.label)


def whole_label(arrow: Arrow) -> str:
    """Return the sign of an arrow's verdict and its label, not clipped."""
    return f"{SIGNS.get(arrow.verdict, '')}{arrow.label}".strip()


def label_of(arrow: Arrow) -> str:
    """Return the text on an arrow."""
    return clipped(whole_label(arrow), MOST_ON_ARROW)


def workload_name(pod: Pod) -> str:
    """Return the name of a pod's workload without kind and namespace; a pod without a workload has its own."""
    return pod.workload.rpartition("/")[2] or pod.name


def in_numbers(name: str) -> list[tuple[int, str]]:
    """Return the sort key of a name by which ``node-2`` is before ``node-10``."""
    parts = _NUMBERS.split(name)
    return [(int(part[:_MOST_DIGITS]), "") if part.isdecimal() else (-1, part) for part in parts]


def clipped(text: str, most: int = MOST) -> str:
    """Return a text with its middle left out if it is longer than ``most`` characters."""
    if len(text) <= most:
        return text
    left = (most - 1) * 2 // 3
    return f"{text[:left]}…{text[len(text) - (most - 1 - left) :]}"
