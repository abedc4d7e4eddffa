"""In which directions policies isolate a pod, and how many of several pods they isolate.

All pictures and reports use it, so that they count the same pods.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from netlab.cluster.types import Cluster, Endpoint, Pod
from netlab.frozen import frozen
from netlab.objects.cluster_policies import ClusterPolicy
from netlab.objects.policies import NetworkPolicy
from netlab.objects.types import DIRECTIONS, Direction
from netlab.pictures.model import Isolation
from netlab.policy.reasons import where
from netlab.policy.tiers import NETWORK_POLICY
from netlab.policy.tiers.cluster_policy import denying_all

_BY_DIRECTIONS: Mapping[tuple[bool, bool], Isolation] = MappingProxyType(
    {(False, False): "none", (True, False): "ingress", (False, True): "egress", (True, True): "both"}
)
_MOST_NAMED = 4


@frozen
class Isolated:
    """How many pods policies isolate: of ``pods`` in all, those for ingress, for egress, and in neither direction."""

    pods: int
    ingress: int
    egress: int
    neither: int

    @property
    def isolation(self) -> Isolation:
        """The directions in which all pods are isolated, if they do not differ; else ""."""
        if not self.pods or not {self.ingress, self.egress} <= {0, self.pods}:
            return ""
        return _BY_DIRECTIONS[self.ingress > 0, self.egress > 0]

    @property
    def mixed(self) -> str:
        """How many are not isolated, as text, if the pods differ."""
        if not self.pods or self.isolation:
            return ""
        if self.neither:
            return f"{self.neither} of {self.pods} not isolated"
        parts = [
            f"{self.pods - isolated} of {self.pods}: {direction} open"
            for direction, isolated in (("ingress", self.ingress), ("egress", self.egress))
            if isolated < self.pods
        ]
        return "; ".join(parts)

    def __add__(self, other: Isolated) -> Isolated:
        return Isolated(
            self.pods + other.pods,
            self.ingress + other.ingress,
            self.egress + other.egress,
            self.neither + other.neither,
        )


def _is_isolated(cluster: Cluster, pod: Pod, direction: Direction) -> bool:
    """Return whether a policy isolates a pod in a direction. Settings of the cluster or its network may forbid it."""
    if not_enforced(cluster, pod, direction):
        return False
    return bool(NETWORK_POLICY.selecting(cluster, direction, pod) or denying_all(cluster, pod, direction))


def isolation_of(cluster: Cluster, pod: Pod) -> Isolation:
    """Return the directions in which policies isolate a pod; "" for a pod without a network."""
    if pod.loopback_only:
        return ""
    return _BY_DIRECTIONS[_is_isolated(cluster, pod, "ingress"), _is_isolated(cluster, pod, "egress")]


def not_enforced(cluster: Cluster, pod: Pod, direction: Direction) -> str:
    """Return why no policy isolates a pod in a direction, whatever it selects; "" if policies can."""
    if pod.host_network:
        return "host network: no policy applies"
    if pod.loopback_only:
        return "no network"
    if cluster.policy.enforcement != "all":
        return "nothing enforces policies"
    if not pod.traits.attachment.enforced:
        return f"{pod.attachment} enforces no policies"
    if direction == "egress" and cluster.policy.directions == "ingress-only":
        return "policies do not judge egress"
    return ""


def isolated(cluster: Cluster, endpoints: Iterable[Endpoint]) -> Isolated:
    """Return how many of the pods among the endpoints are isolated. Pods without a network do not count."""
    pods = (one for one in endpoints if isinstance(one, Pod))
    found = Counter(isolation for pod in pods if (isolation := isolation_of(cluster, pod)))
    both = found["both"]
    return Isolated(found.total(), found["ingress"] + both, found["egress"] + both, found["none"])


def isolation_notes(cluster: Cluster, endpoints: Sequence[Endpoint]) -> list[str]:
    """Return the policies that isolate the pods, a line for each direction; they lead to file and line."""
    pods = [one for one in endpoints if isinstance(one, Pod)]
    found = []
    for direction in DIRECTIONS:
        policies: dict[str, NetworkPolicy | ClusterPolicy] = {}
        for pod in pods:
            if not not_enforced(cluster, pod, direction):
                policies |= {one.meta.key: one for one in NETWORK_POLICY.selecting(cluster, direction, pod)}
                policies |= {one.ref: one for one in denying_all(cluster, pod, direction)}
        texts = [f"{key}{where(policy)}" for key, policy in list(policies.items())[:_MOST_NAMED]]
        more = f" and {len(policies) - _MOST_NAMED} more" if len(policies) > _MOST_NAMED else ""
        if pods:
            found.append(
                f"{direction}: isolated by {', '.join(texts)}{more}" if texts else f"{direction}: not isolated"
            )
    return found
