"""The verdicts of pairs as a result of ``reach``, ``probe`` and ``verify``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from netlab.report.documents import API_VERSION, Items, Streamed
from netlab.report.formats import Page
from netlab.report.rows import Command, Row, Tally, json_texts

if TYPE_CHECKING:
    from netlab.report.again import CommandLine
    from netlab.report.blocks import Block
    from netlab.report.kept import KeptRows


class Reachability:
    """The rows of a lab. They can be printed once: ``tally`` counts each as it is printed, and none is kept.

    ``listed`` makes the table a list of rows, as the wide table is. It is for a few named pairs. ``kept`` keeps what
    reports need of the rows, which may be printed before in another format.
    """

    def __init__(
        self,
        lab: str,
        rows: Iterable[Row],
        command: Command,
        *,
        listed: bool = False,
        kept: KeptRows | None = None,
        again: CommandLine | None = None,
    ) -> None:
        self.lab = lab
        self.tally = Tally(command)
        self.kept = kept
        self._rows = rows if kept is None else kept.passing(rows)
        self._listed = listed
        self._again = again

    def table(self, page: Page) -> Iterator[str]:
        """Yield the truth table and the counts."""
        if self._listed:
            yield from self.wide(page)
            return
        from netlab.report.truth_table import TruthTable

        found = TruthTable(self.tally.count(self._rows))
        compares = self.tally.command == "verify"
        if compares and self.tally.as_expected and not found.fits(page.width):
            # Many lines that say one thing: `reach` prints them too.
            yield f"{self.tally}; every verdict is that of `netlab reach`"
            return
        yield from found.lines(page.width, page.paint, wrong_first=compares)
        yield str(self.tally)

    def wide(self, page: Page) -> Iterator[str]:
        """Yield a line for each row with its reason, and the counts."""
        from netlab.report.columns import wide

        yield from wide(self.tally.count(self.rows()), self.tally.command)
        yield str(self.tally)

    def comment(self) -> Iterator[Block]:
        """Yield the pairs that are wrong, and the counts."""
        from netlab.report.comments import of_rows

        kept = self.keep()
        return of_rows(self.lab, self.tally, kept, self._again)

    def keep(self) -> KeptRows:
        """Return what is kept of the rows, after all of them are read."""
        if self.kept is None:
            from netlab.report.kept import KeptRows

            self.kept = KeptRows()
            self._rows = self.kept.passing(self._rows)
        self.read()
        return self.kept

    def document(self) -> Streamed:
        """Return the Reachability document."""
        head = {"apiVersion": API_VERSION, "kind": "Reachability", "lab": self.lab}
        return Streamed(head, {"rows": self.items()}, lambda: {"summary": self.tally.data()})

    def read(self) -> None:
        """Count the rows that no format has printed yet; ``tally`` and ``kept`` are complete then."""
        for _ in self.tally.count(self._rows):
            pass

    def rows(self) -> Iterable[Row]:
        """Return the rows with their reasons."""
        return self._rows

    def items(self) -> Items:
        """Return the rows of the document."""
        return Items(
            lambda: (row.data() for row in self.tally.count(self.rows())),
            lambda: json_texts(self.tally.count(self.rows())),
        )
