"""Exposure: what each group of pods admits, also from pods that do not exist yet, and what it may reach.

Pods of a group have the same verdicts to and from all endpoints (``policy.groups``), the same openings on both sides
(``policy.openings``), and the same entry points (``policy.entry_points``). Two pods that no existing endpoint tells
apart are in two groups if a pod or an address that may come does.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from functools import cached_property

from netlab.cluster.flows import FlowSelection
from netlab.cluster.plain_policies import as_unread
from netlab.cluster.types import Cluster, Pod
from netlab.frozen import frozen, frozen_with_cache
from netlab.policy.bitsets import set_of
from netlab.policy.entry_points import EntryPoint, entry_points
from netlab.policy.exposed_sides import LEVELS, ExposedSide, exposed_side, united
from netlab.policy.groups import Group, Groups, groups
from netlab.policy.label_index import LabelIndex
from netlab.policy.label_sets import LabelSet
from netlab.policy.new_pods import side_of_new_pod
from netlab.policy.openings import PodOpening
from netlab.policy.pod_peers import PodPeers
from netlab.policy.stopped_pods import stopped_in


@frozen
class Exposure:
    """One group of pods with its sides and entry points.

    ``sources`` is the number of existing endpoints that may open a port of it, ``destinations`` the number of those
    that it may open a port of. ``unknown`` has the numbers of those whose verdict is unknown.
    """

    group: Group
    ingress: ExposedSide
    egress: ExposedSide
    entry_points: tuple[EntryPoint, ...]
    sources: int
    destinations: int
    unknown: tuple[int, int] = (0, 0)

    @property
    def pods(self) -> tuple[Pod, ...]:
        """The pods of the group."""
        return tuple(member for member in self.group.members if isinstance(member, Pod))


@frozen
class NewPods:
    """Namespaces in which a new pod without labels admits the same on both sides."""

    namespaces: tuple[str, ...]
    ingress: ExposedSide
    egress: ExposedSide


@frozen_with_cache
class Exposures:
    """The exposure of all groups, the widest first; ``asked`` and ``groups`` are the questions and their answers."""

    cluster: Cluster
    asked: FlowSelection
    groups: Groups
    found: tuple[Exposure, ...]

    @cached_property
    def new_pods(self) -> tuple[NewPods, ...]:
        """What a new pod without labels admits in each namespace, the widest first. Namespaces that are alike are one.

        Namespaces that have only pods that netlab added are left out, unless the question includes them.
        """
        alike: dict[Hashable, list[tuple[str, ExposedSide, ExposedSide]]] = {}
        asked = {pod.namespace for pod in self.cluster.asked_pods(self.asked.system)}
        added = {pod.namespace for pod in self.cluster.pods} - asked
        for name in self.cluster.namespaces:
            if name in added:
                continue
            ingress = _without_unread(side_of_new_pod(self.cluster, name, "ingress"))
            sides = ingress, _without_unread(side_of_new_pod(self.cluster, name, "egress"))
            alike.setdefault((sides[0].content, sides[1].content), []).append((name, *sides))
        found = [NewPods(tuple(name for name, *_ in of), of[0][1], of[0][2]) for of in alike.values()]
        return tuple(sorted(found, key=lambda one: (one.ingress.openings.isolated, one.egress.openings.isolated)))

    def pods_of(self, peers: PodPeers) -> int:
        """Return the number of existing pods that peers have."""
        known: dict[PodPeers, int] = self.cluster.memo.setdefault("policy.exposed_to", {})
        if peers not in known:
            found = self._in(peers.namespaces)
            known[peers] = (found & self._labels.satisfying(peers.pods)).bit_count() if found else 0
        return known[peers]

    def stopped(self, one: Exposure, opening: PodOpening) -> list[str]:
        """Return the existing namespaces whose own egress policies stop each new pod with the labels of an opening.

        The new pod has the fewest labels that the opening needs.
        """
        return stopped_in(self.cluster, opening, self.namespaces_of(opening.peers.namespaces), one.pods)

    def namespaces_of(self, labels: LabelSet) -> Sequence[str]:
        """Return the existing namespaces with labels."""
        known: dict[LabelSet, list[str]] = self.cluster.memo.setdefault("policy.exposed_namespaces", {})
        if labels not in known:
            known[labels] = [name for name, own in self.cluster.namespaces.items() if labels.has(own)]
        return known[labels]

    def _in(self, labels: LabelSet) -> int:
        """Return the set of the pods in namespaces with labels."""
        known: dict[LabelSet, int] = self.cluster.memo.setdefault("policy.exposed_in", {})
        if labels not in known:
            found = 0
            for name in self.namespaces_of(labels):
                found |= self._by_namespace.get(name, 0)
            known[labels] = found
        return known[labels]

    @cached_property
    def _selectable(self) -> tuple[Pod, ...]:
        return tuple(pod for pod in self.cluster.asked_pods(self.asked.system) if pod.selectable)

    @cached_property
    def _labels(self) -> LabelIndex:
        return LabelIndex([pod.labels for pod in self._selectable])

    @cached_property
    def _by_namespace(self) -> Mapping[str, int]:
        """The sets of the selectable pods by namespace."""
        found: dict[str, list[int]] = {}
        for number, pod in enumerate(self._selectable):
            found.setdefault(pod.namespace, []).append(number)
        return {name: set_of(numbers, len(self._selectable)) for name, numbers in found.items()}


def exposures(cluster: Cluster, asked: FlowSelection) -> Exposures:
    """Return the exposure of all groups of pods in question, unprotected ones first.

    It reads NetworkPolicy alone, so what policies of Cilium could change is unknown.
    """
    cluster = as_unread(cluster)
    found = groups(cluster, asked)
    reached = _Reached(found)
    exposed: list[Exposure] = []
    contents: dict[Hashable, int] = {}
    # By identity, as many pods share a side, and a side may have thousands of openings. The cluster keeps the sides.
    numbers: dict[int, int] = {}

    def content(side: ExposedSide) -> int:
        if id(side) not in numbers:
            numbers[id(side)] = contents.setdefault(side.content, len(contents))
        return numbers[id(side)]

    for group in found.groups:
        parts: dict[Hashable, list[tuple[Pod, ExposedSide, ExposedSide, tuple[EntryPoint, ...]]]] = {}
        for pod in group.members:
            if isinstance(pod, Pod):
                ingress, egress = exposed_side(cluster, pod, "ingress"), exposed_side(cluster, pod, "egress")
                entries = entry_points(cluster, pod, ingress.openings)
                key = (content(ingress), content(egress), entries, pod.ports)
                parts.setdefault(key, []).append((pod, ingress, egress, entries))
        for alike in parts.values():
            part = Group(group.number, tuple(pod for pod, *_ in alike), group.services)
            ingress, egress = united([one[1] for one in alike]), united([one[2] for one in alike])
            exposed.append(Exposure(part, ingress, egress, alike[0][3], *reached.of(group)))
    exposed.sort(key=lambda one: _order(cluster, one))
    return Exposures(cluster, asked, found, tuple(exposed))


def _without_unread(one: ExposedSide) -> ExposedSide:
    return ExposedSide(one.openings, tiers=one.tiers)


def _order(cluster: Cluster, one: Exposure) -> tuple[int, ...]:
    """Return the sort key: unprotected groups first, then by what is open to pods, then to the outside."""
    levels = [LEVELS.index(of.level(cluster)) for of in (one.ingress, one.egress)]
    ranges = [opening.addresses for opening in one.ingress.outside(cluster)]
    width = 0 if any(of.internet for of in ranges) else 1 if ranges else 2
    return (levels[0], width, levels[1], one.group.number)


class _Reached:
    """The numbers of endpoints that reach a group, and that a group reaches, on any port in question."""

    def __init__(self, found: Groups) -> None:
        self._found = found
        self._known: dict[int, tuple[int, int, tuple[int, int]]] = {}

    def of(self, group: Group) -> tuple[int, int, tuple[int, int]]:
        if group.number not in self._known:
            into = dict.fromkeys(self._found.having, 0)
            out = dict(into)
            for verdict, by_service in self._found.having.items():
                for service in group.services:
                    into[verdict] |= by_service[service][group.number]
                for columns in self._found.having_by_source[verdict].values():
                    out[verdict] |= columns[group.number]
            counts = [self._count(group, of["allow"]) for of in (into, out)]
            unknown = [self._count(group, of["unknown"] & ~of["allow"]) for of in (into, out)]
            self._known[group.number] = (counts[0], counts[1], (unknown[0], unknown[1]))
        return self._known[group.number]

    def _count(self, group: Group, others: int) -> int:
        return self._found.size(others) - (others >> group.number & 1)
