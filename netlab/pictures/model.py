"""A picture as a value: boxes in frames, arrows between boxes, and lines of text below.

A box or frame whose frame the picture does not have is in no frame.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from netlab.frozen import NamedTuple, frozen

BoxKind = Literal["pods", "host", "node", "namespace", "service", "bridge", "tunnel", "network", "policy", "outside"]
"""What a box stands for. ``outside`` stands for addresses that no machine of the lab has."""

Isolation = Literal["", "none", "ingress", "egress", "both"]
"""The directions in which policies isolate the pods of a box; "" if the question does not apply."""


@frozen
class Box:
    """One box.

    Attributes:
      ident: names the box in its picture, the same in each picture of the same input: ``shop/web``.
      lines: its text, the name first.
      frame: the ident of the frame that it is in, "" for none.
      count: the number of endpoints that it stands for.
      badges: short texts at its edge, as "from every pod: 53/UDP" in place of many arrows.
      note: more about it, a line each, which SVG and HTML show on hover.
      place: the file and line of the object, as ``FILE:LINE``.
      link: an address that a click opens; in a report a fragment of the page (``#group-3``).
    """

    ident: str
    kind: BoxKind
    lines: tuple[str, ...]
    frame: str = ""
    count: int = 1
    isolation: Isolation = ""
    badges: tuple[str, ...] = ()
    note: tuple[str, ...] = ()
    place: str = ""
    link: str = ""


@frozen
class Frame:
    """A frame around boxes, or around other frames: a namespace, a node.

    ``inside`` is the ident of the outer frame. ``note``, ``place`` and ``link`` are as those of a box.
    """

    ident: str
    kind: Literal["namespace", "node", "network", "group"]
    label: str
    inside: str = ""
    note: tuple[str, ...] = ()
    place: str = ""
    link: str = ""


@frozen
class Arrow:
    """An arrow from a box to a box, or to itself.

    Attributes:
      label: text on the arrow: ``5432/TCP``, or ``12/40`` for 12 open of 40.
      verdict: the expected verdict that it shows; "" for an arrow that shows none, as one of a wiring.
      both: whether it has a head at both ends.
      head: whether it has a head at all.
      note: more about it, a line each.
      place: the file and line that allow it, as ``FILE:LINE``.
    """

    source: str
    target: str
    label: str = ""
    verdict: Literal["", "allow", "deny", "some", "unknown"] = ""
    both: bool = False
    head: bool = True
    note: tuple[str, ...] = ()
    place: str = ""


class FrameContents(NamedTuple):
    """What is directly in a frame: boxes and frames with their numbers in the picture."""

    boxes: list[tuple[int, Box]]
    frames: list[tuple[int, Frame]]


@frozen
class Picture:
    """A picture. Boxes are in reading order: outside hosts first, then by namespace, nodes last.

    ``below`` has lines of text under it, as what a badge means and what is left out. ``unit`` says what a box stands
    for: ``workload``, ``group`` or ``namespace``.
    """

    title: str
    boxes: tuple[Box, ...]
    frames: tuple[Frame, ...] = ()
    arrows: tuple[Arrow, ...] = ()
    below: tuple[str, ...] = ()
    unit: str = ""

    def contents(self) -> Mapping[str, FrameContents]:
        """Return the boxes and frames that are directly in each frame, by its ident; "" for those in none."""
        idents = ("", *(frame.ident for frame in self.frames))
        found = {ident: FrameContents([], []) for ident in idents}
        for number, box in enumerate(self.boxes):
            found.get(box.frame, found[""]).boxes.append((number, box))
        for number, frame in enumerate(self.frames):
            found.get(frame.inside, found[""]).frames.append((number, frame))
        return found
