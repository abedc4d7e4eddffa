"""Classes of pods that policies of tiers select: pods for which all tiers decide alike have one class.

Such a class stands in the place of the class that NetworkPolicy gives the pod, so a packet looks up one class.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from netlab.cluster.types import Cluster, Pod
from netlab.frozen import frozen
from netlab.objects.types import Direction, Protocol
from netlab.ruleset.classes import DIRECTIONS, PodClasses, PolicyClass, class_of
from netlab.ruleset.numbers import CLASS_BITS
from netlab.ruleset.peers import label_keys, labels_read
from netlab.ruleset.tiers import Tier, TierPolicy

NETWORK_POLICY = "NetworkPolicy"
"""The name of the step in which NetworkPolicy decides."""

OF_TIERS, DENIES, HAS_RANGES, HAS_ANYWHERE = (1 << (31 - n) for n in range(4))
"""Bits of a class's number: it is a class of tiers; it denies what no rule decides; it needs the sets of port ranges;
it needs the sets for connections with any address."""

NUMBER_BITS = CLASS_BITS - 3
"""The other bits of a class's number. Numbers of NetworkPolicy's classes lack ``OF_TIERS``."""

TierPolicies = Sequence[tuple[Tier, Sequence[TierPolicy]]]
"""The tiers that have policies, each with its policies by precedence."""


class Step(NamedTuple):
    """The policies of one tier, or of NetworkPolicy, that decide about a class: their keys."""

    tier: str
    policies: tuple[str, ...]


@frozen
class TierClass:
    """The steps that decide one direction of a pod, in their order, and its named ports (name, protocol, number).

    ``denies``: what no step decides is denied, as a NetworkPolicy isolates the pod.
    """

    direction: Direction
    steps: tuple[Step, ...]
    denies: bool
    ports: tuple[tuple[str, Protocol, int], ...] = ()

    def __str__(self) -> str:
        steps = [f"{step.tier}: {' '.join(step.policies)}" for step in self.steps]
        ports = [f"{n}/{p}={number}" for n, p, number in self.ports]
        return "\n".join([self.direction, *steps, "deny" if self.denies else "allow", *ports])

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
        steps = tuple(_steps(selecting, decided))
        more = decided.ports if isinstance(decided, PolicyClass) else ()
        one = TierClass(direction, steps, isinstance(decided, PolicyClass), tuple(sorted({*ports, *more})))
        classes[direction] = one
        if direction == "egress" and own_node:
            # NetworkPolicy does not judge these packets. What it settles, no later tier judges.
            own = replace(one, steps=tuple(s for s in steps if s.tier != NETWORK_POLICY), denies=False)
    return PodTierClasses(classes, own) if classes else None


def _steps(selecting: Sequence[tuple[Tier, Sequence[TierPolicy]]], decided: PolicyClass | str | None) -> Iterator[Step]:
    steps = [(tier, Step(tier.name, tuple(p.meta.key for p in policies))) for tier, policies in selecting]
    yield from (step for tier, step in steps if tier.before_network_policy)
    if isinstance(decided, PolicyClass):
        yield Step(NETWORK_POLICY, decided.policies)
    yield from (step for tier, step in steps if not tier.before_network_policy)
