"""The verdict and reason of every source towards every Service: those of ``evaluate``, without a call for each.

A pod's own node translates a cluster IP and keeps the pod's address. So the pod reaches an endpoint as it reaches the
endpoint itself (``expand``), and pods that are alike share the answers. ``evaluate`` judges all other sources.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from netlab.cluster.flows import FlowSelection, ServiceQuestion, askable
from netlab.cluster.translate import Backend
from netlab.cluster.translate.services import service_target
from netlab.cluster.types import Cluster, Endpoint, Host, Pod
from netlab.frozen import NamedTuple
from netlab.policy.evaluate import evaluate
from netlab.policy.expand import Expansion, Line
from netlab.policy.parts import renamed
from netlab.policy.placeholders import DESTINATION, SOURCE
from netlab.policy.reasons import backends_reason
from netlab.policy.tiers.tier import AskedPort
from netlab.verdicts import Expected, joined

# The number of answers that are kept for later sources.
_KEPT = 200_000


class ServiceAnswer(NamedTuple):
    """A verdict, its reason with a placeholder for the source, and the verdict of each backend."""

    verdict: Expected
    reason: str
    backends: tuple[tuple[Backend, Expected], ...] = ()


class _Endpoints(Expansion):
    """The answers about the endpoints themselves, on the ports that Services lead to."""

    def __init__(
        self, cluster: Cluster, questions: FlowSelection, asked: Sequence[tuple[Endpoint, int, str, int | None]]
    ) -> None:
        self._of_services = asked
        super().__init__(cluster, questions)

    def _asked(self, questions: FlowSelection) -> Iterator[tuple[Endpoint, int, str, int | None]]:
        yield from self._of_services

    def _is_translated(self, destination: Endpoint, service: AskedPort) -> bool:
        """Return False, as a connection is translated only once."""
        return False


class _Choice(NamedTuple):
    """The backends of a question for some sources; if there are none, ``reason`` says why."""

    backends: tuple[Backend, ...]
    reason: str


class _NodeChoices(NamedTuple):
    """The choices for the pods of a node, by question. Nodes with equal choices have the same number.

    Only questions that nodes answer differently are in ``choices``.
    """

    number: int
    choices: dict[int, _Choice]


class _KnownAnswers(NamedTuple):
    """The answers that the sources of a line share; ``size`` is their number and that of their backends."""

    line: Line
    answers: list[ServiceAnswer]
    size: int


class _Evaluated(Sequence[ServiceAnswer]):
    """The answers of the evaluator for one source, each made when it is read."""

    def __init__(
        self,
        evaluated: Callable[[Endpoint, ServiceQuestion], ServiceAnswer],
        source: Endpoint,
        questions: Sequence[ServiceQuestion],
    ) -> None:
        self._evaluated = evaluated
        self._source = source
        self._questions = questions

    def __len__(self) -> int:
        return len(self._questions)

    def __getitem__(self, at: Any) -> Any:
        return self._evaluated(self._source, self._questions[at])


class ServiceExpansion:
    """The answers to all questions about Services."""

    def __init__(self, cluster: Cluster, questions: FlowSelection) -> None:
        self._cluster = cluster
        self.questions = questions.service_questions(cluster)
        self.sources = questions.endpoints(cluster)
        self._targets = [service_target(cluster, q.service, q.family, q.protocol, q.port) for q in self.questions]
        asked: dict[tuple[int, int, str, int | None], tuple[Endpoint, int, str, int | None]] = {}
        for q, target in zip(self.questions, self._targets, strict=True):
            for backend in target.backends:
                if backend.endpoint is not None:
                    key = (id(backend.endpoint), q.family, q.protocol, backend.port)
                    asked.setdefault(key, (backend.endpoint, q.family, q.protocol, backend.port))
        with_all_endpoints = replace(questions, nodes=True, system=True)
        self._endpoints = _Endpoints(cluster, with_all_endpoints, list(asked.values()))
        self._kind = {key: question.kind for key, question in zip(asked, self._endpoints.questions, strict=True)}
        self._in_every_family = range(len(self.questions))
        # By question: the choice for the pods of all nodes, None if nodes differ.
        self._on_all_nodes: list[_Choice | None] | None = None
        self._differing: list[int] = []
        self._node_choices: dict[str, _NodeChoices] = {}
        self._numbers: dict[Hashable, int] = {}
        self._count = 0
        self._known: dict[tuple[int, int], _KnownAnswers] = {}
        self._size = 0

    def asks(self, source: Endpoint) -> Sequence[int]:
        """Return the indexes of the questions that a source is asked: an outside host has not every family."""
        if not isinstance(source, Host):
            return self._in_every_family
        return [at for at, question in enumerate(self.questions) if askable(source, question.family)]

    def answers(self, source: Endpoint) -> Sequence[ServiceAnswer]:
        """Return the answers for a source, one for each question. Sources that are alike have the same list.

        Those of the evaluator are in no list: each is made when it is read.
        """
        if self._cluster.policy.service_egress == "pre-dnat":
            return _Evaluated(self._evaluated, source, self.questions)
        if not isinstance(source, Pod) or not source.traits.attachment.enforced or source.traits.attachment.on_underlay:
            return _Evaluated(self._evaluated, source, self.questions)
        line, of_node = self._endpoints.line(source), self._choices_of(source)
        key = (id(line), of_node.number)
        known = self._known.pop(key, None)
        if known is None:
            answers = self._answers(line, source, of_node)
            backends = {id(answer): len(answer.backends) for answer in answers}
            # The line is kept, so no other line has its identity.
            known = _KnownAnswers(line, answers, len(answers) + sum(backends.values()))
            self._size += known.size
            while self._known and self._size > _KEPT:
                self._size -= self._known.pop(next(iter(self._known))).size
        self._known[key] = known
        answers = known.answers
        if self._cluster.policy.hairpin != "subject":
            answers = self._exempt(source, of_node, answers)
        return answers

    def _answers(self, line: Line, source: Pod, of_node: _NodeChoices) -> list[ServiceAnswer]:
        """Return the answers of a line. Questions with the same backends share an answer."""
        made: dict[tuple[int, int, str], ServiceAnswer | None] = {}
        answers = []
        for at, question in enumerate(self.questions):
            choice = self._choice(of_node, at)
            if not choice.backends:
                answers.append(ServiceAnswer("deny", choice.reason))
                continue
            # Targets with the same backends have the same tuple of them, and the cluster keeps it.
            key = (id(choice.backends), question.family, question.protocol)
            if key not in made:
                made[key] = self._answer(line, question, choice.backends)
            answers.append(made[key] or self._evaluated(self._example(source), question))
        return answers

    def _choice(self, of_node: _NodeChoices, at: int) -> _Choice:
        on_all_nodes = self._on_all_nodes[at] if self._on_all_nodes is not None else None
        return on_all_nodes if on_all_nodes is not None else of_node.choices[at]

    def _choices_of(self, source: Pod) -> _NodeChoices:
        """Return the choices for a source's node."""
        if self._on_all_nodes is None:
            of_source = [target.for_source(source) for target in self._targets]
            self._on_all_nodes = [_Choice(t.backends, t.reason) if t.node is None else None for t in of_source]
            self._differing = [at for at, choice in enumerate(self._on_all_nodes) if choice is None]
        found = self._node_choices.pop(source.node, None)
        if found is None:
            size = len(self._differing)
            targets = ((at, self._targets[at].for_source(source)) for at in self._differing)
            choices = {at: _Choice(target.backends, target.reason) for at, target in targets}
            same = _hashable(choices.values())
            if same not in self._numbers:
                _make_room(self._numbers, size)
                self._count += 1
                self._numbers[same] = self._count
            _make_room(self._node_choices, size)
            found = _NodeChoices(self._numbers[same], choices)
        self._node_choices[source.node] = found
        return found

    def _answer(self, line: Line, question: ServiceQuestion, backends: Sequence[Backend]) -> ServiceAnswer | None:
        """Return the answer of a line about some backends, None if the evaluator must give it."""
        reasons: list[tuple[Expected, str, str]] = []
        verdicts: list[tuple[Backend, Expected]] = []
        for backend in backends:
            kind = self._kind.get((id(backend.endpoint), question.family, question.protocol, backend.port))
            answer = line.answers[kind] if kind is not None else None
            if answer is None:
                return None
            reasons.append((answer.verdict, answer.reason.replace(DESTINATION, backend.name), backend.name))
            verdicts.append((backend, answer.verdict))
        reason = reasons[0][1] if len(reasons) == 1 else backends_reason(reasons)
        return ServiceAnswer(joined(verdict for _, verdict in verdicts), reason, tuple(verdicts))

    def _exempt(self, source: Pod, of_node: _NodeChoices, answers: list[ServiceAnswer]) -> list[ServiceAnswer]:
        """Return the answers for a pod that reaches itself through a Service always, or never."""
        has: dict[int, bool] = {}
        of_itself = []
        for at in range(len(self.questions)):
            backends = self._choice(of_node, at).backends
            if id(backends) not in has:
                has[id(backends)] = any(backend.endpoint is source for backend in backends)
            if has[id(backends)]:
                of_itself.append(at)
        answers = list(answers) if of_itself else answers
        for at in of_itself:
            answers[at] = self._evaluated(source, self.questions[at])
        return answers

    def _example(self, source: Pod) -> Pod:
        """Return a copy of a source whose name is the placeholder."""
        # Caches of the cluster use identities of endpoints as keys, so the copy must live as long as the cluster.
        known: dict[int, tuple[Pod, Pod]] = self._cluster.memo.setdefault("policy.examples", {})
        if id(source) not in known:
            known[id(source)] = source, renamed(source, SOURCE)
        return known[id(source)][1]

    def _evaluated(self, source: Endpoint, question: ServiceQuestion) -> ServiceAnswer:
        decision = evaluate(self._cluster, question.flow(source))
        backends = tuple((one.through.backend, one.verdict) for one in decision.endpoints if one.through is not None)
        return ServiceAnswer(decision.verdict, decision.reason, backends)


def _make_room(known: dict[Any, Any], size: int) -> None:
    """Remove the oldest entries of a dict, so that it has at most ``_KEPT`` answers with a new entry of this size."""
    while known and (len(known) + 1) * size > _KEPT:
        del known[next(iter(known))]


def _hashable(choices: Iterable[_Choice]) -> Hashable:
    """Return a key of choices. Equal tuples of backends are one tuple, which the cluster keeps."""
    return tuple((id(choice.backends) if choice.backends else 0, choice.reason) for choice in choices)
