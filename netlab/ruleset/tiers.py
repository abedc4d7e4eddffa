"""Tiers: policies before and after NetworkPolicy whose rules accept, deny or pass, in an order of precedence.

A tier is one value and one line in ``TIERS``. The first rule of a tier that matches a connection decides in the tier:
``accept`` and ``deny`` for good, ``pass`` leaves it to the tiers that follow, as does no rule at all. NetworkPolicy is
between those ``before`` and the others; where it isolates a pod in a direction it decides, so no later tier is asked.

Where a lab has no policy of any tier, its rulesets are those of NetworkPolicy alone. Where it has, each tier with
policies costs an isolated side one map lookup for its class and at most three for the peer. A tier's elements are
compiled anew at each change.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from netlab.cluster.types import Cluster, Pod
from netlab.frozen import frozen
from netlab.objects.policies import Peer, PolicyPort
from netlab.objects.types import Direction, Meta

Verdict = Literal["accept", "deny", "pass"]

VERDICTS: dict[Verdict, int] = {"accept": 1, "deny": 2, "pass": 3}
"""Each verdict as the number that a map of a tier holds."""


@frozen
class TierRule:
    """A rule: what becomes of connections with some peers on some ports; no ports are every port and protocol.

    Raises:
      ValueError: where it has no peers.
    """

    verdict: Verdict
    peers: tuple[Peer, ...]
    ports: tuple[PolicyPort, ...] = ()

    def __post_init__(self) -> None:
        if not self.peers:
            raise ValueError("a rule of a tier names its peers")


@frozen
class TierPolicy:
    """A policy of a tier. ``meta.key`` is unique among the policies of all tiers and among NetworkPolicies.

    ``subject`` selects pods by namespace and labels; peers that select pods have a ``namespace_selector``.
    """

    meta: Meta
    subject: Peer
    ingress: tuple[TierRule, ...] = ()
    egress: tuple[TierRule, ...] = ()

    def rules(self, direction: Direction) -> tuple[TierRule, ...]:
        """Return the rules of a direction, in order of precedence."""
        return self.ingress if direction == "ingress" else self.egress

    def selects(self, pod: Pod, cluster: Cluster) -> bool:
        """Say whether the policy is about a pod."""
        namespaces, pods = self.subject.namespace_selector, self.subject.pod_selector
        return (namespaces is None or namespaces.matches(cluster.namespaces[pod.namespace])) and (
            pods is None or pods.matches(pod.labels)
        )


@frozen
class Tier:
    """One tier: ``name`` is the prefix of its sets and chains, ``policies`` are those of a cluster by precedence."""

    name: str
    before: bool
    policies: Callable[[Cluster], Sequence[TierPolicy]]


TIERS: tuple[Tier, ...] = ()
"""In the order in which they are asked."""
