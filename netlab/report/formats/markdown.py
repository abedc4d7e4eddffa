"""A result's short report as Markdown (GitHub Flavored), for pull requests and summaries of jobs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from netlab.pictures import mermaid
from netlab.report.blocks import Block, Bullets, Code, Commented, Details, Drawn, Heading, Paragraph, Rows
from netlab.report.formats import Page


def lines(result: Commented, page: Page) -> Iterator[str]:
    """Yield the lines of the Markdown."""
    return text(result.comment())


def text(blocks: Iterable[Block]) -> Iterator[str]:
    """Yield the lines of blocks, each followed by an empty line."""
    for block in blocks:
        yield from _lines(block)
        yield ""


def _lines(block: Block) -> Iterator[str]:
    match block:
        case Heading():
            yield f"{'#' * block.level} {_escaped(block.text)}"
        case Paragraph():
            yield _escaped(block.text)
        case Bullets():
            yield from (f"- {_escaped(item)}" for item in block.items)
        case Rows():
            yield f"| {' | '.join(map(_escaped, block.columns))} |"
            yield f"|{'---|' * len(block.columns)}"
            yield from (f"| {' | '.join(map(_escaped, row))} |" for row in block.rows)
            if block.more:
                yield ""
                yield f"and {block.more:,} more"
        case Code():
            yield f"```{block.language}"
            yield from block.text.splitlines()
            yield "```"
        case Details():
            yield f"<details><summary>{_escaped(block.summary)}</summary>"
            yield ""
            yield from text(block.blocks)
            yield "</details>"
        case Drawn():
            if len(block.picture.boxes) <= mermaid.MOST:
                yield "```mermaid"
                yield from mermaid.lines(block.picture)
                yield "```"


def _escaped(line: str) -> str:
    """Return text that Markdown shows as it is: no markup, no HTML, no mention of a user, one line."""
    marks = r"\`*_{}[]()<>#+-.!|~@&"
    return "".join(f"&#{ord(c)};" if c in marks and not c.isalnum() else c for c in " ".join(line.split()))
