"""The differences of one input under several profiles, as a result.

The document (``-o json``, ``-o yaml``) is::

    {"apiVersion": "netlab/v1alpha1", "kind": "Comparison", "lab": NAME, "profiles": ["calico", "cilium"],
     "rows": [{"source": {"group": "shop app=web", "pods": 2, "members": ["shop/web-0", "shop/web-1"]},
               "destination": {"group": "shop/db-0", "pods": 1, "members": ["shop/db-0"]},
               "family": 4, "protocol": "TCP", "port": 5432, "pairs": 2,
               "verdicts": {"calico": "allow", "cilium": "deny"},
               "reasons": {"calico": "allowed by …", "cilium": "ingress of … (ipBlockPods: ignore)"},
               "sources": {"cilium": [{"setting": "ipBlockPods", "value": "ignore", "mark": "DOC", "source": "…"}]}}],
     "notes": {"weave": ["no IPv6: …"]},
     "measured": {"calico": {"pairs": 30, "agree": 30, "differ": 0, "inconclusive": 0, "unknown": 0}},
     "summary": {"rows": 1, "pairs": 30, "differ": 2, "verdicts": {"calico": {"allow": 16, "deny": 14}, …}}}

A verdict is null if the profile has no packets of the IP family. The reasons are those of the first pair of a row; with
``--pairs`` each pair is a row, and ``source`` and ``destination`` are its names. ``measured`` is there with
``--measured``; a column that this host cannot measure has ``notMeasured`` with the reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from netlab.frozen import frozen
from netlab.quantity import few, quantity
from netlab.report.documents import API_VERSION, Items, Streamed
from netlab.report.formats import Page

if TYPE_CHECKING:
    from netlab.cluster.types import Endpoint
    from netlab.objects.services import Service
    from netlab.policy.differences import Difference, Differences
    from netlab.policy.group_names import GroupName
    from netlab.policy.groups import Group
    from netlab.report.again import CommandLine
    from netlab.report.blocks import Block

    Ends = tuple[Endpoint, Endpoint | Service]

# The most rows that are named before the reasons that they share.
_FEW = 8

NONE = "-"
"""The cell of a profile that has no packets of the IP family."""


@frozen
class Measured:
    """The proof of one column by packets: the counts, or why this host cannot measure it and ``fix``, the way out."""

    counts: Mapping[str, int]
    why_not: str = ""
    wrong: Sequence[str] = ()
    fix: str = ""

    def __str__(self) -> str:
        if self.why_not:
            return f"not measured: {self.why_not}{f'; {self.fix}' if self.fix else ''}"
        counts = ", ".join(f"{self.counts[one]} {one}" for one in ("agree", "differ", "inconclusive"))
        unknown = f", {self.counts['unknown']} unknown" if self.counts.get("unknown") else ""
        return f"{self.counts['pairs']} pairs by packets: {counts}{unknown}"


class Comparison:
    """The differences between profiles; ``by_pairs`` makes each pair a row. ``notes`` are said for each profile.

    ``verbose``: the table has the reasons of every row, else those of the first row with each list of verdicts.
    """

    def __init__(
        self,
        lab: str,
        found: Differences,
        notes: Mapping[str, Sequence[str]],
        *,
        by_pairs: bool = False,
        measured: Mapping[str, Measured] | None = None,
        verbose: bool = False,
        again: CommandLine | None = None,
    ) -> None:
        self.lab = lab
        self.found = found
        self.notes = {name: list(of) for name, of in notes.items() if of}
        self._by_pairs = by_pairs
        self.measured = measured or {}
        self._verbose = verbose
        self._again = again
        from netlab.policy.group_names import GroupNames

        self._names = GroupNames(next(iter(found.clusters.values())))
        self._named: dict[int, GroupName] = {}

    @property
    def differ(self) -> int:
        """The number of pairs whose verdict is not the same everywhere."""
        return sum(one.pairs for one in self.found.found)

    def table(self, page: Page) -> Iterator[str]:
        """Yield a row for each difference with the verdict of each profile, the reasons, and the counts."""
        from netlab.report.columns import columns

        header = ("#", "SOURCE", "DESTINATION", "PORT", *(name.upper() for name in self.found.clusters))
        cells = [(str(n), *row) for n, row in enumerate(self.cells(), start=1)]
        if cells:
            yield from columns(header, cells)
            yield ""
        yield from self.reasons()
        yield from (f"{name}: {note}" for name, of in self.notes.items() for note in of)
        for name, of_column in self.measured.items():
            yield f"{name}: {of_column}"
            yield from (f"  {line}" for line in of_column.wrong)
        yield self.summary()

    def cells(self) -> Iterator[tuple[str, ...]]:
        """Yield the cells of each row: source, destination, port, and the verdict of each profile."""
        for row in self.rows():
            yield self._text(row, 0), self._text(row, 1), _port(row[0]), *(v or NONE for v in row[0].verdicts)

    @property
    def number(self) -> int:
        """The number of rows."""
        return self.differ if self._by_pairs else len(self.found.found)

    def comment(self) -> Iterator[Block]:
        """Yield the pairs whose verdict is not the same everywhere, the reasons, and the counts."""
        from netlab.report.comments import of_comparison

        return of_comparison(self, self._again)

    def report(self) -> Iterator[Block]:
        """Yield the whole report: the differences by CNI with what decided, and the proofs."""
        from netlab.report.comparison_report import comparison_blocks

        return comparison_blocks(self)

    def document(self) -> Streamed:
        """Return the Comparison document; its rows are made one by one."""
        head = {"apiVersion": API_VERSION, "kind": "Comparison", "lab": self.lab, "profiles": list(self.found.clusters)}
        from netlab.report.comparison_rows import ComparisonRows

        rows = ComparisonRows(self.found, lambda group: str(self._name(group)), by_pairs=self._by_pairs)
        items = Items(lambda: map(rows.data, self.rows()), lambda: rows.texts(self.rows()))
        return Streamed(head, {"rows": items}, self._tail)

    def summary(self) -> str:
        """Return the counts as a line."""
        found, profiles = self.found, len(self.found.clusters)
        pairs, rows = self._pairs(), len(found.found)
        if not rows:
            return f"{quantity(pairs, 'pair')} under {quantity(profiles, 'profile')}: no verdict differs"
        differ = f"{self.differ} of {quantity(pairs, 'pair')} {'differs' if self.differ == 1 else 'differ'}"
        return f"{differ} under {quantity(profiles, 'profile')}, in {quantity(rows, 'group')} of pairs"

    def _pairs(self) -> int:
        return max((sum(tally.values()) for tally in self.found.tallies.values()), default=0)

    def rows(self) -> Iterator[tuple[Difference, Ends]]:
        """Yield each row: the difference, and its pair or the first one of its pairs."""
        for one in self.found.found:
            yield from ((one, ends) for ends in (one.ends() if self._by_pairs else (one.example,)))

    def _text(self, row: tuple[Difference, Ends], end: int) -> str:
        one, ends = row
        if end and one.to_service:
            return one.to_service
        if self._by_pairs:
            return one.named(ends)[end]
        return self._name((one.source, one.destination)[end]).counted  # type: ignore[arg-type]

    def _name(self, group: Group) -> GroupName:
        # A group is in many rows.
        found = self._named.get(group.number)
        if found is None:
            found = self._named[group.number] = self._names.name(group)
        return found

    def reasons(self) -> Iterator[str]:
        """Yield the reasons of the first pair with each list of verdicts, then each choice that decided, once."""
        from netlab.policy.deciding import lines

        rows = list(self.rows())
        alike: dict[Any, list[int]] = {}
        for number, (one, _) in enumerate(rows):
            alike.setdefault(number if self._verbose else one.verdicts, []).append(number)
        choices: dict[str, None] = {}
        for numbers in alike.values():
            one, ends = rows[numbers[0]]
            source, destination = one.named(ends)
            yield f"{_numbers(numbers)}  {source} -> {destination} {_port(one)}"
            by_reason: dict[tuple[str, str], list[str]] = {}
            for name, decision in self.found.decisions(one, ends).items():
                by_reason.setdefault((decision.verdict, decision.reason), []).append(name)
                choices |= dict.fromkeys(lines(self.found.clusters[name], decision))
            yield from (f"  {verdict}  {', '.join(of)}: {why}" for (verdict, why), of in by_reason.items())
        if choices:
            yield ""
            yield "Choices that decided:"
            yield from (f"  {line}" for line in choices)
        if rows:
            yield ""

    def _tail(self) -> dict[str, Any]:
        tallies = {name: {str(v): n for v, n in of.items()} for name, of in self.found.tallies.items()}
        measured = {
            name: {"notMeasured": one.why_not} if one.why_not else {**one.counts, "wrong": list(one.wrong)}
            for name, one in self.measured.items()
        }
        return {
            "notes": self.notes,
            **({"measured": measured} if measured else {}),
            "summary": {
                "rows": self.number,
                "pairs": self._pairs(),
                "differ": self.differ,
                "verdicts": tallies,
            },
        }


def _numbers(rows: Sequence[int]) -> str:
    """Return the numbers of rows as the table has them: the first ones, and how many more."""
    return few([str(row + 1) for row in rows], _FEW)


def _port(one: Difference) -> str:
    family, protocol, port = one.asked
    return f"{protocol if port is None else f'{port}/{protocol}'} IPv{family}"
