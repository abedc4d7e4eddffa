"""A picture in the language of Graphviz: frames are clusters, notes are tooltips.

Texts come from strangers. They stand in quoted strings only, where a quotation mark and a backslash are escaped,
and ``&``, ``<`` and ``>`` are the entities of HTML, which Graphviz reads. Names of nodes and clusters are numbers.

Source: https://graphviz.org/doc/info/lang.html, and "escString" and "lblString" in its list of attribute types.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from types import MappingProxyType

from netlab.errors import printable
from netlab.patterns import pattern
from netlab.pictures.model import Arrow, Box, FrameContents, Picture
from netlab.pictures.texts import all_lines, whole_label

_GRAPH = (
    'graph [rankdir=LR, fontname="sans-serif", fontsize=12, labelloc=t, compound=true, nodesep=0.2, ranksep=0.6];',
    'node [shape=box, style="rounded", fontname="monospace", fontsize=11, margin="0.12,0.06"];',
    'edge [fontname="monospace", fontsize=10, arrowsize=0.7];',
)
# Shapes tell kinds apart without colour.
_SHAPES: Mapping[str, str] = MappingProxyType(
    {
        "bridge": 'shape=box, style="filled", fillcolor="#eeeeee"',
        "tunnel": 'shape=box, style="rounded", peripheries=2',
        "network": 'shape=box, style="filled,rounded", fillcolor="#eeeeee"',
        "policy": "shape=note",
        "outside": "shape=ellipse",
        "host": "shape=ellipse",
    }
)
# A picture shows what is not isolated by a dashed edge.
_ISOLATIONS: Mapping[str, str] = MappingProxyType(
    {
        "none": 'style="dashed,bold", color="#b00020"',
        "ingress": 'style="rounded"',
        "egress": 'style="dashed,rounded"',
        "both": 'style="rounded"',
    }
)
_VERDICTS: Mapping[str, str] = MappingProxyType(
    {
        "": "",
        "allow": 'color="#1b7f3b"',
        "deny": 'color="#b00020", style=dashed, arrowhead=tee',
        "some": 'color="#9a6700", style=bold',
        "unknown": 'color="#6639ba", style=dotted',
    }
)
_FRAGMENT = pattern(r"#[A-Za-z0-9_.:-]{1,200}")
_MOST_LETTERS = 8_000


def lines(picture: Picture) -> Iterator[str]:
    """Yield the lines of the graph."""
    numbers = {box.ident: number for number, box in enumerate(picture.boxes)}
    yield "digraph picture {"
    yield f"  label={_label((picture.title, *picture.below))};"
    yield from (f"  {line}" for line in _GRAPH)
    yield from _inside("", picture.contents(), 1)
    for arrow in picture.arrows:
        yield f"  n{numbers[arrow.source]} -> n{numbers[arrow.target]} [{_of_arrow(arrow)}];"
    yield "}"


def _inside(ident: str, contents: Mapping[str, FrameContents], depth: int) -> Iterator[str]:
    """Yield the lines of the boxes and frames in a frame."""
    indent = "  " * depth
    for number, box in contents[ident].boxes:
        yield f"{indent}n{number} [{_of_box(box)}];"
    for number, frame in contents[ident].frames:
        yield f"{indent}subgraph cluster_{number} {{"
        tooltip = _label(_notes(frame.note, frame.place))
        yield f'{indent}  label={_label([frame.label])}; tooltip={tooltip}; style="rounded";'
        yield from _inside(frame.ident, contents, depth + 1)
        yield f"{indent}}}"


def _of_box(box: Box) -> str:
    parts = [f"label={_label(all_lines(box))}"]
    parts += [_SHAPES.get(box.kind, ""), _ISOLATIONS.get(box.isolation, "")]
    parts += [f"tooltip={_label(_notes(box.note, box.place) or box.lines)}"]
    if _FRAGMENT.fullmatch(box.link):
        parts.append(f'URL="{box.link}"')
    return ", ".join(filter(None, parts))


def _of_arrow(arrow: Arrow) -> str:
    label = whole_label(arrow)
    parts = [f"label={_label([label])}"] if label else []
    parts.append(_VERDICTS[arrow.verdict])
    if not arrow.head:
        parts.append("dir=none")
    elif arrow.both:
        parts.append("dir=both")
    if notes := _notes(arrow.note, arrow.place):
        parts.append(f"tooltip={_label(notes)}, labeltooltip={_label(notes)}")
    return ", ".join(filter(None, parts))


def _notes(note: Sequence[str], place: str) -> list[str]:
    return [*note, *([place] if place else [])]


def _label(texts: Sequence[str]) -> str:
    """Return lines of text as one quoted string, which Graphviz draws as it is."""
    shown = "\n".join(map(printable, texts))
    cut = shown if len(shown) <= _MOST_LETTERS else f"{shown[:_MOST_LETTERS]}…"
    escaped = escape(cut, quote=False).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
