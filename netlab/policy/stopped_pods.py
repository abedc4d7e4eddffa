"""New pods that their own namespace's egress policies stop.

Most namespaces have the same egress policies, except for peers in the namespace itself. So the openings that name no
namespace are asked once for all namespaces that have them. A namespace with an opening that names the destination's
namespace is asked by itself.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace

from netlab.cluster.types import Cluster, Pod
from netlab.policy.exposed_sides import ExposedSide
from netlab.policy.new_pods import side_of_new_pod
from netlab.policy.openings import UNPROTECTED, Openings, PodOpening, ports_to
from netlab.policy.port_sets import PortSet


class EgressOfNewPods:
    """The egress of a new pod with certain labels in each namespace."""

    def __init__(self, cluster: Cluster, labels: Mapping[str, str]) -> None:
        self._cluster = cluster
        self._labels = labels
        self._known: dict[str, tuple[Openings, Hashable]] = {}
        self._naming: dict[str, set[str]] = {}
        self._wider: dict[Hashable, Openings] = {}
        self._stops: dict[Hashable, bool] = {}
        self._isolated: dict[int, tuple[Sequence[str], list[tuple[str, Hashable]]]] = {}

    def stopped(self, namespaces: Sequence[str], ports: PortSet, destinations: Sequence[Pod]) -> list[str]:
        """Return the namespaces in which a new pod reaches no destination on any of the ports."""
        isolated = self._isolated_of(namespaces)
        alone = {name for pod in destinations for name in self._naming.get(pod.namespace, ())}
        contents = {content for content in self._wider if all(self._stops_all(content, ports, p) for p in destinations)}
        return [
            name
            for name, content in isolated
            if (self._stops_alone(name, ports, destinations) if name in alone else content in contents)
        ]

    def _isolated_of(self, namespaces: Sequence[str]) -> list[tuple[str, Hashable]]:
        """Return the namespaces that isolate a new pod, each with the number of its openings."""
        # By identity, as callers ask about few lists. The entry keeps its list alive.
        known = self._isolated.get(id(namespaces))
        if known is None:
            every = [(name, *self._of(name)) for name in namespaces]
            found = [(name, content) for name, openings, content in every if openings.isolated]
            known = self._isolated[id(namespaces)] = namespaces, found
        return known[1]

    def _stops_alone(self, name: str, ports: PortSet, destinations: Sequence[Pod]) -> bool:
        openings, _ = self._of(name)
        return not any(ports.meets(ports_to(self._cluster, openings, pod)) for pod in destinations)

    def _stops_all(self, content: Hashable, ports: PortSet, pod: Pod) -> bool:
        """Say whether openings that name no namespace stop a new pod."""
        key = (content, ports, id(pod))
        if key not in self._stops:
            self._stops[key] = not ports.meets(ports_to(self._cluster, self._wider[content], pod))
        return self._stops[key]

    def _of(self, name: str) -> tuple[Openings, Hashable]:
        """Return the openings of a namespace's new pod, and the number of those that name no namespace."""
        if name not in self._known:
            side = side_of_new_pod(self._cluster, name, "egress", self._labels)
            # A tier that decides before NetworkPolicy may let the pod out.
            found = UNPROTECTED if side.tiers else side.openings
            if not found.isolated:
                self._known[name] = found, 0
                return self._known[name]
            kept: list[PodOpening] = []
            for one in found.pods:
                if one.peers.named is None:
                    kept.append(one)
                for space in one.peers.named or ():
                    self._naming.setdefault(space, set()).add(name)
            wider = replace(found, pods=tuple(kept))
            content = ExposedSide(wider).content
            number = self._numbers.setdefault(content, len(self._numbers) + 1)
            self._wider.setdefault(number, wider)
            self._known[name] = found, number
        return self._known[name]

    @property
    def _numbers(self) -> dict[Hashable, int]:
        found: dict[Hashable, int] = self._cluster.memo.setdefault("policy.egress_of_new_pods", {})
        return found


def stopped_in(cluster: Cluster, opening: PodOpening, namespaces: Sequence[str], pods: Sequence[Pod]) -> list[str]:
    """Return the namespaces whose own egress policies stop each new pod with the fewest labels of an opening."""
    labels = opening.peers.pods.example()
    known: dict[Hashable, EgressOfNewPods] = cluster.memo.setdefault("policy.stopped_pods", {})
    key = tuple(sorted(labels.items()))
    if key not in known:
        known[key] = EgressOfNewPods(cluster, labels)
    return known[key].stopped(namespaces, opening.ports, pods)
