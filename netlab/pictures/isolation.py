"""Which pods no policy isolates, for a box that stands for several."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from netlab.cluster.types import Cluster, Endpoint, Pod
from netlab.frozen import frozen
from netlab.objects.policies import NetworkPolicy
from netlab.objects.types import Direction
from netlab.pictures.model import Isolation
from netlab.policy.reasons import where
from netlab.policy.tiers import NETWORK_POLICY

_DIRECTIONS: tuple[Direction, ...] = ("ingress", "egress")


@frozen
class Isolated:
    """Of a number of pods, those that policies isolate in each direction, and those that none isolates."""

    pods: int
    ingress: int
    egress: int
    neither: int

    @property
    def isolation(self) -> Isolation:
        """The directions in which all pods are isolated, if they do not differ; else ""."""
        if not self.pods or not {self.ingress, self.egress} <= {0, self.pods}:
            return ""
        return (("none", "egress"), ("ingress", "both"))[self.ingress > 0][self.egress > 0]

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


def is_isolated(cluster: Cluster, pod: Pod, direction: Direction) -> bool:
    """Return whether a policy isolates a pod in a direction, as the settings of the cluster and its network say."""
    return not_enforced(cluster, pod, direction) == "" and bool(NETWORK_POLICY.selecting(cluster, direction, pod))


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
    total = Isolated(0, 0, 0, 0)
    for pod in endpoints:
        if isinstance(pod, Pod) and not pod.loopback_only:
            ingress, egress = (is_isolated(cluster, pod, direction) for direction in _DIRECTIONS)
            total += Isolated(1, int(ingress), int(egress), int(not ingress and not egress))
    return total


def isolation_notes(cluster: Cluster, endpoints: Sequence[Endpoint]) -> list[str]:
    """Return the policies that isolate the pods, a line for each direction; they lead to file and line."""
    pods = [one for one in endpoints if isinstance(one, Pod)]
    found = []
    for direction in _DIRECTIONS:
        policies: dict[str, NetworkPolicy] = {}
        for pod in pods:
            found_by = (
                () if not_enforced(cluster, pod, direction) else NETWORK_POLICY.selecting(cluster, direction, pod)
            )
            policies |= {policy.meta.key: policy for policy in found_by}
        texts = [f"{key}{where(policy)}" for key, policy in list(policies.items())[:4]]
        more = f" and {len(policies) - 4} more" if len(policies) > 4 else ""
        if pods:
            found.append(
                f"{direction}: isolated by {', '.join(texts)}{more}" if texts else f"{direction}: not isolated"
            )
    return found
