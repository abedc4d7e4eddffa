"""A picture in the language of Graphviz."""

from __future__ import annotations

from collections.abc import Iterator

from netlab.pictures.model import Picture


def lines(picture: Picture) -> Iterator[str]:
    """Yield the lines of the graph."""
    yield f"digraph {_quoted(picture.title)} {{"
    for box in picture.boxes:
        yield f"  {_quoted(box.ident)} [label={_quoted(chr(10).join(box.lines))}];"
    for arrow in picture.arrows:
        yield f"  {_quoted(arrow.source)} -> {_quoted(arrow.target)} [label={_quoted(arrow.label)}];"
    yield "}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
