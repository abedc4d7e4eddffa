"""The rows of a comparison as data, and as JSON text whose parts are written once for all rows that share them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from netlab.policy.placeholders import DESTINATION_MARK, SOURCE_MARK
from netlab.policy.shared_reasons import Decided, SharedReasons
from netlab.profiles.sources import text_of
from netlab.report.expanded import marked

if TYPE_CHECKING:
    from netlab.cluster.types import Endpoint
    from netlab.objects.profiles import Choice
    from netlab.objects.services import Service
    from netlab.policy.differences import Difference, Differences
    from netlab.policy.groups import Group
    from netlab.policy.shared_reasons import Destination, Source
    from netlab.policy.tiers.tier import AskedPort

    Row = tuple[Difference, tuple[Endpoint, Endpoint | Service]]

# The most characters of texts that are kept for later rows, and those of one text.
_KEPT = 20_000_000
_TEXT = 1_000_000


class ComparisonRows:
    """The rows of a comparison; ``by_pairs`` makes each pair a row, and ``named`` returns the name of a group."""

    def __init__(self, found: Differences, named: Callable[[Group], str], *, by_pairs: bool) -> None:
        self._found = found
        self._named = named
        self._by_pairs = by_pairs
        self._source: Endpoint | None = None
        self._from: list[Source] = []
        # Rows keep their destinations, so their identity is theirs. The verdict is None for all sources, or for none.
        self._to: dict[tuple[int, AskedPort], list[Destination | None]] = {}
        self._shared = {name: SharedReasons(of, found.questions) for name, of in found.clusters.items()}

    def because(self, row: Row) -> dict[str, Decided]:
        """Return what decides about the pair of a row in each reading that has packets of its IP family."""
        one, (source, end) = row
        # Rows are sorted by source.
        if source is not self._source:
            self._source = source
            self._from = [of.source(source) for of in self._shared.values()]
        key = (id(end), one.asked)
        to = self._to.get(key)
        if to is None:
            pairs = zip(self._shared.values(), one.verdicts, strict=True)
            to = self._to[key] = [of.destination(end, one.asked) if verdict else None for of, verdict in pairs]
        each = zip(self._shared.items(), self._from, to, strict=True)
        return {name: of.about(own, at) for (name, of), own, at in each if at is not None}

    def data(self, row: Row) -> dict[str, Any]:
        """Return a row as data for JSON."""
        one, ends = row
        because = self.because(row)
        source, destination = one.named(ends)
        return {
            "source": self._end(row, 0),
            "destination": self._end(row, 1),
            **self._asked(one),
            **({} if self._by_pairs else {"pairs": one.pairs}),
            "verdicts": dict(zip(self._found.clusters, one.verdicts, strict=True)),
            "reasons": {name: of.reason_about(source, destination) for name, of in because.items()},
            "sources": {name: [*_sources(of.choices)] for name, of in because.items() if of.choices},
        }

    def texts(self, rows: Iterable[Row]) -> Iterator[str]:
        """Yield the same rows as JSON, many in a text."""
        ends: dict[Any, str] = {}
        decisions = _Texts(self._found.clusters)
        asked: dict[AskedPort, str] = {}
        made: list[str] = []
        size = 0
        for row in rows:
            one, pair = row
            because = self.because(row)
            source, destination = one.named(pair)
            decided = decisions.text(one, because)
            if SOURCE_MARK in decided:
                decided = decided.replace(SOURCE_MARK, json.dumps(source)[1:-1])
            if DESTINATION_MARK in decided:
                decided = decided.replace(DESTINATION_MARK, json.dumps(destination)[1:-1])
            text = f'{{"source": {self._end_text(row, 0, ends)}, "destination": {self._end_text(row, 1, ends)}, '
            pairs = "" if self._by_pairs else f'"pairs": {one.pairs}, '
            port = asked.get(one.asked)
            if port is None:
                port = asked[one.asked] = json.dumps(self._asked(one))[1:-1]
            made.append(f"{text}{port}, {pairs}{decided}")
            size += len(made[-1])
            if size > _TEXT:
                yield ",\n".join(made)
                made, size = [], 0
        if made:
            yield ",\n".join(made)

    def _asked(self, one: Difference) -> dict[str, Any]:
        family, protocol, port = one.asked
        return {"family": family, "protocol": protocol, "port": port}

    def _end(self, row: Row, end: int) -> str | dict[str, Any]:
        """Return the source or destination of a row: a name, or a group."""
        one, ends = row
        if self._by_pairs or (end and one.to_service):
            return one.named(ends)[end]
        group: Group = (one.source, one.destination)[end]  # type: ignore[assignment]
        members = [member.ref for member in group.members]
        return {"group": self._named(group), "pods": len(members), "members": members}

    def _end_text(self, row: Row, end: int, known: dict[Any, str]) -> str:
        one, ends = row
        if self._by_pairs or (end and one.to_service):
            return json.dumps(one.named(ends)[end])
        number = (one.source, one.destination)[end].number  # type: ignore[union-attr]
        text = known.get(number)
        if text is None:
            text = known[number] = json.dumps(self._end(row, end))
        return text


class _Texts:
    """The verdicts, reasons and sources of rows as JSON, with marks for the names of the two ends."""

    def __init__(self, profiles: Iterable[str]) -> None:
        self._profiles = list(profiles)
        self._size = 0
        self._known: dict[tuple[Any, ...], tuple[str, Sequence[Decided]]] = {}

    def text(self, one: Difference, because: dict[str, Decided]) -> str:
        """Return the end of a row from its verdicts."""
        # A value that is kept keeps its decisions, so no other decision has their identity.
        key = (one.verdicts, *map(id, because.values()))
        found = self._known.get(key)
        if found is None:
            text = self._made(one, because)
            self._size += len(text)
            if self._size > _KEPT:
                self._known.clear()
                self._size = len(text)
            found = self._known[key] = text, [*because.values()]
        return found[0]

    def _made(self, one: Difference, because: dict[str, Decided]) -> str:
        verdicts = json.dumps(dict(zip(self._profiles, one.verdicts, strict=True)))
        reasons = ", ".join(f'{json.dumps(name)}: "{marked(of.reason)}"' for name, of in because.items())
        sources = json.dumps({name: [*_sources(of.choices)] for name, of in because.items() if of.choices})
        return f'"verdicts": {verdicts}, "reasons": {{{reasons}}}, "sources": {sources}}}'


def _sources(choices: Iterable[Choice]) -> Iterator[dict[str, Any]]:
    for choice in choices:
        yield {
            "setting": choice.name,
            "value": text_of(choice.value),
            "mark": choice.mark,
            "source": choice.source,
            **({"about": choice.about} if choice.about else {}),
        }
