"""The rows of every pair from lines that equivalent sources share (``policy.expand``), also as JSON text."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import field
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from netlab.cluster.flows import service_ref
from netlab.cluster.types import Endpoint
from netlab.frozen import NamedTuple, mutable
from netlab.policy.expand import Answer, Expansion, Line, Question
from netlab.policy.placeholders import DESTINATION, DESTINATION_MARK, SOURCE, SOURCE_MARK
from netlab.report.rows import EndpointRow, Row, Tally, endpoints_of

if TYPE_CHECKING:
    from netlab.policy.expand_services import ServiceAnswer, ServiceExpansion

_BEFORE_SOURCE = '{"source": "'
_AFTER_REASON = '"}'
_AFTER_PORT = ', "reason": ""}'
_SOURCE, _DESTINATION = SOURCE_MARK, DESTINATION_MARK
# The most characters of rows about Services that are kept for later sources, and those of one text.
_KEPT = 20_000_000
_TEXT = 1_000_000


def rows(expansion: Expansion, services: ServiceExpansion | None = None) -> Iterator[Row]:
    """Yield the row of every pair; after the pairs of a source, its rows about Services."""
    for source, line in expansion.lines():
        own = expansion.own(source, line)
        for at, question in enumerate(line.questions):
            answer = line.answers[question.kind]
            if at in own:
                if not expansion.self_pairs:
                    continue
                answer = None
            if answer is None:
                yield _row(source, question, expansion.answer(source, question))
            else:
                reason = answer.reason.replace(SOURCE, source.ref).replace(DESTINATION, question.destination.ref)
                yield _row(source, question, Answer(answer.verdict, reason))
        if services is not None:
            yield from service_rows(services, source)


def _row(source: Endpoint, question: Question, answer: Answer) -> Row:
    to, family, protocol, port, *_ = question
    endpoints = endpoints_of(answer.endpoints) if answer.endpoints else ()
    return Row(source.ref, to.ref, family, protocol, port, answer.verdict, None, answer.reason, endpoints)


@mutable
class _Texts:
    """The rows of a line as JSON, with marks for the source; ``apart`` are the places of those that each pair has."""

    rows: list[str] = field(default_factory=list)
    apart: list[int] = field(default_factory=list)
    count: dict[str, int] = field(default_factory=dict)


def json_rows(expansion: Expansion, tally: Tally, services: ServiceExpansion | None = None) -> Iterator[str]:
    """Yield the rows of every pair as JSON, those of a source in one text, and count them.

    The texts of equivalent sources differ in the source's name only: one text is made, and each name is inserted.
    """
    kept: WeakKeyDictionary[Line, _Texts] = WeakKeyDictionary()
    writer = _Writer()
    of_services = ServiceTexts(services) if services is not None else None
    for source, line in expansion.lines():
        made = kept.get(line)
        if made is None:
            made = kept[line] = writer.texts(line)
        own = expansion.own(source, line)
        count = dict(made.count)
        texts = made.rows
        if own or made.apart:
            texts = list(texts)
            for at in own:
                answer = line.answers[line.questions[at].kind]
                if answer is not None:
                    count[answer.verdict] -= 1
            for at in {*made.apart, *own} if expansion.self_pairs else set(made.apart).difference(own):
                row = _row(source, line.questions[at], expansion.answer(source, line.questions[at]))
                count[row.verdict] = count.get(row.verdict, 0) + 1
                texts[at] = json.dumps(row.data())
            if not expansion.self_pairs:
                del texts[own.start : own.stop]
        for verdict, number in count.items():
            tally.add(verdict, number)
        if texts:
            yield ",\n".join(texts).replace(_SOURCE, writer.escaped(source.ref))
        if of_services is not None:
            name = writer.escaped(source.ref)
            for text in of_services.texts(source, tally):
                yield text.replace(_SOURCE, name)


def service_rows(services: ServiceExpansion, source: Endpoint) -> Iterator[Row]:
    """Yield the rows of a source towards every Service."""
    answers = services.answers(source)
    for at in services.asks(source):
        service, family, protocol, port = services.questions[at]
        verdict, reason, _ = answer = answers[at]
        reason = reason.replace(SOURCE, source.ref)
        to = service_ref(service)
        yield Row(source.ref, to, family, protocol, port, verdict, None, reason, _endpoints(answer))


def _endpoints(answer: ServiceAnswer) -> tuple[EndpointRow, ...]:
    return tuple(
        EndpointRow(one.endpoint.ref if one.endpoint is not None else "", str(one.address), one.port, verdict)
        for one, verdict in answer.backends
    )


class _KeptTexts(NamedTuple):
    """The rows of sources with the same answers as JSON, with marks for the source; ``size`` in characters."""

    answers: Sequence[ServiceAnswer]
    texts: list[str]
    verdicts: Counter[str]
    size: int


class ServiceTexts:
    """The rows about Services as JSON. Sources with the same answers share the texts, questions the end of a row."""

    def __init__(self, services: ServiceExpansion) -> None:
        self._services = services
        self._known: dict[tuple[int, Sequence[int]], _KeptTexts] = {}
        self._size = 0
        self._heads: list[str] = []

    def texts(self, source: Endpoint, tally: Tally) -> Iterator[str]:
        """Yield the rows of a source as JSON, many in a text, with ``_SOURCE`` for its name; and count them."""
        answers, places = self._services.answers(source), self._services.asks(source)
        key = (id(answers), places if isinstance(places, range) else tuple(places))
        found = self._known.pop(key, None)
        verdicts: Counter[str] = Counter()
        if found is not None:
            self._known[key] = found
            verdicts = found.verdicts
            yield from found.texts
        else:
            kept: list[str] | None = [] if isinstance(answers, list) else None
            size = 0
            for text in self._made(answers, places, verdicts):
                size += len(text)
                if size > _KEPT:
                    kept = None
                if kept is not None:
                    kept.append(text)
                yield text
            if kept is not None:
                self._keep(key, _KeptTexts(answers, kept, verdicts, size))
        for verdict, number in verdicts.items():
            tally.add(verdict, number)

    def _keep(self, key: tuple[int, Sequence[int]], found: _KeptTexts) -> None:
        # The answers are kept, so no other list has their identity.
        self._known[key] = found
        self._size += found.size
        while self._size > _KEPT:
            self._size -= self._known.pop(next(iter(self._known))).size

    def _made(self, answers: Sequence[ServiceAnswer], places: Iterable[int], verdicts: Counter[str]) -> Iterator[str]:
        """Yield the rows of some questions as JSON, about ``_TEXT`` characters in a text, and count their verdicts."""
        if not self._heads:
            self._heads = [self._head(at) for at in range(len(self._services.questions))]
        rows: list[str] = []
        shared = isinstance(answers, list)
        ends: dict[int, str] = {}
        size = of_ends = 0
        for at in places:
            answer = answers[at]
            verdicts[answer.verdict] += 1
            # Other answers end before the next one begins, and it may get their identity.
            end = ends.get(id(answer)) if shared else _end(answer)
            if end is None:
                end = _end(answer)
                of_ends += len(end)
                if of_ends > _KEPT:
                    ends.clear()
                    of_ends = len(end)
                ends[id(answer)] = end
            rows.append(self._heads[at] + end)
            size += len(rows[-1])
            if size > _TEXT:
                yield ",\n".join(rows)
                rows, size = [], 0
        if rows:
            yield ",\n".join(rows)

    def _head(self, at: int) -> str:
        """Return a row of a question as JSON up to its verdict, with a mark for the source."""
        service, family, protocol, port = self._services.questions[at]
        text = json.dumps(Row("", service_ref(service), family, protocol, port).data())
        return f"{_BEFORE_SOURCE}{_SOURCE}{text[len(_BEFORE_SOURCE) : -len(_AFTER_PORT)]}"


def _end(answer: ServiceAnswer) -> str:
    """Return a row of an answer as JSON from its verdict, with marks for the source."""
    row = Row("", "", 0, "", None, answer.verdict, None, answer.reason, _endpoints(answer)).data()
    text = json.dumps({key: row[key] for key in ("expected", "reason", "endpoints") if key in row})
    return f", {text[1:]}".replace(json.dumps(SOURCE)[1:-1], _SOURCE)


class _Writer:
    """Writes the rows of lines; what one line says of a question as the line before did is written once."""

    def __init__(self) -> None:
        self._heads: dict[tuple[str, int], str] = {}
        self._names: dict[str, str] = {}
        self._last: dict[int, list[tuple[Answer | None, str]]] = {}

    def texts(self, line: Line) -> _Texts:
        """Return the rows of a line with marks for the source."""
        made = _Texts()
        tails: dict[int, tuple[str, bool]] = {}
        last = self._last.setdefault(id(line.questions), [(None, "")] * len(line.questions))
        answers, count, rows = line.answers, made.count, made.rows
        for at, question in enumerate(line.questions):
            answer = answers[question.kind]
            if answer is None:
                made.apart.append(at)
                rows.append("")
                continue
            verdict = answer.verdict
            count[verdict] = count.get(verdict, 0) + 1
            before, text = last[at]
            if before is not answer:
                found = tails.get(id(answer))
                if found is None:
                    tail = marked(answer.reason) + _AFTER_REASON
                    found = tails[id(answer)] = (tail, _DESTINATION in tail)
                tail, named = found
                if named:
                    tail = tail.replace(_DESTINATION, self.escaped(question.destination.ref))
                text = self._head(question, verdict) + tail
                last[at] = answer, text
            rows.append(text)
        return made

    def escaped(self, name: str) -> str:
        """Return a name escaped for a JSON string, without the quotes."""
        found = self._names.get(name)
        if found is None:
            found = self._names[name] = json.dumps(name)[1:-1]
        return found

    def _head(self, question: Question, verdict: str) -> str:
        """Return a row of a question as JSON up to its reason, with a mark for the source."""
        # Questions live as long as their expansion, so their identity is theirs.
        key = (verdict, id(question))
        found = self._heads.get(key)
        if found is None:
            to, family, protocol, port, *_ = question
            text = json.dumps(Row("", to.ref, family, protocol, port, verdict).data())
            found = f"{_BEFORE_SOURCE}{_SOURCE}{text[len(_BEFORE_SOURCE) : -len(_AFTER_REASON)]}"
            self._heads[key] = found
        return found


def marked(reason: str) -> str:
    """Return a reason as it is within JSON's quotes, with the marks of JSON text in place of its placeholders."""
    by_source = (part.split(DESTINATION) for part in reason.split(SOURCE))
    return _SOURCE.join(_DESTINATION.join(json.dumps(text)[1:-1] for text in texts) for texts in by_source)
