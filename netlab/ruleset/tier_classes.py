"""Classes of pods that policies of tiers select: pods for which the tiers decide alike have one class.

The number of a pod's class has its class of tiers and its class of NetworkPolicy, so a packet looks up one class.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from netlab.cluster.types import Cluster, Pod
from netlab.errors import UsageError
from netlab.frozen import NamedTuple, frozen
from netlab.objects.types import DIRECTIONS, Direction, Protocol
from netlab.ruleset.classes import PodClasses, PolicyClass, class_of
from netlab.ruleset.numbers import numbers
from netlab.ruleset.peers import label_keys, labels_read
from netlab.ruleset.tiers import Tier, TierPolicy

OF_TIERS, HAS_RANGES = 1 << 31, 1 << 30
"""Bits of a class's number: it has a class of tiers; its tiers need the sets of port ranges."""

_TIER_BITS, _ISOLATED_BITS = 12, 18
"""The bits of a number for the class of tiers, and below them those for the class of NetworkPolicy."""

ISOLATED_MASK = (1 << _ISOLATED_BITS) - 1
"""The part of a number for the class of NetworkPolicy; 0 without one."""

TIER_MASK = 0xFFFFFFFF & ~ISOLATED_MASK
"""The other part, which sets of tiers have as their key."""

TierPolicies = Sequence[tuple[Tier, Sequence[TierPolicy]]]
"""The tiers that have policies, each with its policies by precedence."""


class Step(NamedTuple):
    """The policies of one tier that decide about a class: their keys, in the order in which they decide."""

    tier: str
    policies: tuple[str, ...]


@frozen
class TierClass:
    """The tiers that decide one direction of a pod, in their order, and its named ports (name, protocol, number).

    ``passes``: what no tier decides is left to NetworkPolicy; else it is allowed.
    """

    direction: Direction
    steps: tuple[Step, ...]
    passes: bool
    ports: tuple[tuple[str, Protocol, int], ...] = ()

    def __str__(self) -> str:
        # By name, so that a new order of the same policies keeps the number: all pods have one order.
        steps = [f"{step.tier}: {' '.join(sorted(step.policies))}" for step in self.steps]
        ports = [f"{n}/{p}={number}" for n, p, number in self.ports]
        return "\n".join([self.direction, *steps, "pass" if self.passes else "allow", *ports])

    @property
    def policies(self) -> tuple[str, ...]:
        """The keys of all policies, in the order in which they decide."""
        return tuple(key for step in self.steps for key in step.policies)


@frozen
class PodTierClasses:
    """The classes of a pod by direction. ``own_node`` is the class for what it sends to its own node, None without one.

    NetworkPolicy does not judge what a pod sends to its own node: "traffic to and from the node where a Pod is running
    is always allowed" (https://kubernetes.io/docs/concepts/services-networking/network-policies/).
    """

    classes: Mapping[Direction, TierClass]
    own_node: TierClass | None = None


def tier_classes(
    cluster: Cluster, tiers: TierPolicies, isolated: Mapping[str, PodClasses], *, own_node: bool
) -> dict[str, PodTierClasses]:
    """Return the classes of the pods that policies of tiers select, by reference.

    ``isolated`` has the classes of NetworkPolicy. With ``own_node`` what a pod sends to its own node has a class.
    """
    if not tiers:
        return {}
    every = [policy for _, policies in tiers for policy in policies]
    keys = label_keys([policy.subject.pod_selector for policy in every])
    alike: dict[object, PodTierClasses | None] = {}
    found: dict[str, PodTierClasses] = {}
    for pod in cluster.pods:
        if not pod.traits.attachment.enforced:
            continue
        own = isolated.get(pod.ref, {})
        group = (pod.namespace, labels_read(pod.labels, keys), pod.ports, tuple(own.items()))
        if group not in alike:
            alike[group] = _classes(cluster, tiers, pod, own, own_node)
        if (classes := alike[group]) is not None:
            found[pod.ref] = classes
    return found


def _classes(
    cluster: Cluster, tiers: TierPolicies, pod: Pod, isolated: PodClasses, own_node: bool
) -> PodTierClasses | None:
    classes: dict[Direction, TierClass] = {}
    own: TierClass | None = None
    for direction in DIRECTIONS:
        decided = isolated.get(direction)
        settled = decided is not None or (bool(isolated) and cluster.policy.baseline == "unselected-pods")
        selecting = [
            (tier, with_rules)
            for tier, policies in tiers
            if (tier.before_network_policy or not settled)
            and (with_rules := [p for p in policies if p.rules(direction) and p.selects(pod, cluster)])
        ]
        if not selecting:
            continue
        ports = class_of(direction, [p for _, policies in selecting for p in policies], pod.ports).ports
        steps = tuple(Step(tier.name, tuple(p.meta.key for p in policies)) for tier, policies in selecting)
        classes[direction] = TierClass(direction, steps, isinstance(decided, PolicyClass), ports)
        if direction == "egress" and own_node:
            # NetworkPolicy does not judge these packets. What it settles, no later tier judges.
            own = TierClass(direction, steps, False, ports)
    return PodTierClasses(classes, own) if classes else None


class ClassNumbers:
    """The numbers of classes with a class of tiers, from all classes that a lab has.

    ``ranges`` has the classes whose rules name ranges of ports.

    Raises:
      UsageError: if there are more classes than numbers.
    """

    def __init__(
        self, tiers: Sequence[TierClass], isolated: Sequence[PolicyClass], ranges: Sequence[TierClass]
    ) -> None:
        for found, bits in ((tiers, _TIER_BITS), (isolated, _ISOLATED_BITS)):
            if len(found) > (1 << bits) // 2:
                raise UsageError(
                    f"cluster-wide policies divide the pods into {len(found)} groups; at most {(1 << bits) // 2} work"
                )
        self._tiers = numbers(map(str, tiers), _TIER_BITS)
        self._isolated = numbers(map(str, isolated), _ISOLATED_BITS)
        self._ranges = frozenset(map(str, ranges))

    def number(self, tiers: TierClass, isolated: PolicyClass | None = None) -> int:
        """Return the number of a class of tiers, with that of NetworkPolicy in the same direction."""
        text = str(tiers)
        flags = OF_TIERS | (HAS_RANGES if text in self._ranges else 0)
        return flags | self._tiers[text] << _ISOLATED_BITS | (self._isolated[str(isolated)] if isolated else 0)
