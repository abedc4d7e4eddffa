"""Classes: what a pod is to the policies that select it. Pods that the same policies isolate share one.

One class per direction. Where ingress rules name ports, the numbers that the names stand for on the pod are part of
its class; a name that the pod does not define stands for nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from netlab.cluster.types import Cluster, Pod
from netlab.objects.types import ContainerPort, Direction, NetworkPolicy, Protocol
from netlab.ruleset.identities import named_port
from netlab.ruleset.numbers import CLASS_BITS, numbers
from netlab.ruleset.peers import label_keys, labels_read

DIRECTIONS: tuple[Direction, ...] = ("ingress", "egress")

_ENFORCED = frozenset({"bridge", "overlay", "routed"})
"""The attachments whose packets pass the node's forward hook; macvlan leaves past the node."""


@dataclass(frozen=True, slots=True)
class PolicyClass:
    """The policies, by key, that isolate a pod in a direction, and its (name, protocol, number) of named ports."""

    direction: Direction
    policies: tuple[str, ...]
    ports: tuple[tuple[str, Protocol, int], ...] = ()

    def __str__(self) -> str:
        return " ".join([self.direction, *self.policies, *(f"{n}/{p}={number}" for n, p, number in self.ports)])

    def number_of(self, name: str, protocol: Protocol) -> int | None:
        """Return what an ingress rule's named port stands for on the pods of this class."""
        return next((number for n, p, number in self.ports if (n, p) == (name, protocol)), None)


@dataclass(frozen=True, slots=True)
class Classes:
    """The class of every isolated pod by direction and reference, and the number of every class.

    ``opened`` has the pods that policies select but that one of them, the value, opens to everything: they need no
    class, as nothing is ever denied to them.
    """

    pods: Mapping[tuple[Direction, str], PolicyClass]
    numbers: Mapping[PolicyClass, int]
    opened: Mapping[tuple[Direction, str], str]


def classify(cluster: Cluster) -> Classes:
    """Return the class of every pod whose policy the node enforces."""
    by_namespace: dict[str, list[NetworkPolicy]] = {}
    for policy in sorted(cluster.policies, key=lambda p: p.meta.key):
        by_namespace.setdefault(policy.meta.namespace, []).append(policy)
    keys = label_keys(p.pod_selector for p in cluster.policies)
    alike: dict[object, dict[Direction, PolicyClass | str]] = {}
    pods: dict[tuple[Direction, str], PolicyClass] = {}
    opened: dict[tuple[Direction, str], str] = {}
    for pod in cluster.pods:
        if pod.attachment not in _ENFORCED:
            continue
        group = (pod.namespace, labels_read(pod.labels, keys), pod.ports)
        if group not in alike:
            alike[group] = _classes(by_namespace.get(pod.namespace, []), pod)
        for direction, found in alike[group].items():
            if isinstance(found, str):
                opened[direction, pod.ref] = found
            else:
                pods[direction, pod.ref] = found
    distinct = {c: str(c) for c in pods.values()}
    given = numbers(distinct.values(), CLASS_BITS)
    return Classes(pods, {c: given[text] for c, text in distinct.items()}, opened)


def _classes(policies: list[NetworkPolicy], pod: Pod) -> dict[Direction, PolicyClass | str]:
    """Return the pod's class per direction in which it is isolated, or the policy that opens it."""
    selecting = [p for p in policies if p.pod_selector.matches(pod.labels)]
    found: dict[Direction, PolicyClass | str] = {}
    for direction in DIRECTIONS:
        isolating = [p for p in selecting if p.isolates(direction)]
        opener = next((p.meta.key for p in isolating if _opens(p, direction)), None)
        if opener is not None:
            found[direction] = opener
        elif isolating:
            found[direction] = _class(direction, isolating, pod.ports)
    return found


def _opens(policy: NetworkPolicy, direction: Direction) -> bool:
    """Say whether the policy has a rule with neither peers nor ports, which allows everything (API reference)."""
    return any(not rule.peers and not rule.ports for rule in policy.rules(direction))


def _class(direction: Direction, policies: list[NetworkPolicy], ports: tuple[ContainerPort, ...]) -> PolicyClass:
    keys = tuple(p.meta.key for p in policies)
    if direction == "egress":
        return PolicyClass(direction, keys)
    named = {(p.port, p.protocol) for q in policies for r in q.rules(direction) for p in r.ports}
    resolved = [(n, p, named_port(ports, n, p)) for n, p in named if isinstance(n, str)]
    return PolicyClass(direction, keys, tuple(sorted((n, p, m) for n, p, m in resolved if m is not None)))
