"""A result's short report as Markdown (GitHub Flavored), for comments under pull requests and summaries of jobs.

GitHub takes 65,536 characters in a comment and 1 MiB in a step's summary. A report has at most ``MOST`` bytes, so both
take it, with room for what others write around it. What does not fit is left out, and the report says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from netlab.errors import printable
from netlab.pictures import mermaid
from netlab.report.blocks import Block, Bullets, Code, Commented, Details, Heading, Image, Marker, Paragraph, Rows
from netlab.report.formats import Page
from netlab.report.formats.markdown_text import LONGEST, inline, summary

MOST = 60_000
"""The most bytes of a report."""

# Bytes that are kept free for the end of what is cut, and for the line that says so.
_RESERVE = 400
_FENCE = re.compile("`+")
_NOT_A_MARK = re.compile(r"[^\w ./=-]", re.ASCII)
_LONGEST_LINE = 1_000
_CELL = 300


def lines(result: Commented, page: Page) -> Iterator[str]:
    """Yield the lines of the Markdown."""
    return text(result.comment())


def text(blocks: Iterable[Block], most: int = MOST) -> Iterator[str]:
    """Yield the lines of blocks, each followed by an empty line, in at most ``most`` bytes."""
    writer = _Writer(most - _RESERVE)
    yield from writer.blocks(blocks)
    if writer.cut:
        yield f"_Cut to {most:,} bytes, as GitHub takes no more in a comment: {inline(', '.join(writer.cut[:3]))}._"


class _Writer:
    """Writes blocks as long as there is room. ``cut`` names what was left out."""

    def __init__(self, room: int) -> None:
        self._room = room
        self.cut: list[str] = []

    def blocks(self, blocks: Iterable[Block]) -> Iterator[str]:
        """Yield the lines of blocks."""
        for block in blocks:
            yield from self._block(block)

    def _block(self, block: Block) -> Iterator[str]:
        match block:
            case Marker():
                yield from self._whole([f"<!-- {_NOT_A_MARK.sub('', block.text)[:LONGEST]} -->"], "")
            case Heading():
                yield from self._whole([f"{'#' * block.level} {inline(block.text)}"], "headings")
            case Paragraph():
                yield from self._whole([inline(block.text, _LONGEST_LINE)], "text")
            case Bullets():
                yield from self._some(
                    [], [f"- {inline(item, _LONGEST_LINE)}" for item in block.items], "items of a list"
                )
            case Rows():
                yield from self._rows(block)
            case Code():
                yield from self._fenced(block.text.splitlines(), block.language, "lines of text")
            case Details():
                yield from self._details(block)
            case Image():
                if mermaid.fits(block.picture):
                    drawn = list(mermaid.lines(block.picture))
                    yield from self._whole([*_fence(drawn, "mermaid"), *drawn, _fence(drawn)[0]], "a picture")

    def _take(self, line: str) -> bool:
        """Take the room of a line; return whether there was enough."""
        size = len(line.encode(errors="replace")) + 1
        if size > self._room:
            return False
        self._room -= size
        return True

    def _whole(self, found: Sequence[str], what: str) -> Iterator[str]:
        """Yield lines and an empty one if there is room for all of them."""
        if self._take("\n".join([*found, ""])):
            yield from (*found, "")
        elif what not in self.cut:
            self.cut.append(what)

    def _some(self, head: Sequence[str], items: Sequence[str], what: str, more: int = 0) -> Iterator[str]:
        """Yield a head, as many items as there is room for, and how many more there are."""
        if not self._take("\n".join([*head, "", f"and {len(items) + more:,} more", ""])):
            self.cut.append(what)
            return
        yield from head
        for at, item in enumerate(items):
            if not self._take(item):
                self.cut.append(f"{len(items) - at:,} {what}")
                more += len(items) - at
                break
            yield item
        yield ""
        if more:
            yield f"and {more:,} more"
            yield ""

    def _rows(self, block: Rows) -> Iterator[str]:
        if block.rows:
            head = [_row(block.columns), f"|{' --- |' * len(block.columns)}"]
            rows = [_row(row, strong=at in block.strong) for at, row in enumerate(block.rows)]
            yield from self._some(head, rows, "rows of a table", block.more)

    def _fenced(self, found: Sequence[str], language: str, what: str) -> Iterator[str]:
        """Yield lines between fences, as many as there is room for."""
        shown = [printable(line)[:_LONGEST_LINE] for line in found]
        fence = _fence(shown, language)
        if not self._take("\n".join([*fence, *fence, ""])):
            self.cut.append(what)
            return
        yield fence[0]
        for at, line in enumerate(shown):
            if not self._take(line):
                self.cut.append(f"{len(shown) - at:,} {what}")
                break
            yield line
        yield _fence(shown)[0]
        yield ""

    def _details(self, block: Details) -> Iterator[str]:
        opened = f"<details><summary>{summary(block.summary)}</summary>"
        if not self._take("\n".join([opened, "", "</details>", ""])):
            self.cut.append(block.summary)
            return
        yield opened
        yield ""
        yield from self.blocks(block.blocks)
        yield "</details>"
        yield ""


def _row(cells: Sequence[str], *, strong: bool = False) -> str:
    mark = "**" if strong else ""
    return f"| {' | '.join(f'{mark}{text}{mark}' if (text := inline(cell, _CELL)) else '' for cell in cells)} |"


def _fence(shown: Iterable[str], language: str = "") -> list[str]:
    """Return a fence that is longer than every run of backquotes in the lines, as a list of one line."""
    longest = max((len(run) for line in shown for run in _FENCE.findall(line)), default=0)
    return [f"{'`' * max(3, longest + 1)}{''.join(c for c in language if c.isascii() and c.isalnum())}"]
