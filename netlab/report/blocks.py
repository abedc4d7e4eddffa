"""What a report for people is made of: headings, text, tables, pictures. Markdown and HTML print the same blocks.

A result has two views of blocks. ``comment()`` is short, for the comment under a pull request and the summary of a job:
what is wrong comes first, at most ``MOST_ROWS`` rows of each table. ``report()`` is whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from typing import Protocol

from netlab.frozen import frozen
from netlab.pictures.model import Picture

MOST_ROWS = 20
"""The most rows of a table in a comment."""


@frozen
class Marker:
    """The name of the report, as a comment of Markdown that readers do not see.

    A later run finds its own comment under a pull request by it. HTML has none.
    """

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
    """A table. ``more`` is the number of rows that it leaves out, ``strong`` are the numbers of the rows in bold."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    more: int = 0
    strong: frozenset[int] = frozenset()


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
class Image:
    """A picture. Markdown draws a small one as Mermaid, and leaves out a larger one. HTML has it as SVG."""

    picture: Picture


@frozen
class Number:
    """One number of a summary, and what it counts.

    ``mark`` is the mark of the truth table if it counts cells with that mark, "warn" if it is a warning, else "".
    """

    value: str
    name: str
    mark: str = ""


@frozen
class Numbers:
    """The numbers of the summary, the most important one first."""

    items: Sequence[Number]


@frozen
class Answer:
    """What is known about one question of a cell.

    Attributes:
      asked: the question: the port, or the CNI.
      verdict: the verdict in words: ``deny``, or ``expected deny, measured allow``.
      reason: the reason, with file and line where a rule decided.
      pair: the pair that the reason is about, as ``shop/web -> shop/db``.
      lines: more about it, a line each: the rules that do not match and why.
      policies: the names of the policies that decided.
    """

    asked: str
    verdict: str
    reason: str = ""
    pair: str = ""
    lines: Sequence[str] = ()
    policies: Sequence[str] = ()


@frozen
class Cell:
    """One kind of cell of a matrix; many cells may be of one kind.

    ``mark`` is a mark of the truth table. ``text`` is shown in its place if it is not "". A click on the cell opens the
    matrices of ``Matrix.inner`` that have the numbers ``opens``.
    """

    mark: str
    text: str = ""
    answers: Sequence[Answer] = ()
    opens: Sequence[int] = ()


@frozen
class Header:
    """The header of a row or a column of a matrix: an endpoint, a group, a namespace, a Service or a CNI.

    Filters find it by ``namespaces`` and ``labels``. ``lines`` say more about it. ``flag`` is shown beside the name, as
    "not isolated". ``ident`` is the fragment of the page that leads to it, as ``group-3``.
    """

    name: str
    namespaces: Sequence[str] = ()
    labels: Sequence[str] = ()
    lines: Sequence[str] = ()
    flag: str = ""
    ident: str = ""


@frozen
class Matrix:
    """Rows by columns of cells; ``cells[row][column]`` is the number of a kind of cell.

    ``inner`` has the matrices that cells open. ``notes`` are printed below. ``meaning`` explains marks that mean
    something else here than in the truth table. ``axes`` says what rows and columns are.
    """

    name: str
    rows: Sequence[Header]
    columns: Sequence[Header]
    cells: Sequence[Sequence[int]]
    kinds: Sequence[Cell]
    inner: Sequence[Matrix] = ()
    notes: Sequence[str] = ()
    meaning: Mapping[str, str] = field(default_factory=dict)
    axes: tuple[str, str] = ("from", "to")


@frozen
class Matrices:
    """Matrices of one question, from which the reader chooses; the first one is shown."""

    items: Sequence[Matrix]


@frozen
class Policy:
    """One policy: its place (``FILE:LINE``), what it says and selects, its warnings, and its elements in nftables."""

    name: str
    place: str
    lines: Sequence[str] = ()
    warnings: Sequence[str] = ()
    rules: Sequence[str] = ()


@frozen
class Policies:
    """Policies; ``more`` is the number of those that are left out."""

    items: Sequence[Policy]
    more: int = 0


Block = Marker | Heading | Paragraph | Bullets | Rows | Code | Details | Image | Numbers | Matrices | Policies


class Commented(Protocol):
    """A result with a short report."""

    def comment(self) -> Iterator[Block]: ...


class Reported(Protocol):
    """A result with a whole report."""

    def report(self) -> Iterator[Block]: ...


class Pictured(Protocol):
    """A result with a picture."""

    def picture(self) -> Picture: ...
