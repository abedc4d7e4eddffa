"""The rows of every pair from lines that alike sources share (``policy.expand``), and the same rows as JSON text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from netlab.cluster.types import Endpoint
from netlab.policy.expand import Answer, Expansion, Line, Question
from netlab.policy.parts import DESTINATION, SOURCE
from netlab.report.rows import Row, Tally

_BEFORE_SOURCE = '{"source": "'
_AFTER_REASON = '"}'


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
    return Row(source.ref, to.ref, family, protocol, port, answer.verdict, None, answer.reason)


@dataclass(slots=True)
class _Texts:
    """The rows of a line as JSON, with marks for the source; ``apart`` are the places of those that each pair has."""

    rows: list[str] = field(default_factory=list)
    apart: list[int] = field(default_factory=list)
    count: dict[str, int] = field(default_factory=dict)


def json_rows(expansion: Expansion, tally: Tally) -> Iterator[str]:
    """Yield the rows of every pair as JSON, those of a source in one text, and count them.

    The text of alike sources differs by their names only: it is made once, and the name put in.
    """
    kept: WeakKeyDictionary[Line, _Texts] = WeakKeyDictionary()
    heads: dict[tuple[str, int], str] = {}
    for source, line in expansion.lines():
        made = kept.get(line)
        if made is None:
            made = kept[line] = _texts(line, heads)
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
            yield ",\n".join(texts).replace(SOURCE, _escaped(source.ref))


def _texts(line: Line, heads: dict[tuple[str, int], str]) -> _Texts:
    made = _Texts()
    tails: dict[int, tuple[str, bool]] = {}
    for at, question in enumerate(line.questions):
        answer = line.answers[question.kind]
        if answer is None:
            made.apart.append(at)
            made.rows.append("")
            continue
        verdict = answer.verdict
        made.count[verdict] = made.count.get(verdict, 0) + 1
        head = heads.get((verdict, id(question)))
        if head is None:
            head = heads[verdict, id(question)] = _head(question, verdict)
        found = tails.get(id(answer))
        if found is None:
            tail = _escaped(answer.reason) + _AFTER_REASON
            found = tails[id(answer)] = (tail, DESTINATION in tail)
        tail, named = found
        made.rows.append(head + (tail.replace(DESTINATION, _escaped(question.destination.ref)) if named else tail))
    return made


def _head(question: Question, verdict: str) -> str:
    """Return a row of a question as JSON up to its reason, with a mark for the source."""
    to, family, protocol, port, *_ = question
    text = json.dumps(Row("", to.ref, family, protocol, port, verdict).data())
    return f"{_BEFORE_SOURCE}{SOURCE}{text[len(_BEFORE_SOURCE) : -len(_AFTER_REASON)]}"


def _escaped(text: str) -> str:
    """Return a text as it is within JSON's quotes; the NUL that marks begin with stays: JSON text never has one."""
    return "\0".join(json.dumps(part)[1:-1] for part in text.split("\0"))
