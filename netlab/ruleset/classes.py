"""Classes: pods that the same policies isolate have one class, in each direction.

If ingress rules name ports, the class also has the numbers that the pod's containers give these names. A name that the
pod does not define has no number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from netlab.cluster.types import Pod
from netlab.frozen import frozen
from netlab.objects.policies import NetworkPolicy
from netlab.objects.types import ContainerPort, Direction, Protocol
from netlab.ruleset.cluster_change import ClusterChange
from netlab.ruleset.identities import named_port
from netlab.ruleset.numbers import CLASS_BITS, Numbering
from netlab.ruleset.peers import Rules, label_keys, labels_read

DIRECTIONS: tuple[Direction, ...] = ("ingress", "egress")


@frozen
class PolicyClass:
    """The keys of the policies that isolate a pod in a direction, and its named ports (name, protocol, number).

    If policies of tiers select the pod too, ``number`` is the number of both classes, and ``above`` has the keys of
    these policies.
    """

    direction: Direction
    policies: tuple[str, ...]
    ports: tuple[tuple[str, Protocol, int], ...] = ()
    number: int = 0
    above: tuple[str, ...] = ()

    def __str__(self) -> str:
        return " ".join([self.direction, *self.policies, *(f"{n}/{p}={number}" for n, p, number in self.ports)])

    @property
    def alone(self) -> PolicyClass:
        """The same class without a class of tiers."""
        return PolicyClass(self.direction, self.policies, self.ports)

    def number_of(self, name: str, protocol: Protocol) -> int | None:
        """Return the number of an ingress rule's named port on the pods of this class; None if they have none."""
        return next((number for n, p, number in self.ports if (n, p) == (name, protocol)), None)


PodClasses = Mapping[Direction, PolicyClass | str]
"""By direction: the class of a pod, or the key of the policy that allows it everything, so that it needs no class."""


@frozen
class ClassChanges:
    """The classes of pods before and after a change; ``renumbered``: a class that stays has another number now."""

    pods: Mapping[str, tuple[PodClasses, PodClasses]]
    renumbered: bool


class Classes:
    """The classes of a cluster's pods; ``update`` takes each change of the cluster.

    ``of`` has, by reference, the pods that policies isolate and whose node enforces policies on them. ``users`` has
    the classes of every policy by its key.
    """

    def __init__(self) -> None:
        self.of: dict[str, PodClasses] = {}
        self.users: dict[str, dict[PolicyClass, None]] = {}
        self._pods: dict[str, dict[str, Pod]] = {}
        self._policies: dict[str, dict[str, NetworkPolicy]] = {}
        self._keys: set[str] = set()
        self._uses: Counter[PolicyClass] = Counter()
        self._numbering = Numbering(CLASS_BITS)

    def number(self, policy_class: PolicyClass) -> int:
        """Return the number of a class that some pod has."""
        return self._numbering[str(policy_class)]

    def update(self, change: ClusterChange) -> ClassChanges:
        """Take a change of the cluster."""
        for policy in change.policies.removed:
            del self._policies[policy.meta.namespace][policy.meta.key]
        for policy in change.policies.added:
            self._policies.setdefault(policy.meta.namespace, {})[policy.meta.key] = policy
            self._keys |= label_keys([policy.pod_selector])
        for pod in change.pods.removed:
            self._pods.get(pod.namespace, {}).pop(pod.ref, None)
        affected = {
            pod.ref: pod
            for policy in (*change.policies.removed, *change.policies.added)
            for pod in self._pods.get(policy.meta.namespace, {}).values()
        }
        for pod in change.pods.added:
            if pod.traits.attachment.enforced:
                self._pods.setdefault(pod.namespace, {})[pod.ref] = pod
                affected[pod.ref] = pod
        after: dict[str, PodClasses] = {pod.ref: {} for pod in change.pods.removed}
        after |= self._classify(affected.values())
        changed = {ref: (self.of.get(ref, {}), now) for ref, now in after.items() if self.of.get(ref, {}) != now}
        for ref, (_, now) in changed.items():
            self.of[ref] = now
            if not now:
                del self.of[ref]
        return ClassChanges(changed, self._count(changed.values()))

    def _classify(self, pods: Iterable[Pod]) -> dict[str, PodClasses]:
        """Return the classes of pods. Pods with the same labels, as far as selectors read them, are classified once."""
        policies: dict[str, list[NetworkPolicy]] = {}
        alike: dict[object, PodClasses] = {}
        found: dict[str, PodClasses] = {}
        for pod in pods:
            group = (pod.namespace, labels_read(pod.labels, self._keys), pod.ports)
            if group not in alike:
                if pod.namespace not in policies:
                    policies[pod.namespace] = [p for _, p in sorted(self._policies.get(pod.namespace, {}).items())]
                alike[group] = _classes(policies[pod.namespace], pod)
            found[pod.ref] = alike[group]
        return found

    def _count(self, changed: Iterable[tuple[PodClasses, PodClasses]]) -> bool:
        """Count the pods of classes and number new classes; say whether a class that stays has another number."""
        touched: dict[PolicyClass, None] = {}
        for old, now in changed:
            for classes, count in ((old, -1), (now, 1)):
                for one in classes.values():
                    if isinstance(one, PolicyClass):
                        self._uses[one] += count
                        touched[one] = None
        added = [c for c in touched if self._uses[c] and not self._known(c)]
        removed = [c for c in touched if not self._uses[c] and self._known(c)]
        for policy_class in added:
            for key in policy_class.policies:
                self.users.setdefault(key, {})[policy_class] = None
        for policy_class in removed:
            del self._uses[policy_class]
            for key in policy_class.policies:
                del self.users[key][policy_class]
        return self._numbering.update(map(str, removed), map(str, added))

    def _known(self, policy_class: PolicyClass) -> bool:
        return policy_class in self.users.get(policy_class.policies[0], {})


def _classes(policies: list[NetworkPolicy], pod: Pod) -> dict[Direction, PolicyClass | str]:
    """Return, by direction in which policies isolate the pod, its class or the key of the policy that opens it."""
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
    """Say whether a policy has a rule without peers and ports, which allows everything (API reference)."""
    return any(not rule.peers and not rule.ports for rule in policy.rules(direction))


def class_of(direction: Direction, policies: Sequence[Rules], ports: tuple[ContainerPort, ...]) -> PolicyClass:
    """Return the class of a pod that some policies isolate in a direction; ``ports`` are its container ports."""
    keys = tuple(p.meta.key for p in policies)
    if direction == "egress":
        return PolicyClass(direction, keys)
    named = {(p.port, p.protocol) for q in policies for r in q.rules(direction) for p in r.ports}
    resolved = [(n, p, named_port(ports, n, p)) for n, p in named if isinstance(n, str)]
    return PolicyClass(direction, keys, tuple(sorted((n, p, m) for n, p, m in resolved if m is not None)))
