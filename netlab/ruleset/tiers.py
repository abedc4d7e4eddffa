"""Tiers: policies beside NetworkPolicy whose rules allow, deny or pass, as the ruleset compiles them.

A tier is one value and one line in ``TIERS``. The first rule of a tier that matches a connection decides: ``allow`` and
``deny`` are final, ``pass`` leaves the connection to the next tier, and so does a tier without a matching rule.
NetworkPolicy has its own code (``policy_chains``). A pod that a NetworkPolicy isolates in a direction is decided there,
so no later tier sees it.

The evaluator has the same tiers in ``netlab.policy.tiers``; ``tests/policy/test_tiers_agree.py`` compares both lists.

A lab without policies of tiers has the ruleset of NetworkPolicy alone. ``tier_chains`` says what the others cost. Each
change compiles all elements of tiers anew, and changes the elements that differ.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from netlab.cluster.types import Cluster, Pod
from netlab.frozen import frozen
from netlab.objects.cluster_policies import ClusterTier
from netlab.objects.policies import Peer, PolicyPort
from netlab.objects.types import Direction, Meta
from netlab.verdicts import Action

ACTION_NUMBERS: dict[Action, int] = {"allow": 1, "deny": 2, "pass": 3}
"""The number that the maps of tiers hold for each action."""


@frozen
class TierRule:
    """A rule: the action for connections with some peers on some ports. Without ports it means every port and protocol.

    ``whole``: an ipBlock means every address in it; else it means what the settings of ``spec.policy`` say.
    ``name`` says in comments which rule of its policy it is.

    Raises:
      ValueError: if there are no peers.
    """

    action: Action
    peers: tuple[Peer, ...]
    ports: tuple[PolicyPort, ...] = ()
    whole: bool = True
    name: str = ""

    def __post_init__(self) -> None:
        if not self.peers:
            raise ValueError("a rule of a tier names its peers")


@frozen
class TierPolicy:
    """A policy of a tier.

    ``meta.key`` is unique among the policies of all tiers and NetworkPolicies. ``subject`` selects pods by namespace
    and labels. A peer that selects pods has a ``namespace_selector``. The first matching rule of a direction decides.
    """

    meta: Meta
    subject: Peer
    ingress: tuple[TierRule, ...] = ()
    egress: tuple[TierRule, ...] = ()

    def rules(self, direction: Direction) -> tuple[TierRule, ...]:
        """Return the rules of a direction, in their order."""
        return self.ingress if direction == "ingress" else self.egress

    def selects(self, pod: Pod, cluster: Cluster) -> bool:
        """Say whether the policy selects a pod."""
        namespaces, pods = self.subject.namespace_selector, self.subject.pod_selector
        return (namespaces is None or namespaces.matches(cluster.namespaces[pod.namespace])) and (
            pods is None or pods.matches(pod.labels)
        )


@frozen
class Tier:
    """One tier.

    ``name`` is the tier's name in ``netlab.policy.tiers``. ``before_network_policy``: the tier stands before
    NetworkPolicy, else after it. ``policies`` returns the policies of a cluster by priority, the first to match first.
    """

    name: str
    before_network_policy: bool
    policies: Callable[[Cluster], Sequence[TierPolicy]]


def _policies_of(tier: ClusterTier) -> Callable[[Cluster], Sequence[TierPolicy]]:
    def policies(cluster: Cluster) -> Sequence[TierPolicy]:
        if not cluster.cluster_policies:
            return ()
        # Late, as most clusters have no such policies, and as that module imports this one.
        from netlab.ruleset.cluster_policies import tier_policies

        return tier_policies(cluster, tier)

    return policies


def _cilium(cluster: Cluster) -> Sequence[TierPolicy]:
    if not cluster.understood:
        return ()
    from netlab.ruleset.cilium_policies import with_rules

    return with_rules(cluster)


def _cilium_default(cluster: Cluster) -> Sequence[TierPolicy]:
    if not cluster.understood:
        return ()
    from netlab.ruleset.cilium_policies import isolating

    return isolating(cluster)


TIERS: tuple[Tier, ...] = (
    Tier("Admin", True, _policies_of("Admin")),
    Tier("Cilium", True, _cilium),
    Tier("Cilium default", False, _cilium_default),
    Tier("Baseline", False, _policies_of("Baseline")),
)
"""All tiers beside NetworkPolicy, in the order in which they decide."""
