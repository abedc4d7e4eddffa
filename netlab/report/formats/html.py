"""A result's whole report as one HTML file, which loads nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from netlab.pictures import svg
from netlab.report.blocks import Block, Bullets, Code, Details, Drawn, Heading, Paragraph, Reported, Rows
from netlab.report.formats import Page


def lines(result: Reported, page: Page) -> Iterator[str]:
    """Yield the lines of the page."""
    yield "<!DOCTYPE html>"
    yield '<html lang="en"><head><meta charset="utf-8"><title>netlab</title></head><body>'
    for block in result.report():
        yield from _lines(block)
    yield "</body></html>"


def _lines(block: Block) -> Iterator[str]:
    match block:
        case Heading():
            yield f"<h{block.level}>{escape(block.text)}</h{block.level}>"
        case Paragraph():
            yield f"<p>{escape(block.text)}</p>"
        case Bullets():
            yield f"<ul>{''.join(f'<li>{escape(item)}</li>' for item in block.items)}</ul>"
        case Rows():
            head = "".join(f"<th>{escape(name)}</th>" for name in block.columns)
            yield f"<table><thead><tr>{head}</tr></thead><tbody>"
            for row in block.rows:
                yield f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>"
            yield "</tbody></table>"
        case Code():
            yield f"<pre>{escape(block.text)}</pre>"
        case Details():
            yield f"<details><summary>{escape(block.summary)}</summary>"
            for each in block.blocks:
                yield from _lines(each)
            yield "</details>"
        case Drawn():
            yield from svg.lines(block.picture)
