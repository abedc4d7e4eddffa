"""The verdict and reason of every pair, as ``evaluate`` gives them, without a call for every pair.

Each answer is made of parts (``parts``), once for all pairs with the same parts. The texts come from the functions of
``decision`` that the evaluator uses.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

from netlab.cluster.flows import Flow, FlowSelection, askable, asks
from netlab.cluster.paths import Path
from netlab.cluster.translate import stands_for
from netlab.cluster.types import Cluster, Endpoint, Host, Pod, address_of
from netlab.frozen import NamedTuple
from netlab.objects.types import Address, Direction
from netlab.policy.by_settings import asked_like
from netlab.policy.decision import Decision
from netlab.policy.evaluate import evaluate
from netlab.policy.parts import Ingress, Numbers, Part, Parts
from netlab.policy.reasons import decided_reason, unknown_reason
from netlab.policy.tiers import evaluated_text
from netlab.policy.tiers.tier import AskedPort
from netlab.verdicts import Certain, Expected

# The number of answers that are kept for later lines.
_KEPT = 100_000


class Question(NamedTuple):
    """A question about one destination; two questions have one ``kind`` if every source has one answer to both."""

    destination: Endpoint
    family: int
    protocol: str
    port: int | None
    address: Address | None
    kind: int


class Answer(NamedTuple):
    """A verdict, and its reason with placeholders (``policy.placeholders``) for the two endpoints.

    ``endpoints`` are the decisions about the backends of a translated destination.
    """

    verdict: Expected
    reason: str
    endpoints: tuple[Decision, ...] = ()


@dataclass(eq=False)
class Line:
    """The questions about some sources, in order, and the answers by kind of question, which these sources share.

    An answer is None if each pair has its own; ``Expansion.answer`` returns it.
    """

    questions: Sequence[Question]
    answers: Sequence[Answer | None]


class _Kind(NamedTuple):
    """A kind of question: the numbers of its parts for the path, the ingress and unread policies.

    ``translated``: a node translates the destination.
    """

    way: int
    ingress: int
    could: int
    translated: bool


class Expansion:
    """The answers to all questions about a cluster, in the order of ``FlowSelection.flows``."""

    def __init__(self, cluster: Cluster, questions: FlowSelection) -> None:
        self._cluster = cluster
        self._everyone = questions.endpoints(cluster)
        self._parts = Parts(cluster, questions)
        self.self_pairs = questions.self_pairs
        self._kinds: list[_Kind] = []
        self._ways = Numbers()
        self._ingress: list[Ingress] = []
        self._could: list[tuple[Endpoint, str, bool]] = []
        self._by_service: dict[AskedPort, dict[int, int]] = {}
        self._all = self._questions(questions)
        self._of_hosts: dict[tuple[int, ...], list[Question]] = {}
        self._own: dict[int, dict[int, tuple[int, int]]] = {}
        self._known: dict[tuple[int, int, int, int, int], Answer] = {}
        self._ways_of: dict[int, tuple[int, ...]] = {}
        self._keys: dict[int, Hashable] = {}
        self._lines: dict[Hashable, Line] = {}

    def lines(self) -> Iterator[tuple[Endpoint, Line]]:
        """Yield every source with its line; the line has the questions about the source itself too (``own``)."""
        for source in self._everyone:
            yield source, self.line(source)

    def line(self, source: Endpoint) -> Line:
        """Return the line of a source."""
        kind = self._parts.kind_of[id(source)]
        if kind not in self._keys:
            self._keys[kind] = self._key(source)
        key = self._keys[kind]
        line = self._lines.pop(key, None)
        if line is None:
            while self._lines and (len(self._lines) + 1) * len(self._all) > _KEPT:
                del self._lines[next(iter(self._lines))]
            line = self._line(source)
        self._lines[key] = line
        return line

    @property
    def questions(self) -> Sequence[Question]:
        """All questions, in order."""
        return self._all

    def own(self, source: Endpoint, line: Line) -> range:
        """Return the places of the questions in a line that are about the source itself."""
        places = self._own.get(id(line.questions))
        if places is None:
            places = self._own[id(line.questions)] = {}
            for at, question in enumerate(line.questions):
                end = id(question.destination)
                places[end] = (places.get(end, (at, at))[0], at + 1)
        return range(*places.get(id(source), (0, 0)))

    def answer(self, source: Endpoint, question: Question) -> Answer:
        """Return the answer about one pair from the evaluator, without placeholders."""
        decision = evaluate(self._cluster, Flow(source, *question[:5]))
        return Answer(decision.verdict, decision.reason, decision.endpoints)

    def _questions(self, questions: FlowSelection) -> list[Question]:
        found: list[Question] = []
        kinds, ingress, could = Numbers(), Numbers(), Numbers()
        for destination, family, protocol, port in self._asked(questions):
            of = self._parts.kind_of[id(destination)]
            service = (family, protocol, port)
            number = kinds.of((of, service))
            if number == len(self._kinds):
                self._by_service.setdefault(service, {})[of] = number
                self._kinds.append(self._kind(destination, service, ingress, could))
            found.append(Question(destination, family, protocol, port, address_of(destination, family), number))
        return found

    def _asked(self, questions: FlowSelection) -> Iterator[tuple[Endpoint, int, str, int | None]]:
        """Yield the destination, family, protocol and port of each question, in order."""
        for destination in self._everyone:
            for family in questions.families_in(self._cluster):
                if askable(destination, family):
                    for protocol, port in questions.ports_for(destination):
                        yield destination, family, protocol, port

    def _is_translated(self, destination: Endpoint, service: AskedPort) -> bool:
        """Say whether a node translates a destination."""
        family, protocol, port = service
        address = address_of(destination, family)
        return stands_for(self._cluster, destination, address, protocol, port) is not None

    def _kind(self, destination: Endpoint, service: AskedPort, ingress: Numbers, could: Numbers) -> _Kind:
        family, protocol, port = service
        found = self._parts.ingress(destination, service)
        if ingress.of(id(found)) == len(self._ingress):
            self._ingress.append(found)
        inside = isinstance(destination, Pod) and destination.selectable
        unread = could.of((self._parts.selection(destination), protocol, inside) if self._cluster.unread else 0)
        if unread == len(self._could):
            self._could.append((destination, protocol, inside))
        return _Kind(
            self._ways.of((self._parts.wire(destination), family, *asked_like(self._cluster, protocol, port))),
            ingress[id(found)],
            unread,
            self._is_translated(destination, service),
        )

    def _asked_by(self, source: Endpoint) -> Sequence[Question]:
        if not isinstance(source, Host):
            return self._all
        families = tuple(address.version for address in source.addresses)
        if families not in self._of_hosts:
            self._of_hosts[families] = [q for q in self._all if asks(source, q.destination, q.family)]
        return self._of_hosts[families]

    def _ways_from(self, source: Endpoint) -> tuple[int, ...]:
        wire = self._parts.wire(source)
        if wire not in self._ways_of:
            self._ways_of[wire] = tuple(self._parts.way(wire, *to) for to in self._ways)  # type: ignore[misc]
        return self._ways_of[wire]

    def _key(self, source: Endpoint) -> Hashable:
        """Return everything that the answers about a source depend on."""
        parts = self._parts
        return (
            id(self._asked_by(source)),
            self._ways_from(source),
            parts.selecting("egress", source),
            parts.view(source),
            parts.selection(source),
        )

    def _line(self, source: Endpoint) -> Line:
        parts, known = self._parts, self._known
        if len(known) > _KEPT:
            known.clear()
        ways = [(number, parts.ways[number]) for number in self._ways_from(source)]
        view, selection = parts.view(source), parts.selection(source)
        ingress = [one.parts[one.of[view]] for one in self._ingress]
        egress = parts.egress(source, self._by_service, len(self._kinds)) or [parts.free] * len(self._kinds)
        to_own_node: Sequence[Part] | None = None
        answers: list[Answer | None] = []
        for at, (asked, out) in enumerate(zip(self._kinds, egress, strict=True)):
            if asked.translated:
                answers.append(None)
                continue
            number, way = ways[asked.way]
            if way.own_node:
                if to_own_node is None:
                    to_own_node = parts.egress(source, self._by_service, len(self._kinds), own_node=True)
                out = to_own_node[at] if to_own_node else parts.free
            elif not way.egress_enforced:
                out = parts.free
            into = ingress[asked.ingress] if way.ingress_enforced else parts.free
            key = (number, out.number, into.number, selection, asked.could)
            answer = known.get(key)
            if answer is None:
                answer = known[key] = self._answer(source, way, out, into, asked.could)
            answers.append(answer)
        return Line(self._asked_by(source), answers)

    def _answer(self, source: Endpoint, way: Path, egress: Part, ingress: Part, could: int) -> Answer:
        """Return the answer that ``evaluate`` gives, from its parts."""
        sides = (egress, ingress)
        denied = [side.text for side in sides if side.verdict == "deny"]
        verdict: Certain = "allow" if way.connected and not denied else "deny"
        if self._cluster.unread and way.connected and not way.local:
            destination, protocol, inside = self._could[could]
            ends: tuple[tuple[Direction, Endpoint], ...] = (("egress", source), ("ingress", destination))
            open_texts = [
                self._parts.unread_text(direction, end, side.verdict, protocol, inside=inside)
                for (direction, end), side in zip(ends, sides, strict=True)
            ]
            certain = [side for side, text in zip(sides, open_texts, strict=True) if not text]
            if any(open_texts) and all(side.verdict == "allow" for side in certain):
                return Answer(
                    "unknown", unknown_reason(filter(None, open_texts), verdict, evaluated_text(self._cluster))
                )
        allowing = [side.text for side in sides if side.text and side.verdict == "allow"]
        return Answer(verdict, decided_reason(way, denied, allowing))
