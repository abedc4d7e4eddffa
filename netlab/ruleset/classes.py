"""Classes: what a pod is to the policies that select it. Pods that the same policies isolate share one.

One class per direction. Where ingress rules name ports, the numbers that the names stand for on the pod are part of
its class; a name that the pod does not define stands for nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from netlab.cluster.types import Pod
from netlab.frozen import frozen
from netlab.objects.policies import NetworkPolicy
from netlab.objects.types import ContainerPort, Direction, Protocol
from netlab.ruleset.change import Change
from netlab.ruleset.identities import named_port
from netlab.ruleset.numbers import CLASS_BITS, Numbering
from netlab.ruleset.peers import Rules, label_keys, labels_read

DIRECTIONS: tuple[Direction, ...] = ("ingress", "egress")


@frozen
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


Found = Mapping[Direction, PolicyClass | str]
"""What a pod is, by direction: its class, or the policy that opens it to everything, so that it needs none."""


@frozen
class Reclassified:
    """What a change did to classes: by pod, what it was and is; ``renumbered``: one that stays has another number."""

    pods: Mapping[str, tuple[Found, Found]]
    renumbered: bool


class Classes:
    """The classes of a cluster's pods, kept up to date change by change.

    ``of`` has, by reference, every pod that policies select and whose policy the node enforces. ``users`` has the
    classes of every policy, by key.
    """

    def __init__(self) -> None:
        self.of: dict[str, Found] = {}
        self.users: dict[str, dict[PolicyClass, None]] = {}
        self._pods: dict[str, dict[str, Pod]] = {}
        self._policies: dict[str, dict[str, NetworkPolicy]] = {}
        self._keys: set[str] = set()
        self._uses: Counter[PolicyClass] = Counter()
        self._numbering = Numbering(CLASS_BITS)

    def number(self, policy_class: PolicyClass) -> int:
        """Return the number of a class that some pod has."""
        return self._numbering[str(policy_class)]

    def change(self, change: Change) -> Reclassified:
        """Follow a change."""
        for policy in change.policies.gone:
            del self._policies[policy.meta.namespace][policy.meta.key]
        for policy in change.policies.come:
            self._policies.setdefault(policy.meta.namespace, {})[policy.meta.key] = policy
            self._keys |= label_keys([policy.pod_selector])
        for pod in change.pods.gone:
            self._pods.get(pod.namespace, {}).pop(pod.ref, None)
        dirty = {
            pod.ref: pod
            for policy in (*change.policies.gone, *change.policies.come)
            for pod in self._pods.get(policy.meta.namespace, {}).values()
        }
        for pod in change.pods.come:
            if pod.traits.attachment.enforced:
                self._pods.setdefault(pod.namespace, {})[pod.ref] = pod
                dirty[pod.ref] = pod
        after: dict[str, Found] = {pod.ref: {} for pod in change.pods.gone}
        after |= self._found(dirty.values())
        moved = {ref: (self.of.get(ref, {}), now) for ref, now in after.items() if self.of.get(ref, {}) != now}
        for ref, (_, now) in moved.items():
            self.of[ref] = now
            if not now:
                del self.of[ref]
        return Reclassified(moved, self._count(moved.values()))

    def _found(self, pods: Iterable[Pod]) -> dict[str, Found]:
        """Return what pods are; those whose labels no selector tells apart are looked at once."""
        policies: dict[str, list[NetworkPolicy]] = {}
        alike: dict[object, Found] = {}
        found: dict[str, Found] = {}
        for pod in pods:
            group = (pod.namespace, labels_read(pod.labels, self._keys), pod.ports)
            if group not in alike:
                if pod.namespace not in policies:
                    policies[pod.namespace] = [p for _, p in sorted(self._policies.get(pod.namespace, {}).items())]
                alike[group] = _classes(policies[pod.namespace], pod)
            found[pod.ref] = alike[group]
        return found

    def _count(self, moved: Iterable[tuple[Found, Found]]) -> bool:
        """Count who is in which class and number those that are new; say whether one that stays moved."""
        touched: dict[PolicyClass, None] = {}
        for old, now in moved:
            for found, count in ((old, -1), (now, 1)):
                for one in found.values():
                    if isinstance(one, PolicyClass):
                        self._uses[one] += count
                        touched[one] = None
        come = [c for c in touched if self._uses[c] and not self._known(c)]
        gone = [c for c in touched if not self._uses[c] and self._known(c)]
        for policy_class in come:
            for key in policy_class.policies:
                self.users.setdefault(key, {})[policy_class] = None
        for policy_class in gone:
            del self._uses[policy_class]
            for key in policy_class.policies:
                del self.users[key][policy_class]
        return self._numbering.change(map(str, gone), map(str, come))

    def _known(self, policy_class: PolicyClass) -> bool:
        return policy_class in self.users.get(policy_class.policies[0], {})


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
            found[direction] = class_of(direction, isolating, pod.ports)
    return found


def _opens(policy: NetworkPolicy, direction: Direction) -> bool:
    """Say whether the policy has a rule with neither peers nor ports, which allows everything (API reference)."""
    return any(not rule.peers and not rule.ports for rule in policy.rules(direction))


def class_of(direction: Direction, policies: Sequence[Rules], ports: tuple[ContainerPort, ...]) -> PolicyClass:
    """Return the class of a pod with some ports that some policies isolate in a direction."""
    keys = tuple(p.meta.key for p in policies)
    if direction == "egress":
        return PolicyClass(direction, keys)
    named = {(p.port, p.protocol) for q in policies for r in q.rules(direction) for p in r.ports}
    resolved = [(n, p, named_port(ports, n, p)) for n, p in named if isinstance(n, str)]
    return PolicyClass(direction, keys, tuple(sorted((n, p, m) for n, p, m in resolved if m is not None)))
