"""The number of open pairs between namespaces, and namespaces that are alike.

Namespaces are alike if they have the same workloads, the same counts inside, and the same counts to and from every
other namespace, where alike namespaces count as one: the coarsest equitable partition, by refinement of colours
("Practical graph isomorphism", McKay and Piperno 2014, section 2).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from functools import cached_property
from typing import Literal

from netlab.cluster.flows import asks
from netlab.cluster.types import Endpoint, Pod
from netlab.frozen import frozen_with_cache
from netlab.pictures.isolation import Isolated, isolated
from netlab.pictures.texts import in_numbers, workload_name
from netlab.policy.bitsets import members
from netlab.policy.groups import Groups
from netlab.policy.tiers.tier import AskedPort
from netlab.verdicts import Expected

Counts = Mapping[AskedPort, int]
Likeness = Literal["all", "inside", "isolation"]
"""What namespaces of a class share: all counts, the counts inside, or only whether their pods are isolated."""
# Rounds of refinement: each tells namespaces apart that are one step further from a difference.
_ROUNDS = 8


@frozen_with_cache
class NamespaceCounts:
    """The open pairs between places: namespaces, and each outside host and node, in the order of the input.

    ``endpoints[place]`` are its endpoints. Counts are of pairs and ports.
    """

    found: Groups
    endpoints: Mapping[str, Sequence[Endpoint]]

    @cached_property
    def open(self) -> Mapping[Expected, Mapping[tuple[str, str], Counts]]:
        """The pairs with each verdict but deny, by source and destination, for each port; without zeros."""
        return {verdict: self._counts(verdict) for verdict in self.found.having}

    @cached_property
    def _weights(self) -> list[Counter[str]]:
        return [Counter(place_of(member) for member in group.members) for group in self.found.groups]

    def _counts(self, verdict: Expected) -> dict[tuple[str, str], dict[AskedPort, int]]:
        found: dict[tuple[str, str], dict[AskedPort, int]] = {}

        def add(source: str, to: str, port: AskedPort, count: int) -> None:
            if count:
                of_pair = found.setdefault((source, to), {})
                of_pair[port] = of_pair.get(port, 0) + count

        for port, columns in self.found.having[verdict].items():
            # Most groups of a namespace have one set of sources: it is counted once, with their members together.
            together: dict[tuple[int, str], int] = {}
            for group in self.found.groups:
                own = 1 << group.number
                sources, weights = columns[group.number], self._weights[group.number]
                if sources:
                    for to, count in weights.items():
                        key = (sources | own, to)
                        together[key] = together.get(key, 0) + count
                    for source, size in weights.items():
                        for to, count in weights.items():
                            # Without pairs of an endpoint and itself, and all pairs of the group if it is no source.
                            same = source == to
                            add(source, to, port, -size * same if sources & own else -size * count)
            vectors: dict[int, Counter[str]] = {}
            for (sources, to), count in together.items():
                if sources not in vectors:
                    vectors[sources] = self._vector(sources)
                for source, size in vectors[sources].items():
                    add(source, to, port, size * count)
        kept = {pair: {port: count for port, count in of.items() if count} for pair, of in found.items()}
        return {pair: of for pair, of in kept.items() if of}

    def _vector(self, sources: int) -> Counter[str]:
        total: Counter[str] = Counter()
        for number in members(sources):
            total.update(self._weights[number])
        return total

    def example(self, verdict: Expected, source: str, to: str) -> tuple[Endpoint, Endpoint, AskedPort] | None:
        """Return two different endpoints of two places with a verdict, and the port that it is about."""
        for port in sorted(self.open[verdict].get((source, to), ()), key=str):
            for group, weights in zip(self.found.groups, self._weights, strict=True):
                sources = self.found.having[verdict][port][group.number] if to in weights else 0
                for number in members(sources & self._groups_in[source]):
                    pairs = ((a, b) for a in self.found.groups[number].members for b in group.members if a is not b)
                    found = next(((a, b) for a, b in pairs if (place_of(a), place_of(b)) == (source, to)), None)
                    if found is not None:
                        return *found, port
        return None

    @cached_property
    def _groups_in(self) -> Mapping[str, int]:
        found = dict.fromkeys(self.endpoints, 0)
        for group, weights in zip(self.found.groups, self._weights, strict=True):
            for place in weights:
                found[place] |= 1 << group.number
        return found

    def total_of(self, sources: Sequence[str], to: Sequence[str]) -> Counter[AskedPort]:
        """Return the number of pairs in question between different places of two classes, for each port."""
        total: Counter[AskedPort] = Counter()
        example, destination = self.endpoints[sources[0]][0], self.endpoints[to[0]][0]
        count = sum(len(self.endpoints[place]) for place in sources)
        same = {*sources} & {*to}
        for place in to:
            others = count - (len(self.endpoints[place]) if place in same else 0)
            for port, having in self._asked[place].items():
                if others and asks(example, destination, port[0]):
                    total[port] += others * having
        return total

    def total(self, source: str, to: str) -> dict[AskedPort, int]:
        """Return the number of pairs in question from a place to another for each port."""
        sources, destination = self.endpoints[source], self.endpoints[to][0]
        others = len(sources) - (source == to)
        return {
            port: others * having
            for port, having in self._asked[to].items()
            if others and asks(sources[0], destination, port[0])
        }

    @cached_property
    def _asked(self) -> Mapping[str, Counter[AskedPort]]:
        asked: dict[str, Counter[AskedPort]] = {place: Counter() for place in self.endpoints}
        for group, weights in zip(self.found.groups, self._weights, strict=True):
            for place, count in weights.items():
                for port in group.services:
                    asked[place][port] += count
        return asked

    @cached_property
    def isolation(self) -> Mapping[str, Isolated]:
        """How many pods of each place are isolated."""
        return {place: isolated(self.found.cluster, endpoints) for place, endpoints in self.endpoints.items()}

    def classes(self, most: int) -> tuple[list[list[str]], Likeness]:
        """Return the places in classes, in order of their first places, and what the places of a class share.

        Places alike are one class. If that makes more than ``most``, places are alike that have equal workloads and
        counts inside; then those with the same isolation.
        """
        alone = self._numbered({place: self._alone(place) for place in self.endpoints})
        found = self._refined(alone)
        if len(set(found.values())) <= most:
            return _by_value(found), "all"
        if len(set(alone.values())) <= most:
            return _by_value(alone), "inside"
        return _by_value(self._numbered({place: self._isolated(place) for place in self.endpoints})), "isolation"

    def _refined(self, colours: dict[str, int]) -> dict[str, int]:
        near: dict[str, list[tuple[str, Hashable]]] = {place: [] for place in self.endpoints}
        for verdict, of_verdict in self.open.items():
            for (source, to), counts in of_verdict.items():
                if source != to:
                    label = (verdict, tuple(sorted(counts.items())))
                    near[source].append((to, (label, "to")))
                    near[to].append((source, (label, "from")))
        for _ in range(_ROUNDS):
            before = len(set(colours.values()))
            refined = {
                place: (colours[place], frozenset(Counter((colours[other], label) for other, label in of).items()))
                for place, of in near.items()
            }
            colours = self._numbered(refined)
            if len(set(colours.values())) == before:
                break
        return colours

    def _numbered(self, keys: Mapping[str, Hashable]) -> dict[str, int]:
        numbers: dict[Hashable, int] = {}
        return {place: numbers.setdefault(key, len(numbers)) for place, key in keys.items()}

    def _alone(self, place: str) -> Hashable:
        """Return what a namespace is by itself. Hosts and nodes are alike to none."""
        endpoints = self.endpoints[place]
        if not isinstance(endpoints[0], Pod):
            return place
        inside = tuple(
            (verdict, tuple(sorted(of.get((place, place), {}).items()))) for verdict, of in self.open.items()
        )
        workloads = Counter(workload_name(pod) for pod in endpoints if isinstance(pod, Pod))
        one = self.isolation[place]
        # Names of workloads, too: namespaces of two teams may have equal numbers by chance.
        return tuple(sorted(workloads.items())), inside, one.ingress, one.egress, one.neither

    def _isolated(self, place: str) -> Hashable:
        if not isinstance(self.endpoints[place][0], Pod):
            return place
        one = self.isolation[place]
        return one.neither == one.pods, one.neither > 0, one.ingress == one.pods, one.egress == one.pods


def _by_value(colours: Mapping[str, int]) -> list[list[str]]:
    found: dict[int, list[str]] = {}
    for place, colour in colours.items():
        found.setdefault(colour, []).append(place)
    return list(found.values())


def place_of(endpoint: Endpoint) -> str:
    """Return the namespace of a pod; of a host or node its reference, which no namespace has as its name."""
    return endpoint.namespace if isinstance(endpoint, Pod) else endpoint.ref


def counted(found: Groups) -> NamespaceCounts:
    """Return the counts of all places that the groups have endpoints in: hosts, namespaces by name, nodes."""
    places: dict[str, list[Endpoint]] = {}
    for group in found.groups:
        for member in group.members:
            places.setdefault(place_of(member), []).append(member)

    def order(place: str) -> tuple[int, list[tuple[int, str]]]:
        first = places[place][0]
        return (1 if isinstance(first, Pod) else 0 if place.startswith("host:") else 2), in_numbers(place)

    return NamespaceCounts(found, {place: tuple(places[place]) for place in sorted(places, key=order)})
