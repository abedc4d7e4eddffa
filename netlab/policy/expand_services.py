"""The verdict and reason of every source towards every Service: those of ``evaluate``, without a call for each.

A pod's own node translates a cluster IP and keeps the pod's address. So the pod reaches an endpoint as it reaches the
endpoint itself (``expand``), and pods that are alike share the answers. ``evaluate`` judges all other sources.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from netlab.cluster.flows import FlowSelection, ServiceQuestion, askable
from netlab.cluster.translate import Backend, Target
from netlab.cluster.translate.services import service_target
from netlab.cluster.types import Cluster, Endpoint, Pod
from netlab.policy.decision import backends_reason
from netlab.policy.evaluate import evaluate
from netlab.policy.expand import Expansion, Line
from netlab.policy.parts import renamed
from netlab.policy.placeholders import DESTINATION, SOURCE
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


class _NodeTargets(NamedTuple):
    """The targets of all questions for the pods of a node. Nodes with equal targets have the same number."""

    number: int
    targets: tuple[Target, ...]


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
        self._node_targets: dict[str, _NodeTargets] = {}
        self._numbers: dict[Hashable, int] = {}
        self._known: dict[tuple[int, int], tuple[Line, list[ServiceAnswer]]] = {}

    def asks(self, source: Endpoint) -> Sequence[int]:
        """Return the indexes of the questions that a source is asked: an outside host has not every family."""
        return [at for at, question in enumerate(self.questions) if askable(source, question.family)]

    def answers(self, source: Endpoint) -> list[ServiceAnswer]:
        """Return the answers for a source, one for each question. Sources that are alike have the same list."""
        if not isinstance(source, Pod) or not source.traits.attachment.enforced or source.traits.attachment.on_underlay:
            return [self._evaluated(source, question) for question in self.questions]
        line, of_node = self._endpoints.line(source), self._targets_of(source)
        key = (id(line), of_node.number)
        known = self._known.pop(key, None)
        if known is None:
            while self._known and (len(self._known) + 1) * len(self.questions) > _KEPT:
                del self._known[next(iter(self._known))]
            pairs = zip(self.questions, of_node.targets, strict=True)
            # The line is kept, so no other line has its identity.
            known = (line, [self._answer(line, source, question, target) for question, target in pairs])
        self._known[key] = known
        answers = known[1]
        if self._cluster.policy.hairpin == "exempt":
            answers = self._exempt(source, of_node, answers)
        return answers

    def _targets_of(self, source: Pod) -> _NodeTargets:
        """Return the targets of all questions for a source's node."""
        if source.node not in self._node_targets:
            targets = tuple(target.for_source(source) for target in self._targets)
            same = tuple((target.backends, target.reason) for target in targets)
            number = self._numbers.setdefault(_hashable(same), len(self._numbers))
            self._node_targets[source.node] = _NodeTargets(number, targets)
        return self._node_targets[source.node]

    def _answer(self, line: Line, source: Pod, question: ServiceQuestion, target: Target) -> ServiceAnswer:
        if not target.backends:
            return ServiceAnswer("deny", target.reason)
        reasons: list[tuple[Expected, str, str]] = []
        verdicts: list[tuple[Backend, Expected]] = []
        for backend in target.backends:
            kind = self._kind.get((id(backend.endpoint), question.family, question.protocol, backend.port))
            answer = line.answers[kind] if kind is not None else None
            if answer is None:
                return self._evaluated(self._example(source), question)
            reasons.append((answer.verdict, answer.reason.replace(DESTINATION, backend.name), backend.name))
            verdicts.append((backend, answer.verdict))
        reason = reasons[0][1] if len(reasons) == 1 else backends_reason(reasons)
        return ServiceAnswer(joined(verdict for _, verdict in verdicts), reason, tuple(verdicts))

    def _exempt(self, source: Pod, of_node: _NodeTargets, answers: list[ServiceAnswer]) -> list[ServiceAnswer]:
        """Return the answers for a pod that always reaches itself through a Service."""
        of_itself = [
            at for at, target in enumerate(of_node.targets) if any(b.endpoint is source for b in target.backends)
        ]
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


def _hashable(same: Sequence[tuple[tuple[Backend, ...], str]]) -> Hashable:
    """Return a key of targets. Endpoints are not hashable, so it has their identities."""
    return tuple((tuple((id(b.endpoint), b.address, b.port) for b in backends), reason) for backends, reason in same)
