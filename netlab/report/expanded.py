"""The rows of every pair from lines that equivalent sources share (``policy.expand``), also as JSON text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from netlab.cluster.types import Endpoint
from netlab.policy.expand import Answer, Expansion, Line, Question
from netlab.policy.placeholders import DESTINATION, SOURCE
from netlab.report.rows import Row, Tally, endpoints_of

_BEFORE_SOURCE = '{"source": "'
_AFTER_REASON = '"}'
# JSON escapes control characters, so these are in a text only as placeholders.
_SOURCE, _DESTINATION = "\0", "\1"


def rows(expansion: Expansion) -> Iterator[Row]:
    """Yield the row of every pair."""
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


def json_rows(expansion: Expansion, tally: Tally) -> Iterator[str]:
    """Yield the rows of every pair as JSON, those of a source in one text, and count them.

    The texts of equivalent sources differ in the source's name only: one text is made, and each name is inserted.
    """
    kept: WeakKeyDictionary[Line, _Texts] = WeakKeyDictionary()
    writer = _Writer()
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
