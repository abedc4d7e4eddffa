"""What a report for people is made of: headings, text, tables, pictures. Markdown and HTML print the same blocks.

A result has two views of blocks. ``comment()`` is short, for the comment under a pull request and the summary of a job:
what is wrong comes first, at most ``MOST_ROWS`` rows of each table. ``report()`` is whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from netlab.frozen import frozen
from netlab.pictures.model import Picture

MOST_ROWS = 20
"""The most rows of a table in a comment."""


@frozen
class Marker:
    """Names the report, unseen: a later run finds its own comment by this text. Only Markdown has it."""

    text: str


@frozen
class Heading:
    """A heading; ``level`` is 1 for the title, 2 for a section."""

    text: str
    level: int = 2


@frozen
class Paragraph:
    """Text."""

    text: str


@frozen
class Bullets:
    """A list of items."""

    items: Sequence[str]


@frozen
class Rows:
    """A table. ``more`` is the number of rows that it leaves out."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    more: int = 0


@frozen
class Code:
    """Text in its own lines and spaces. ``language`` is what highlighters call it."""

    text: str
    language: str = ""


@frozen
class Details:
    """Blocks that are folded away below a line of text."""

    summary: str
    blocks: Sequence[Block]


@frozen
class Drawn:
    """A picture. Markdown has it as Mermaid if it is small, and leaves it out else."""

    picture: Picture


Block = Marker | Heading | Paragraph | Bullets | Rows | Code | Details | Drawn


class Commented(Protocol):
    """A result with a short report."""

    def comment(self) -> Iterator[Block]: ...


class Reported(Protocol):
    """A result with a whole report."""

    def report(self) -> Iterator[Block]: ...


class Pictured(Protocol):
    """A result with a picture."""

    def picture(self) -> Picture: ...
