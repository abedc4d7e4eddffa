"""The reason and the deciding choices of many pairs of one reading, as ``evaluate`` and ``deciding`` give them.

Reasons are put together from parts (``expand``), once for all pairs with the same parts. Which choices decided is found
over sets (``set_evaluator``): one call finds it for all sources towards one destination.
"""

from __future__ import annotations

from collections.abc import Sequence

from netlab.cluster.flows import Flow, FlowSelection, service_flow
from netlab.cluster.types import Cluster, Endpoint, address_of
from netlab.frozen import frozen
from netlab.objects.profiles import Choice
from netlab.objects.services import Service
from netlab.policy.deciding import deciding, without_one
from netlab.policy.endpoint_kinds import EndpointKinds
from netlab.policy.evaluate import evaluate
from netlab.policy.expand import Expansion, Line, Question
from netlab.policy.placeholders import DESTINATION, SOURCE
from netlab.policy.set_evaluator import SetEvaluator
from netlab.policy.tiers.tier import AskedPort
from netlab.profiles.sources import decided

# The most reasons that are kept for later pairs.
_KEPT = 100_000


@frozen
class Decided:
    """A reason, with placeholders (``policy.placeholders``) for the names of the two ends, and the choices.

    ``choices`` are those of the profile that decided, in its order.
    """

    reason: str
    choices: tuple[Choice, ...] = ()

    def reason_about(self, source: str, destination: str) -> str:
        """Return the reason with the names of the two ends."""
        return self.reason.replace(SOURCE, source).replace(DESTINATION, destination)


class SharedReasons:
    """The reasons of one reading; ``questions`` are all that may be asked about."""

    def __init__(self, cluster: Cluster, questions: FlowSelection) -> None:
        self._cluster = cluster
        self._choices = cluster.profile.choices if cluster.profile is not None else ()
        self._expansion = Expansion(cluster, questions)
        self._questions = {(id(one.destination), *one[1:4]): one for one in self._expansion.questions}
        self._changes = _Changes(cluster, questions, self._choices)
        self._services = {one.meta.key: one for one in cluster.services}
        self._named: dict[str, int] = {}
        self._known: dict[tuple[str, int], Decided] = {}
        self._last: tuple[Endpoint, Line] | None = None

    def about(self, source: Endpoint, end: Endpoint | Service, asked: AskedPort) -> Decided:
        """Return what decides about a pair; the ends may be those of another reading, with the same names.

        Pairs with the same reason and choices have one object, unless too many were asked about in between.
        """
        own = self._cluster.by_ref[source.ref]
        if isinstance(end, Service):
            family, protocol, port = asked
            assert port is not None
            return self._alone(service_flow(own, self._services[end.meta.key], protocol, port, family))
        destination = self._cluster.by_ref[end.ref]
        question = self._questions[id(destination), *asked]
        answer = self._line(own).answers[question.kind]
        if answer is None:
            return self._alone(_flow(own, question))
        changes = self._changes.about(own, destination, asked)
        found = self._known.get((answer.reason, changes))
        if found is None:
            found = self._decided(answer.reason, changes)
        return found

    def _line(self, source: Endpoint) -> Line:
        # Rows are sorted by source.
        if self._last is None or self._last[0] is not source:
            self._last = source, self._expansion.line(source)
        return self._last[1]

    def _decided(self, reason: str, changes: int) -> Decided:
        if len(self._known) >= _KEPT:
            self._known.clear()
        named = {one.name for one in decided(self._cluster.profile, reason)}
        choices = tuple(one for at, one in enumerate(self._choices) if changes >> at & 1 or one.name in named)
        found = self._known[reason, changes] = Decided(reason, choices)
        return found

    def _alone(self, flow: Flow) -> Decided:
        """Return what decides about a flow that a node translates: each pair has its own reason."""
        decision = evaluate(self._cluster, flow)
        return Decided(decision.reason, deciding(self._cluster, decision))


class _Changes:
    """The choices about policies without which a pair has another verdict, as the set of their places."""

    def __init__(self, cluster: Cluster, questions: FlowSelection, choices: Sequence[Choice]) -> None:
        others = without_one(cluster)
        place = {one.name: 1 << at for at, one in enumerate(choices)}
        self._places = [place[choice.name] for choice, _ in others]
        kinds = [EndpointKinds(one, questions) for one in (cluster, *(other for _, other in others))] if others else []
        self._sets: list[SetEvaluator] = []
        self._kind_of: dict[int, int] = {}
        self._known: dict[tuple[int, AskedPort], list[tuple[int, int]]] = {}
        if kinds:
            kinds[0].refine(kinds[1:])
            readings = (cluster, *(other for _, other in others))
            self._sets = [SetEvaluator(one, of) for one, of in zip(readings, kinds, strict=True)]
            self._kind_of = {id(one): number for number, alike in enumerate(kinds[0].members) for one in alike}

    def about(self, source: Endpoint, destination: Endpoint, asked: AskedPort) -> int:
        """Return the places of the choices that change the verdict of a pair of two different endpoints."""
        if not self._sets:
            return 0
        key = (self._kind_of[id(destination)], asked)
        changes = self._known.get(key)
        if changes is None:
            changes = self._known[key] = self._changes(*key)
        found = 0
        if changes:
            kind = self._kind_of[id(source)]
            for place, sources in changes:
                if sources >> kind & 1:
                    found |= place
        return found

    def _changes(self, destination: int, asked: AskedPort) -> list[tuple[int, int]]:
        """Return the choices that change verdicts towards a kind, each with the kinds of sources."""
        usual, *others = [of.sources(destination, asked) for of in self._sets]
        found = []
        for place, other in zip(self._places, others, strict=True):
            changed = 0
            for here, there in zip(usual, other, strict=True):
                changed |= here ^ there
            if changed:
                found.append((place, changed))
        return found


def _flow(source: Endpoint, question: Question) -> Flow:
    destination, family, protocol, port = question[:4]
    return Flow(source, destination, family, protocol, port, address_of(destination, family))
