"""The rows of every pair from lines that equivalent sources share (``policy.expand``), also as JSON text."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from netlab.cluster.flows import service_ref
from netlab.cluster.types import Endpoint
from netlab.policy.expand import Answer, Expansion, Line, Question
from netlab.policy.placeholders import DESTINATION, SOURCE
from netlab.report.rows import EndpointRow, Row, Tally, endpoints_of

if TYPE_CHECKING:
    from netlab.policy.expand_services import ServiceAnswer, ServiceExpansion

_BEFORE_SOURCE = '{"source": "'
_AFTER_REASON = '"}'
# JSON escapes control characters, so these are in a text only as placeholders.
_SOURCE, _DESTINATION = "\0", "\1"
# The number of rows about Services whose text is kept for later sources.
_KEPT = 100_000


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


@dataclass(slots=True)
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
            text = of_services.text(source, tally)
            if text:
                yield text.replace(_SOURCE, writer.escaped(source.ref))


def service_rows(services: ServiceExpansion, source: Endpoint) -> Iterator[Row]:
    """Yield the rows of a source towards every Service."""
    answers = services.answers(source)
    for at in services.asks(source):
        row = _service_row(services, at, answers[at])
        yield row._replace(source=source.ref, reason=row.reason.replace(SOURCE, source.ref))


def _service_row(services: ServiceExpansion, at: int, answer: ServiceAnswer) -> Row:
    """Return the row of a question about a Service, with a placeholder for the source."""
    service, family, protocol, port = services.questions[at]
    endpoints = tuple(
        EndpointRow(one.endpoint.ref if one.endpoint is not None else "", str(one.address), one.port, verdict)
        for one, verdict in answer.backends
    )
    to = service_ref(service)
    return Row(SOURCE, to, family, protocol, port, answer.verdict, None, answer.reason, endpoints)


class ServiceTexts:
    """The rows about Services as JSON; sources with the same answers share the text."""

    def __init__(self, services: ServiceExpansion) -> None:
        self._services = services
        self._known: dict[tuple[int, tuple[int, ...]], tuple[list[ServiceAnswer], str, dict[str, int]]] = {}

    def text(self, source: Endpoint, tally: Tally) -> str:
        """Return the rows of a source as JSON with ``_SOURCE`` for its name, and count them."""
        answers, places = self._services.answers(source), tuple(self._services.asks(source))
        key = (id(answers), places)
        found = self._known.pop(key, None)
        if found is None:
            while self._known and (len(self._known) + 1) * len(answers) > _KEPT:
                del self._known[next(iter(self._known))]
            rows = [_service_row(self._services, at, answers[at]) for at in places]
            text = ",\n".join(json.dumps(row.data()) for row in rows).replace(json.dumps(SOURCE)[1:-1], _SOURCE)
            # The answers are kept, so no other list has their identity.
            found = (answers, text, Counter(row.verdict for row in rows))
        self._known[key] = found
        for verdict, number in found[2].items():
            tally.add(verdict, number)
        return found[1]


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
                    tail = _marked(answer.reason) + _AFTER_REASON
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


def _marked(reason: str) -> str:
    """Return a reason as it is within JSON's quotes, with one-letter marks: six times as fast to replace as two."""
    by_source = (part.split(DESTINATION) for part in reason.split(SOURCE))
    return _SOURCE.join(_DESTINATION.join(json.dumps(text)[1:-1] for text in texts) for texts in by_source)
