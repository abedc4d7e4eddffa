"""A picture as a Mermaid flowchart, which hosts of repositories draw in Markdown.

Texts come from strangers, and a page of the repository shows them. Each character that is no letter, digit or blank is
written as its code (``#60;``), so no text becomes syntax, markup, a link or a script, or ends a block of Markdown.

Source: https://mermaid.js.org/syntax/flowchart.html, "Entity codes to escape characters".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from netlab.errors import UsageError, printable
from netlab.pictures.model import Arrow, FrameContents, Picture
from netlab.pictures.texts import all_lines, whole_label

MOST = 20
"""The most boxes: a larger flowchart is unreadable."""

# How the sides of a box are written: shapes tell kinds apart without colour.
_SHAPES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "pods": ("(", ")"),
        "tunnel": ("[/", "/]"),
        "network": ("[[", "]]"),
        "policy": (">", "]"),
        "outside": ("([", "])"),
        "host": ("([", "])"),
    }
)
_NO_WIDTH = "\u200b"
_DASHED = "classDef open stroke-dasharray:6 4,stroke-width:3px"


def fits(picture: Picture) -> bool:
    """Return whether a picture is small enough for a flowchart."""
    return len(picture.boxes) <= MOST


def lines(picture: Picture) -> Iterator[str]:
    """Yield the lines of the flowchart.

    Raises:
      UsageError: if the picture has more than ``MOST`` boxes.
    """
    if not fits(picture):
        many = f"{len(picture.boxes)} boxes are more than a Mermaid flowchart shows readably ({MOST})"
        raise UsageError(f"{many}; use -o svg, -o html or -o dot")
    numbers = {box.ident: number for number, box in enumerate(picture.boxes)}
    yield "flowchart LR"
    yield from _inside("", picture.contents(), 1)
    for arrow in picture.arrows:
        yield f"  n{numbers[arrow.source]} {_shaft(arrow)} n{numbers[arrow.target]}"
    if any(box.isolation == "none" for box in picture.boxes):
        yield f"  {_DASHED}"


def _inside(ident: str, contents: Mapping[str, FrameContents], depth: int) -> Iterator[str]:
    """Yield the lines of the boxes and frames in a frame."""
    indent = "  " * depth
    for number, box in contents[ident].boxes:
        left, right = _SHAPES.get(box.kind, ("[", "]"))
        text = "<br/>".join(_escaped(line) for line in all_lines(box))
        yield f'{indent}n{number}{left}"{text}"{right}{":::open" if box.isolation == "none" else ""}'
    for number, frame in contents[ident].frames:
        yield f'{indent}subgraph f{number}["{_escaped(frame.label)}"]'
        yield from _inside(frame.ident, contents, depth + 1)
        yield f"{indent}end"


def _shaft(arrow: Arrow) -> str:
    """Return the arrow in Mermaid's signs: dotted for what is not allowed or not known, thick for ``some``."""
    dotted = arrow.verdict in ("deny", "unknown")
    body = "-.-" if dotted else "===" if arrow.verdict == "some" else "---"
    if arrow.head:
        head = "x" if arrow.verdict == "deny" else ">"
        body = f"{body}{head}" if dotted else f"{body[:-1]}{head}"
    start = "<" if arrow.head and arrow.both else ""
    label = _escaped(whole_label(arrow))
    return f'{start}{body}|"{label}"|' if label else f"{start}{body}"


def _escaped(text: str) -> str:
    """Return a text in which each character that may have a meaning is written as its code."""
    shown = printable(" ".join(text.split()))
    # Mermaid decodes codes before it looks for formulas and icons, so an invisible blank divides these.
    shown = shown.replace("$", f"${_NO_WIDTH}").replace(":fa-", f":{_NO_WIDTH}fa-")
    return "".join(c if c == " " or c.isalnum() else f"#{ord(c)};" for c in shown)
