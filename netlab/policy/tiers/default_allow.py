"""The last tier: it allows what no other tier decides.

"By default, a pod is non-isolated for egress; all outbound connections are allowed." The same for ingress
(https://kubernetes.io/docs/concepts/services-networking/network-policies/).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from netlab.cluster.flows import Flow
from netlab.cluster.types import Cluster, Endpoint, Pod
from netlab.objects.types import Address, Direction
from netlab.policy.decision import DEFAULT, Decision, PolicyRuling, Ruling, Side
from netlab.policy.tiers.tier import Reads, Tier

ALLOWED = Ruling(DEFAULT, "allow")


class DefaultTier(Tier):
    """Allows everything; it has no policies."""

    name = DEFAULT

    def policies(self, cluster: Cluster) -> Sequence[Any]:
        return ()

    def selecting(self, cluster: Cluster, direction: Direction, pod: Pod) -> tuple[Any, ...]:
        return ()

    def judge(
        self, cluster: Cluster, direction: Direction, subject: Pod, other: Endpoint | None, address: Address, flow: Flow
    ) -> Ruling | PolicyRuling:
        return ALLOWED

    def reads(self, cluster: Cluster) -> Reads:
        return Reads()

    def to_deny(self, decision: Decision, side: Side) -> list[str]:
        kind = side.direction.capitalize()
        return [
            f"add a policy in namespace {side.subject.namespace} that selects {side.subject.ref}, has {kind} in"
            f" policyTypes and no rule for {decision.asked(side)}"
        ]
