"""Differences: the pairs whose verdict is not the same in all readings, as groups.

The readings are clusters, such as one input with the choices of several CNIs, or an input before and after a change.
Pairs of endpoints that all readings have by name are compared. Two endpoints are in one group if all their differences
are the same. Endpoints without a difference are in no group.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence

from netlab.cluster.flows import Flow, FlowSelection, service_flow, service_ref
from netlab.cluster.types import Cluster, Endpoint, address_of
from netlab.frozen import frozen
from netlab.objects.services import Service
from netlab.policy.bitsets import members
from netlab.policy.decision import Decision
from netlab.policy.evaluate import evaluate
from netlab.policy.groups import Group, Groups, ServiceVerdicts, groups
from netlab.policy.tiers.tier import AskedPort
from netlab.policy.twins import Table
from netlab.verdicts import EXPECTED, Expected

Vector = tuple[Expected | None, ...]
"""The verdict in each reading, in order; None if the reading has no packets of the IP family."""


@frozen
class Difference:
    """Pairs of two groups that have the same verdicts, which are not the same in every reading.

    The destination is a Service if there is one. ``pairs`` is the number of pairs. If a group is source and
    destination, its pairs are those of two different members.
    """

    source: Group
    destination: Group | Service
    asked: AskedPort
    verdicts: Vector

    @property
    def pairs(self) -> int:
        if isinstance(self.destination, Service):
            return len(self.source.members)
        return len(self.source.members) * (len(self.destination.members) - (self.source is self.destination))

    def ends(self) -> Iterator[tuple[Endpoint, Endpoint | Service]]:
        """Yield every pair."""
        for source in self.source.members:
            if isinstance(self.destination, Service):
                yield source, self.destination
                continue
            yield from ((source, end) for end in self.destination.members if end is not source)

    @property
    def to_service(self) -> str:
        """The name of the Service that is the destination; "" for another destination."""
        return service_ref(self.destination) if isinstance(self.destination, Service) else ""

    def named(self, ends: tuple[Endpoint, Endpoint | Service]) -> tuple[str, str]:
        """Return the names of a pair."""
        source, end = ends
        return source.ref, service_ref(end) if isinstance(end, Service) else end.ref

    @property
    def example(self) -> tuple[Endpoint, Endpoint | Service]:
        """The first pair."""
        source, destination = self.source.members[0], self.destination
        if isinstance(destination, Service):
            return source, destination
        return source, destination.members[source is destination.members[0]]


@frozen
class Differences:
    """All differences between readings, the readings by name, and the questions.

    ``tallies`` has the number of pairs by verdict in each reading. ``families`` has the IP families of each reading.
    ``compared`` is the number of pairs that every reading has a verdict for.
    """

    clusters: Mapping[str, Cluster]
    found: tuple[Difference, ...]
    tallies: Mapping[str, Mapping[Expected, int]]
    families: Mapping[str, tuple[int, ...]]
    questions: FlowSelection
    compared: int = 0

    def decisions(self, one: Difference, ends: tuple[Endpoint, Endpoint | Service]) -> dict[str, Decision]:
        """Return what decides about a pair in each reading that has packets of its IP family."""
        named = zip(self.clusters, one.verdicts, strict=True)
        return {n: evaluate(self.clusters[n], flow_in(self.clusters[n], ends, one.asked)) for n, v in named if v}


def flow_in(cluster: Cluster, ends: tuple[Endpoint, Endpoint | Service], asked: AskedPort) -> Flow:
    """Return the flow between the endpoints of a cluster that have the names of ``ends``."""
    source, end = ends
    family, protocol, port = asked
    own = cluster.by_ref[source.ref]
    if isinstance(end, Service):
        service = next(one for one in cluster.services if one.meta.key == end.meta.key)
        return service_flow(own, service, protocol, port, family)
    destination = cluster.by_ref[end.ref]
    return Flow(own, destination, family, protocol, port, address_of(destination, family))


def differences(clusters: Mapping[str, Cluster], questions: FlowSelection) -> Differences:
    """Return all pairs of the questions whose verdict is not the same in every cluster.

    Endpoints that some cluster lacks are left out. The groups have the endpoints of the first cluster. Pairs of an IP
    family that a cluster does not have are compared between the others. ``questions.self_pairs`` is not asked.
    """
    readings = {name: groups(cluster, questions) for name, cluster in clusters.items()}
    first, *others = clusters.values()
    shared = set(first.by_ref).intersection(*(one.by_ref for one in others))
    parts = _Parts(list(readings.values()), [one for one in questions.endpoints(first) if one.ref in shared])
    found = tuple(parts.differences())
    tallies = {name: reading.tally() for name, reading in readings.items()}
    families = {name: one.families for name, one in clusters.items()}
    return Differences(clusters, found, tallies, families, questions, parts.compared)


class _Parts:
    """The endpoints in parts: those of one part are in one group in every reading.

    A set of parts is an integer with the bit ``1 << part`` for each. ``compared`` is the number of pairs that every
    reading has a verdict for; ``differences`` counts them.
    """

    def __init__(self, readings: Sequence[Groups], endpoints: Sequence[Endpoint]) -> None:
        self._readings = readings
        places = [{m.ref: g.number for g in of.groups for m in g.members} for of in readings]
        found: dict[tuple[int, ...], list[Endpoint]] = {}
        for endpoint in endpoints:
            found.setdefault(tuple(place[endpoint.ref] for place in places), []).append(endpoint)
        # By part: its group in each reading, and its endpoints.
        self._groups_of = list(found)
        self._parts = list(found.values())
        self._single = [len(part) == 1 for part in self._parts]
        self._by_group = [self._parts_by_group(at) for at in range(len(readings))]
        self._known_sets: list[dict[int, int]] = [{} for _ in readings]
        self._sizes: dict[int, int] = {}
        for part, of_part in enumerate(self._parts):
            self._sizes[len(of_part)] = self._sizes.get(len(of_part), 0) | 1 << part
        self.compared = 0

    def _size(self, found: int) -> int:
        """Return the number of endpoints in a set of parts."""
        return sum(size * (found & of_size).bit_count() for size, of_size in self._sizes.items())

    def _parts_by_group(self, reading: int) -> list[int]:
        """Return the set of parts of each group of a reading."""
        sets = [0] * len(self._readings[reading].groups)
        for part, of in enumerate(self._groups_of):
            sets[of[reading]] |= 1 << part
        return sets

    def _parts_of(self, reading: int, found: int) -> int:
        """Return the set of parts in a set of groups of a reading."""
        known = self._known_sets[reading]
        if found not in known:
            known[found] = sum(self._by_group[reading][number] for number in members(found))
        return known[found]

    def differences(self) -> Iterator[Difference]:
        """Yield the differences between groups, then those towards Services."""
        columns: dict[tuple[AskedPort, Vector], list[int]] = {}
        for service in dict.fromkeys(one for reading in self._readings for one in reading.into):
            for part in range(len(self._parts)):
                for vector, sources in self._towards(part, service):
                    columns.setdefault((service, vector), [0] * len(self._parts))[part] = sources
        to_services = list(self._towards_services())
        tables = {key: Table(self._single, of) for key, of in columns.items()}
        classes: dict[Hashable, list[int]] = {}
        for part, (endpoint, *_) in enumerate(self._parts):
            twins = tuple(table.twins[part] for table in tables.values())
            towards = tuple(sources >> part & 1 for _, _, sources in to_services)
            classes.setdefault((type(endpoint), twins, towards), []).append(part)
        parts = list(classes.values())
        merged = [Group(n, tuple(e for part in of for e in self._parts[part]), ()) for n, of in enumerate(parts)]
        of_part = {part: n for n, of in enumerate(parts) for part in of}
        between = {key: table.between(parts) for key, table in tables.items()}
        found = [
            Difference(merged[source], merged[to], service, vector)
            for (service, vector), columns_of in between.items()
            for to, sources in enumerate(columns_of)
            for source in members(sources)
            if source != to or len(merged[to].members) > 1
        ]
        yield from sorted(found, key=lambda one: (one.source.number, one.destination.number))  # type: ignore[union-attr]
        for service_asked, vector, sources in to_services:
            for number in dict.fromkeys(of_part[part] for part in members(sources)):
                yield Difference(merged[number], service_asked.question.service, service_asked.question[1:], vector)

    def _towards(self, part: int, service: AskedPort) -> Iterator[tuple[Vector, int]]:
        """Yield the verdicts towards a part that are not the same in every reading, with the set of their sources."""
        having: list[dict[Expected, int] | None] = []
        asked = -1
        for reading, place in enumerate(self._groups_of[part]):
            found = self._readings[reading]
            group = found.groups[place]
            if service not in group.services:
                having.append(None)
                continue
            of = {v: self._parts_of(reading, tables[service][place]) for v, tables in found.having.items()}
            having.append(of)
            asked &= self._parts_of(reading, found.sources(group, service))
        # A group's own bit is about two of its members. A part with one endpoint has no such pair.
        asked &= ~(1 << part) if self._single[part] else -1
        if None not in having:
            self.compared += len(self._parts[part]) * (self._size(asked) - (asked >> part & 1))
        yield from _vectors(having, asked if any(one is not None for one in having) else 0)

    def _towards_services(self) -> Iterator[tuple[ServiceVerdicts, Vector, int]]:
        """Yield the verdicts towards Services that are not the same in every reading, with the set of their sources."""
        by_key = [{_key(one): one for one in reading.to_services} for reading in self._readings]
        for key in dict.fromkeys(key for of in by_key for key in of):
            having: list[dict[Expected, int] | None] = []
            asked = -1
            for reading, asked_there in enumerate(by_key):
                one = asked_there.get(key)
                having.append({v: self._parts_of(reading, of) for v, of in one.having.items()} if one else None)
                asked &= self._parts_of(reading, one.asked) if one else -1
            if None not in having:
                self.compared += self._size(asked)
            example = next(of[key] for of in by_key if key in of)
            for vector, sources in _vectors(having, asked):
                yield example, vector, sources


def _key(one: ServiceVerdicts) -> Hashable:
    return one.question.service.meta.key, one.question[1:]


def _vectors(having: Sequence[Mapping[Expected, int] | None], asked: int) -> Iterator[tuple[Vector, int]]:
    """Yield each list of verdicts that are not all the same, with the set of sources that have it.

    ``having`` has, by reading, the sources of each verdict; a source in no other set of its reading is denied.
    ``asked`` are the sources that every reading has a verdict for.
    """
    known = [of for of in having if of is not None]
    # A source differs if some readings have it in the set of a verdict, and others do not.
    differ = 0
    for verdict in EXPECTED:
        if verdict != "deny":
            sets = [of.get(verdict, 0) for of in known]
            same = -1
            for one in sets:
                differ |= one
                same &= one
            differ &= ~(same & asked) if sets else 0
    left: dict[Vector, int] = {(): differ & asked} if differ & asked else {}
    for of in having:
        after: dict[Vector, int] = {}
        for vector, sources in left.items():
            if of is None:
                after[*vector, None] = sources
                continue
            for verdict in EXPECTED:
                if verdict != "deny" and (found := sources & of.get(verdict, 0)):
                    after[*vector, verdict] = found
                    sources &= ~found
            if sources:
                after[*vector, "deny"] = sources
        left = after
    yield from left.items()
