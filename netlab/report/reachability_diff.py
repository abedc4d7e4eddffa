"""The difference of two inputs as a result: which connections a change opens and closes, and what caused each.

The document (``-o json``, ``-o yaml``) is::

    {"apiVersion": "netlab/v1alpha1", "kind": "ReachabilityDiff", "old": "main:deploy", "new": "deploy",
     "changes": [{"change": "opened",
                  "source": {"group": "shop app=web", "pods": 2, "members": ["shop/web-0", "shop/web-1"]},
                  "destination": {"group": "shop/db-0", "pods": 1, "members": ["shop/db-0"]},
                  "family": 4, "protocol": "TCP", "port": 5432, "pairs": 2, "old": "deny", "new": "allow",
                  "because": [{"object": "NetworkPolicy shop/db", "file": "db.yaml", "line": 7,
                               "path": "spec.ingress[0].ports[0].port", "message": "port 5433 changed to 5432: …"}]}],
     "appeared": ["shop/new-0"], "vanished": [], "notes": [],
     "summary": {"opened": 2, "closed": 0, "changed": 0, "unchanged": 28, "appeared": 1, "vanished": 0,
                 "unknown": 0, "rows": 1, "unexplained": 0, "vacuous": 0}}

The summary counts pairs; ``unknown`` counts those whose verdict in the new input is unknown.
``rows`` counts rows, ``unexplained`` those without a cause, as there are too many changes; ``vacuous`` counts the
policies that changed and are in no cause, and is 0 if a row has none.
``notes`` say what was not asked. With ``--pairs`` each pair is a row, and ``source`` and ``destination`` are its names.
``old`` or ``new`` of a row is null if this side lacks an end of the pair. With ``--prove`` a row has ``measured``, with
what packets said on each side, and the document has ``measured`` with the counts of each side.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import count, islice
from typing import TYPE_CHECKING, Any

from netlab.frozen import frozen
from netlab.quantity import few, quantity
from netlab.report.documents import API_VERSION, Items, Streamed
from netlab.report.formats import Page

if TYPE_CHECKING:
    from netlab.objects.services import Service
    from netlab.policy.causes import Causes
    from netlab.policy.cluster_diff import ChangedPairs, ClusterDiff, Ends
    from netlab.policy.explained_pairs import ExplainedPairs
    from netlab.policy.group_names import GroupName, GroupNames
    from netlab.policy.groups import Group
    from netlab.report.again import CommandLine
    from netlab.report.blocks import Block

NONE = "-"
"""The cell of a side that lacks an end of the pair."""

# The most names of a line.
_FEW = 8
# The most rows that are laid out together.
_BLOCK = 10_000
# The marks of the truth table whose colours the kinds of changes have.
_MARKS = {"opened": "p", "closed": "X", "changed": "u"}
_OUTSIDE = "!"


@frozen
class SideProof:
    """What packets said on one side: the counts, the pairs that differ from the expected verdicts, and each verdict.

    ``verdicts`` is by source, destination, IP family, protocol and port.
    """

    counts: Mapping[str, int]
    wrong: Sequence[str]
    verdicts: Mapping[tuple[Any, ...], str]

    def __str__(self) -> str:
        counts = ", ".join(f"{self.counts[one]} {one}" for one in ("agree", "differ", "inconclusive"))
        return f"{quantity(self.counts['pairs'], 'changed pair')} by packets: {counts}"


class ReachabilityDiff:
    """The changed pairs between two inputs; ``by_pairs`` makes each pair a row.

    ``sides`` are the names of the inputs, as the user gave them. ``proofs`` has what packets said on the sides ``old``
    and ``new``. ``hints`` say what was not asked.
    """

    def __init__(
        self,
        sides: tuple[str, str],
        found: ClusterDiff,
        causes: Causes,
        *,
        by_pairs: bool = False,
        proofs: Mapping[str, SideProof] | None = None,
        hints: Sequence[str] = (),
        again: CommandLine | None = None,
    ) -> None:
        self.sides = sides
        self.found = found
        self.by_pairs = by_pairs
        self.proofs = proofs or {}
        self.hints = hints
        self.again = again
        self._causes = causes
        self._named: dict[tuple[int, ...], GroupName] = {}

    @cached_property
    def explained(self) -> list[ExplainedPairs]:
        """The changed pairs, divided by their causes; with ``by_pairs`` in the order of the found groups."""
        from netlab.policy.explained_pairs import merged

        rows = (one for changed in self.found.found for one in self._causes.explained(changed))
        return list(rows) if self.by_pairs else merged(rows)

    @property
    def unexplained(self) -> int:
        """The number of rows without a cause."""
        return sum(not one.because for one in self.explained)

    @cached_property
    def unknown(self) -> int:
        """The number of pairs of the new input whose verdict is unknown."""
        if not self.found.new.unread:
            return 0
        from netlab.policy.groups import groups

        return groups(self.found.new, self.found.questions).tally()["unknown"]

    @cached_property
    def vacuous(self) -> list[str]:
        """The policies that changed and are in no cause; none if there are rows without a cause."""
        if self.unexplained:
            return []
        named = {part.object for row in self.explained for part in row.parts}
        return [name for number, name in self._causes.changed_policies().items() if number not in named]

    def rows(self) -> Iterator[tuple[ExplainedPairs, Ends]]:
        """Yield each row: pairs with one cause, and the pair or the first one of the pairs."""
        for one in self.explained:
            yield from ((one, ends) for ends in (one.pairs.ends() if self.by_pairs else (one.pairs.example,)))

    @property
    def number(self) -> int:
        """The number of rows."""
        return sum(one.pairs.pairs for one in self.explained) if self.by_pairs else len(self.explained)

    # --- views ------------------------------------------------------------------------------------------------------

    def table(self, page: Page) -> Iterator[str]:
        """Yield a row for each change with its causes below it, the endpoints that came and went, and the counts."""
        from netlab.report.columns import columns

        header = ("CHANGE", "SOURCE", "DESTINATION", "PORT", "OLD", "NEW")
        rows = self.rows()
        for number in count():
            block = list(islice(rows, _BLOCK))
            if not block:
                break
            first, *lines = columns(header, map(self.cells, block))
            if not number:
                yield first
            for row, cells in zip(block, lines, strict=True):
                pairs = row[0].pairs
                yield page.paint(cells, _OUTSIDE if pairs.opens_outside else _MARKS[pairs.kind])
                yield from (f"    {line}" for cause in row[0].because for line in cause.in_lines())
                if self.proofs:
                    old, new = self.measured(row)
                    yield f"    measured: {old or NONE} -> {new or NONE}"
        if self.number:
            yield ""
        yield from self.notes()
        yield self.summary()

    def document(self) -> Streamed:
        """Return the ReachabilityDiff document; its changes are made one by one."""
        head = {"apiVersion": API_VERSION, "kind": "ReachabilityDiff", "old": self.sides[0], "new": self.sides[1]}
        return Streamed(head, {"changes": Items(lambda: map(self._data, self.rows()))}, self._tail)

    def comment(self) -> Iterator[Block]:
        """Yield what is opened, then what is closed or changed in another way, then the counts and all causes."""
        from netlab.report.diff_blocks import comment_blocks

        return comment_blocks(self)

    def report(self) -> Iterator[Block]:
        """Yield the whole report: the counts, every change with its causes and reasons, pictures of both sides."""
        from netlab.report.diff_blocks import report_blocks

        return report_blocks(self)

    # --- parts of views ---------------------------------------------------------------------------------------------

    def cells(self, row: tuple[ExplainedPairs, Ends]) -> tuple[str, ...]:
        """Return the cells of a row: kind, source, destination, port, and the verdict of each side."""
        pairs = row[0].pairs
        return pairs.kind, self.name(row, 0), self.name(row, 1), port_text(pairs), pairs.old or NONE, pairs.new or NONE

    def name(self, row: tuple[ExplainedPairs, Ends], end: int) -> str:
        """Return the name of the source (0) or destination (1) of a row."""
        from netlab.objects.services import Service

        pairs, ends = row[0].pairs, row[1]
        of: Group | Service = (pairs.source, pairs.destination)[end]
        if self.by_pairs or isinstance(of, Service):
            return _ref(ends[end])
        return self._name(of).counted

    def notes(self) -> Iterator[str]:
        """Yield what the rows do not say: endpoints that came or went, policies without effect, proofs, hints."""
        for what, names in (("appeared", self.found.appeared), ("vanished", self.found.vanished)):
            if names:
                yield f"{what}: {few(names, _FEW)}"
        if self.vacuous:
            yield f"policies that changed and caused no row: {few(self.vacuous, _FEW)}"
        if self.unknown:
            pairs = quantity(self.unknown, "pair")
            yield f"unknown in {self.sides[1]}: {pairs}, as a policy that netlab does not read could change them"
        if self.unexplained:
            yield f"rows without a cause: {self.unexplained:,}: netlab did not find a part of the change that suffices"
        for side, proof in self.proofs.items():
            yield f"{side}: {proof}"
            yield from (f"  {line}" for line in proof.wrong)
        yield from (f"note: {hint}" for hint in self.hints)

    def summary(self) -> str:
        """Return the counts as a line."""
        tally = self.found.tally()
        parts = [f"{number:,} {kind}" for kind, number in tally.items() if number]
        pairs = ", ".join([*parts, f"{self.found.unchanged:,} unchanged"])
        alone = [f"{len(of):,} {what}" for what, of in self._alone().items() if of]
        return f"pairs: {pairs}" + (f"; endpoints: {', '.join(alone)}" if alone else "")

    def measured(self, row: tuple[ExplainedPairs, Ends]) -> tuple[str | None, str | None]:
        """Return what packets said about a row on each side: a verdict, or ``mixed``; None if it was not asked."""
        pairs, ends = row[0].pairs, row[1]
        found: list[str | None] = []
        for side in ("old", "new"):
            proof = self.proofs.get(side)
            every = [ends] if self.by_pairs else pairs.ends()
            said = {proof.verdicts.get(_flow_key(one, pairs)) for one in every} - {None} if proof else set()
            found.append(None if not said else said.pop() if len(said) == 1 else "mixed")
        return found[0], found[1]

    def _data(self, row: tuple[ExplainedPairs, Ends]) -> dict[str, Any]:
        pairs = row[0].pairs
        family, protocol, port = pairs.asked
        old, new = self.measured(row) if self.proofs else (None, None)
        return {
            "change": pairs.kind,
            "source": self._end(row, 0),
            "destination": self._end(row, 1),
            "family": family,
            "protocol": protocol,
            "port": port,
            **({} if self.by_pairs else {"pairs": pairs.pairs}),
            "old": pairs.old,
            "new": pairs.new,
            **({"measured": {"old": old, "new": new}} if self.proofs else {}),
            "because": [cause.data() for cause in row[0].because],
        }

    def _end(self, row: tuple[ExplainedPairs, Ends], end: int) -> str | dict[str, Any]:
        from netlab.objects.services import Service

        of: Group | Service = (row[0].pairs.source, row[0].pairs.destination)[end]
        if self.by_pairs or isinstance(of, Service):
            return _ref(row[1][end])
        members = [member.ref for member in of.members]
        return {"group": str(self._name(of)), "pods": len(members), "members": members}

    def _tail(self) -> dict[str, Any]:
        proofs = {name: {**one.counts, "wrong": list(one.wrong)} for name, one in self.proofs.items()}
        alone = self._alone()
        return {
            **{what: list(of) for what, of in alone.items()},
            "notes": list(self.hints),
            **({"measured": proofs} if proofs else {}),
            "summary": {
                **self.found.tally(),
                "unchanged": self.found.unchanged,
                **{what: len(of) for what, of in alone.items()},
                "unknown": self.unknown,
                "rows": self.number,
                "unexplained": self.unexplained,
                "vacuous": len(self.vacuous),
            },
        }

    def _alone(self) -> dict[str, tuple[str, ...]]:
        return {"appeared": self.found.appeared, "vanished": self.found.vanished}

    def _name(self, group: Group) -> GroupName:
        key = tuple(map(id, group.members))
        found = self._named.get(key)
        if found is None:
            names = self._names
            of = names[1] if all(one.ref in self.found.new.by_ref for one in group.members) else names[0]
            found = self._named[key] = of.name(group)
        return found

    @cached_property
    def _names(self) -> tuple[GroupNames, GroupNames]:
        from netlab.policy.group_names import GroupNames

        return GroupNames(self.found.old), GroupNames(self.found.new)


def _flow_key(ends: Ends, pairs: ChangedPairs) -> tuple[Any, ...]:
    """Return what tells a question about a pair from all others."""
    return (_ref(ends[0]), _ref(ends[1]), *pairs.asked)


def port_text(pairs: ChangedPairs) -> str:
    """Return the port and IP family of changed pairs as text."""
    from netlab.policy.reasons import service_text

    family, protocol, port = pairs.asked
    return f"{service_text(protocol, port)} IPv{family}"


def first_rows(result: ReachabilityDiff, most: int) -> list[tuple[ExplainedPairs, Ends]]:
    """Return the first rows of a result."""
    return list(islice(result.rows(), most))


def _ref(end: Any) -> str:
    from netlab.cluster.flows import service_ref
    from netlab.objects.services import Service

    return service_ref(end) if isinstance(end, Service) else str(end.ref)
