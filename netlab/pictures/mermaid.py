"""A picture as a Mermaid flowchart, which hosts of repositories draw in Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from netlab.pictures.model import Picture

MOST = 20
"""The most boxes: a larger flowchart is unreadable."""


def lines(picture: Picture) -> Iterator[str]:
    """Yield the lines of the flowchart. If the picture has more than ``MOST`` boxes, a comment says so."""
    yield "flowchart LR"
    if len(picture.boxes) > MOST:
        yield f"  %% {len(picture.boxes)} boxes are too many for a flowchart; use: netlab graph -o svg"
        return
    number = {box.ident: f"n{at}" for at, box in enumerate(picture.boxes)}
    for box in picture.boxes:
        yield f'  {number[box.ident]}["{_escaped(" ".join(box.lines))}"]'
    for arrow in picture.arrows:
        yield f"  {number[arrow.source]} -->|{_escaped(arrow.label)}| {number[arrow.target]}"


def _escaped(text: str) -> str:
    return "".join(c if c.isalnum() or c in " -_./:=" else f"#{ord(c)};" for c in text)
