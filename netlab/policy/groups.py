"""Groups of endpoints: any two members of a group are interchangeable, without a change of a verdict.

Two endpoints are interchangeable if they have one type (pod, node, outside host), the same questions, the same verdicts
to and from every other endpoint, and the same verdicts in both directions between them. This is an equivalence
relation: if a and b are interchangeable, and b and c, then a and c are. So there are as few groups as possible, and all
pairs of two groups have one verdict.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from functools import cached_property

from netlab.cluster.flows import Flow, FlowSelection, ServiceQuestion, askable
from netlab.cluster.types import Cluster, Endpoint, Host, address_of
from netlab.frozen import frozen, frozen_with_cache
from netlab.policy.bitsets import members, transpose
from netlab.policy.endpoint_kinds import EndpointKinds
from netlab.policy.evaluate import evaluate
from netlab.policy.set_evaluator import SetEvaluator
from netlab.policy.tiers.tier import AskedPort
from netlab.policy.twins import Table
from netlab.verdicts import EXPECTED, Expected

# In place of a verdict's number.
_NOT_ASKED = 255


@frozen
class Group:
    """Interchangeable endpoints, in the cluster's order; ``number`` is the group's place among all, from 0.

    ``services`` are the questions about each member as destination: IP family, protocol and port. ``alone`` has the
    verdict of a member towards itself for each service, if that is in question.
    """

    number: int
    members: tuple[Endpoint, ...]
    services: tuple[AskedPort, ...]
    alone: tuple[Expected, ...] = ()


@frozen
class Answer:
    """The verdict of one group towards another for a service.

    If both are the same group, it is about two members, or (``alone``) about each member and itself. ``pairs`` is the
    number of pairs of endpoints.
    """

    source: Group
    destination: Group
    service: AskedPort
    verdict: Expected
    pairs: int
    alone: bool = False


@frozen
class ServiceVerdicts:
    """The verdicts towards one port of a Service: ``having[verdict]`` is the set of groups of sources with the verdict.

    ``asked`` is the set of groups that are asked about the port.
    """

    question: ServiceQuestion
    having: Mapping[Expected, int]
    asked: int


@frozen_with_cache
class Groups:
    """All groups of a cluster and the verdicts between them.

    ``having[verdict][service][i]`` is the set (``policy.bitsets``) of the groups of sources with a verdict towards
    group i. A group's own bit is about two members. A pair without a bit is denied, or is not in question.
    ``to_services`` has the verdicts towards Services, if they are in question.
    """

    cluster: Cluster
    groups: tuple[Group, ...]
    having: Mapping[Expected, Mapping[AskedPort, Sequence[int]]]
    to_services: tuple[ServiceVerdicts, ...] = ()

    @property
    def into(self) -> Mapping[AskedPort, Sequence[int]]:
        """The allowed sources: ``into[service][i]`` is the set of groups that may open a service of group i."""
        return self.having["allow"]

    @cached_property
    def having_by_source(self) -> Mapping[Expected, Mapping[AskedPort, Sequence[int]]]:
        """``having`` by source: ``[verdict][service][i]`` is the set of groups towards which group i has a verdict."""
        return {verdict: self._by_source(tables) for verdict, tables in self.having.items()}

    def _by_source(self, into: Mapping[AskedPort, Sequence[int]]) -> Mapping[AskedPort, Sequence[int]]:
        size = len(self.groups)
        return {s: transpose(columns, size) if any(columns) else [0] * size for s, columns in into.items()}

    def verdicts(self, source: Group, service: AskedPort) -> Iterator[tuple[Expected, int]]:
        """Yield each verdict with the set of groups towards which ``source`` has it."""
        left = asked = self.destinations(source, service)
        found: dict[Expected, int] = {}
        for verdict, by_source in self.having_by_source.items():
            found[verdict] = asked & by_source[service][source.number]
            left &= ~found[verdict]
        found["deny"] = left
        yield from ((verdict, found[verdict]) for verdict in EXPECTED)

    def destinations(self, source: Group, service: AskedPort) -> int:
        """Return the set of groups in question as destinations of a group; its own, if it has several members."""
        example = source.members[0]
        if not askable(example, service[0]):
            return 0
        found = self._asked[service] & ~self._hosts if isinstance(example, Host) else self._asked[service]
        return found if len(source.members) > 1 else found & ~(1 << source.number)

    def sources(self, destination: Group, service: AskedPort) -> int:
        """Return the set of groups in question as sources of a group that has the service."""
        outside = self._askable[service[0]] & self._hosts
        found = self._everyone & ~self._hosts
        if not isinstance(destination.members[0], Host):
            found |= outside
        return found if len(destination.members) > 1 else found & ~(1 << destination.number)

    def answers(self) -> Iterator[Answer]:
        """Yield all verdicts: by source, then service, then destination."""
        for source in self.groups:
            for service in self.into:
                of = {number: verdict for verdict, found in self.verdicts(source, service) for number in members(found)}
                for number in sorted(of):
                    destination = self.groups[number]
                    pairs = len(source.members) * (len(destination.members) - (source is destination))
                    yield Answer(source, destination, service, of[number], pairs)
            for service, verdict in zip(source.services, source.alone, strict=False):
                yield Answer(source, source, service, verdict, len(source.members), alone=True)

    def tally(self) -> dict[Expected, int]:
        """Return the number of questions about pairs of endpoints with each verdict."""
        count = dict.fromkeys(EXPECTED, 0)
        for source in self.groups:
            size = len(source.members)
            for service in self.into:
                for verdict, found in self.verdicts(source, service):
                    count[verdict] += size * self._weigh(source, found) if found else 0
            for verdict in source.alone:
                count[verdict] += size
        for to_service in self.to_services:
            for verdict, found in to_service.having.items():
                count[verdict] += self.size(found)
        return count

    def size(self, found: int) -> int:
        """Return the number of endpoints in a set of groups."""
        return sum(size * (found & of_size).bit_count() for size, of_size in self._sizes.items())

    def _weigh(self, source: Group, found: int) -> int:
        """Return the number of endpoints in a set of groups, without one member of ``source``."""
        return self.size(found) - (found >> source.number & 1)

    @cached_property
    def _sizes(self) -> dict[int, int]:
        sizes: dict[int, int] = {}
        for group in self.groups:
            sizes[len(group.members)] = sizes.get(len(group.members), 0) | 1 << group.number
        return sizes

    @cached_property
    def _asked(self) -> dict[AskedPort, int]:
        asked = dict.fromkeys(self.into, 0)
        for group in self.groups:
            for service in group.services:
                asked[service] |= 1 << group.number
        return asked

    @cached_property
    def _everyone(self) -> int:
        return (1 << len(self.groups)) - 1

    @cached_property
    def _hosts(self) -> int:
        return sum(1 << group.number for group in self.groups if isinstance(group.members[0], Host))

    @cached_property
    def _askable(self) -> dict[int, int]:
        return {f: sum(1 << g.number for g in self.groups if askable(g.members[0], f)) for f in (4, 6)}


def groups(cluster: Cluster, questions: FlowSelection) -> Groups:
    """Return the groups of all endpoints in question, in the order of their first members, with their verdicts."""
    kinds = EndpointKinds(cluster, questions)
    asked = [_services(cluster, questions, members[0]) for members in kinds.members]
    alone = [
        tuple(_with_itself(cluster, example, service) for service in services)
        if questions.self_pairs and not isinstance(example, Host)
        else ()
        for (example, *_), services in zip(kinds.members, asked, strict=True)
    ]
    tables = _tables(SetEvaluator(cluster, kinds), kinds, asked)
    to_services = _to_services(cluster, questions, kinds)
    classes: dict[Hashable, list[int]] = {}
    for kind, (endpoint, *_) in enumerate(kinds.members):
        twins = tuple(table.twins[kind] for of_verdict in tables.values() for table in of_verdict.values())
        families = tuple(askable(endpoint, family) for family in questions.families_in(cluster))
        key = (type(endpoint), families, asked[kind], alone[kind], twins, to_services[kind])
        classes.setdefault(key, []).append(kind)
    place = {id(endpoint): at for at, endpoint in enumerate(questions.endpoints(cluster))}
    found = []
    for number, of in enumerate(classes.values()):
        alike = sorted((member for kind in of for member in kinds.members[kind]), key=lambda m: place[id(m)])
        found.append(Group(number, tuple(alike), asked[of[0]], alone[of[0]]))
    kinds_of = list(classes.values())
    none = [0] * len(found)
    having: dict[Expected, dict[AskedPort, list[int]]] = {
        verdict: {s: of[s].between(kinds_of) if s in of else none for s in tables["allow"]}
        for verdict, of in tables.items()
    }
    by_group = [to_services[of_group[0]] for of_group in kinds_of]
    return Groups(cluster, tuple(found), having, _of_services(questions.service_questions(cluster), by_group))


def _to_services(cluster: Cluster, questions: FlowSelection, kinds: EndpointKinds) -> Sequence[bytes]:
    """Return the verdicts of each kind towards each port of each Service.

    They are a byte for each question: the place of the verdict in ``EXPECTED``, ``_NOT_ASKED`` if the kind is not
    asked. There may be thousands of kinds and of questions.
    """
    if not questions.service_questions(cluster):
        return [b""] * len(kinds.members)
    from netlab.policy.expand_services import ServiceExpansion

    expansion = ServiceExpansion(cluster, questions)
    numbers = {verdict: number for number, verdict in enumerate(EXPECTED)}
    known: dict[bytes, bytes] = {}
    found = []
    for example, *_ in kinds.members:
        answers = expansion.answers(example)
        of_example = bytearray([_NOT_ASKED]) * len(answers)
        for at in expansion.asks(example):
            of_example[at] = numbers[answers[at].verdict]
        verdicts = bytes(of_example)
        found.append(known.setdefault(verdicts, verdicts))
    return found


def _of_services(questions: Sequence[ServiceQuestion], by_group: Sequence[bytes]) -> tuple[ServiceVerdicts, ...]:
    found = []
    for at, question in enumerate(questions):
        having: dict[Expected, int] = dict.fromkeys(EXPECTED, 0)
        asked = 0
        for number, verdicts in enumerate(by_group):
            if verdicts[at] != _NOT_ASKED:
                having[EXPECTED[verdicts[at]]] |= 1 << number
                asked |= 1 << number
        found.append(ServiceVerdicts(question, having, asked))
    return tuple(found)


def _services(cluster: Cluster, questions: FlowSelection, destination: Endpoint) -> tuple[AskedPort, ...]:
    families = [family for family in questions.families_in(cluster) if askable(destination, family)]
    return tuple((family, *service) for family in families for service in questions.ports_for(destination))


def _with_itself(cluster: Cluster, endpoint: Endpoint, service: AskedPort) -> Expected:
    family, protocol, port = service
    flow = Flow(endpoint, endpoint, family, protocol, port, address_of(endpoint, family))
    return evaluate(cluster, flow).verdict


def _tables(
    sets: SetEvaluator, kinds: EndpointKinds, asked: Sequence[Sequence[AskedPort]]
) -> dict[Expected, dict[AskedPort, Table]]:
    """Return the tables of each verdict but ``deny`` by service; ``allow`` has a table for every service.

    Two kinds are interchangeable if they are twins in all tables.
    """
    services = dict.fromkeys(service for of in asked for service in of)
    size = len(kinds.members)
    single = [len(members) == 1 for members in kinds.members]
    columns: dict[Expected, dict[AskedPort, list[int]]] = {"allow": {s: [0] * size for s in services}}
    columns |= {"some": {}, "unknown": {}}
    for kind, of in enumerate(asked):
        for service in of:
            found = sets.sources(kind, service)
            columns["allow"][service][kind] = found.allow
            if found.some:
                columns["some"].setdefault(service, [0] * size)[kind] = found.some
            if found.unknown:
                columns["unknown"].setdefault(service, [0] * size)[kind] = found.unknown
    return {v: {service: Table(single, of) for service, of in tables.items()} for v, tables in columns.items()}
