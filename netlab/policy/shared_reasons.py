"""The reason and the deciding choices of many pairs of one reading, as ``evaluate`` and ``deciding`` give them.

Reasons are put together from parts (``expand``), once for all pairs with the same parts. Which choices decided is found
over sets (``set_evaluator``): one call finds it for all sources towards one destination.
"""

from __future__ import annotations

from collections.abc import Sequence

from netlab.cluster.flows import Flow, FlowSelection, service_flow
from netlab.cluster.types import Cluster, Endpoint, address_of
from netlab.frozen import NamedTuple, frozen
from netlab.objects.profiles import Choice
from netlab.objects.services import Service
from netlab.policy.deciding import deciding, without_one
from netlab.policy.endpoint_kinds import EndpointKinds
from netlab.policy.evaluate import evaluate
from netlab.policy.expand import Answer, Expansion
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


class Source(NamedTuple):
    """A source of one reading: its answers by kind of question, and its own kind."""

    endpoint: Endpoint
    answers: Sequence[Answer | None]
    kind: int


class Destination(NamedTuple):
    """A destination of one reading: its kind of question, None for a Service, and the choices that change verdicts.

    ``changes`` has the place of each such choice, with the set of the kinds of sources whose verdict it changes.
    """

    end: Endpoint | Service
    asked: AskedPort
    question: int | None = None
    changes: Sequence[tuple[int, int]] = ()


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

    def source(self, source: Endpoint) -> Source:
        """Return what is known of a source; it may be that of another reading, with the same name."""
        own = self._cluster.by_ref[source.ref]
        return Source(own, self._expansion.line(own).answers, self._changes.kind(own))

    def destination(self, end: Endpoint | Service, asked: AskedPort) -> Destination:
        """Return what is known of a destination; it may be that of another reading, with the same name."""
        if isinstance(end, Service):
            return Destination(self._services[end.meta.key], asked)
        own = self._cluster.by_ref[end.ref]
        return Destination(own, asked, self._questions[id(own), *asked].kind, self._changes.towards(own, asked))

    def about(self, source: Source, to: Destination) -> Decided:
        """Return what decides about a pair of two different ends.

        Pairs with the same reason and choices have one object, unless too many were asked about in between.
        """
        own, answers, kind = source
        end, asked, question, towards = to
        answer = None if question is None else answers[question]
        if answer is None:
            return self._alone(own, end, asked)
        changes = 0
        for place, sources in towards:
            if sources >> kind & 1:
                changes |= place
        return self._known.get((answer.reason, changes)) or self._decided(answer.reason, changes)

    def _decided(self, reason: str, changes: int) -> Decided:
        if len(self._known) >= _KEPT:
            self._known.clear()
        named = {one.name for one in decided(self._cluster.profile, reason)}
        choices = tuple(one for at, one in enumerate(self._choices) if changes >> at & 1 or one.name in named)
        found = self._known[reason, changes] = Decided(reason, choices)
        return found

    def _alone(self, source: Endpoint, end: Endpoint | Service, asked: AskedPort) -> Decided:
        """Return what decides about a flow that a node translates: each pair has its own reason."""
        family, protocol, port = asked
        if isinstance(end, Service):
            assert port is not None
            flow = service_flow(source, end, protocol, port, family)
        else:
            flow = Flow(source, end, family, protocol, port, address_of(end, family))
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

    def kind(self, source: Endpoint) -> int:
        """Return the number of an endpoint's kind."""
        return self._kind_of[id(source)] if self._sets else 0

    def towards(self, destination: Endpoint, asked: AskedPort) -> Sequence[tuple[int, int]]:
        """Return the place of each choice that changes verdicts towards a destination, with the kinds of sources."""
        if not self._sets:
            return ()
        key = (self._kind_of[id(destination)], asked)
        if key not in self._known:
            self._known[key] = self._changes(*key)
        return self._known[key]

    def _changes(self, destination: int, asked: AskedPort) -> list[tuple[int, int]]:
        usual, *others = [of.sources(destination, asked) for of in self._sets]
        found = []
        for place, other in zip(self._places, others, strict=True):
            changed = 0
            for here, there in zip(usual, other, strict=True):
                changed |= here ^ there
            if changed:
                found.append((place, changed))
        return found
