"""The tiers of cluster-wide policies, Admin and Baseline: by priority, the first rule that matches decides.

Source: network-policy-api v0.3.0, ``apis/v1beta1/clusternetworkpolicy_types.go``: "Policies with lower priority values
have higher precedence, and are checked before policies with higher priority values in the same tier", and "ingress
rules are evaluated in the order they are written; first rule that matches decides".
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from netlab.cluster.flows import Flow
from netlab.cluster.types import Cluster, Endpoint, Host, Node, Pod
from netlab.objects.cluster_policies import ClusterPeer, ClusterPolicy, ClusterRule, ClusterTier, PodsPeer
from netlab.objects.policies import PolicyPort
from netlab.objects.selectors import LabelSelector
from netlab.objects.types import Address, Direction
from netlab.policy.decision import Ruling
from netlab.policy.matching import container_port
from netlab.policy.tiers.networkpolicy import isolating
from netlab.policy.tiers.tier import Reads, Tier


class ClusterPolicyTier(Tier):
    """A pod's policies of one tier, in their order; a flow that no rule matches passes to the next tier."""

    def __init__(self, tier: ClusterTier) -> None:
        self.name = tier
        self._tier = tier

    def policies(self, cluster: Cluster) -> Sequence[ClusterPolicy]:
        return in_order(cluster, self._tier)

    def selecting(self, cluster: Cluster, direction: Direction, pod: Pod) -> tuple[ClusterPolicy, ...]:
        if not pod.selectable or (self._tier == "Baseline" and is_left_to_network_policy(cluster, pod)):
            return ()
        return tuple(p for p in self.policies(cluster) if p.rules(direction) and selects(p.subject, pod, cluster))

    def judge(
        self, cluster: Cluster, direction: Direction, subject: Pod, other: Endpoint | None, address: Address, flow: Flow
    ) -> Ruling:
        for policy in self.selecting(cluster, direction, subject):
            for rule in policy.rules(direction):
                if matches(cluster, rule, other, address, flow):
                    return Ruling(self.name, rule.action, f"{policy.ref} {rule.path}", policy.priority)
        return Ruling(self.name, "pass")

    def reads(self, cluster: Cluster) -> Reads:
        policies = self.policies(cluster)
        rules = [rule for policy in policies for rule in (*policy.ingress, *policy.egress)]
        peers = [peer for rule in rules for peer in rule.peers]
        pods = [policy.subject for policy in policies] + [peer.pods for peer in peers if peer.pods is not None]
        return Reads(
            [one.pods for one in pods if one.pods is not None],
            [prefix for peer in peers for prefix in peer.networks],
            any(peer.nodes is not None for peer in peers),
            (port for rule in rules for port in rule.ports),
        )


def in_order(cluster: Cluster, tier: ClusterTier) -> Sequence[ClusterPolicy]:
    """Return the policies of a tier in the order in which they decide; of equal priorities, by name."""
    known: dict[ClusterTier, Sequence[ClusterPolicy]] = cluster.memo.setdefault("policy.cluster_policies", {})
    if tier not in known:
        of_tier = [policy for policy in cluster.cluster_policies if policy.tier == tier]
        known[tier] = sorted(of_tier, key=lambda one: (_place(cluster, one), one.meta.name, one.kind))
    return known[tier]


def _place(cluster: Cluster, policy: ClusterPolicy) -> float:
    """Return the priority; a BaselineAdminNetworkPolicy has none, and ``baselineAdmin`` says where it stands."""
    if policy.kind != "BaselineAdminNetworkPolicy":
        return policy.priority
    return -inf if cluster.policy.baseline_admin == "first" else inf


def is_left_to_network_policy(cluster: Cluster, pod: Pod) -> bool:
    """Say whether the tier Baseline is not asked about a pod, as ``baseline: unselected-pods`` says."""
    if cluster.policy.baseline == "per-direction":
        return False
    return bool(isolating(cluster, pod, "ingress") or isolating(cluster, pod, "egress"))


def selects(peer: PodsPeer, pod: Pod, cluster: Cluster) -> bool:
    """Say whether a subject or a peer has a pod."""
    return _matches(peer.namespaces, cluster.namespaces[pod.namespace]) and _matches(peer.pods, pod.labels)


def _matches(selector: LabelSelector | None, labels: object) -> bool:
    return selector is None or selector.matches(labels)  # type: ignore[arg-type]


def matches(cluster: Cluster, rule: ClusterRule, other: Endpoint | None, address: Address, flow: Flow) -> bool:
    """Say whether a rule matches a flow: one of its peers, and one of its ports if it has any."""
    return _port_matches(rule, flow) and any(_peer_matches(cluster, peer, other, address) for peer in rule.peers)


def _port_matches(rule: ClusterRule, flow: Flow) -> bool:
    return not rule.ports or any(_has(port, flow) for port in rule.ports)


def _has(port: PolicyPort, flow: Flow) -> bool:
    if isinstance(port.port, str):
        return flow.port is not None and container_port(flow.destination, port.port, flow.protocol) == flow.port
    if port.protocol != flow.protocol or port.port is None or flow.port is None:
        return False
    return port.port <= flow.port <= (port.end_port or port.port)


def _peer_matches(cluster: Cluster, peer: ClusterPeer, other: Endpoint | None, address: Address) -> bool:
    if peer.pods is not None:
        return isinstance(other, Pod) and other.selectable and selects(peer.pods, other, cluster)
    if peer.networks:
        return any(prefix.version == address.version and address in prefix for prefix in peer.networks)
    if peer.nodes is not None:
        return any(address in node.addresses and peer.nodes.matches(node.labels) for node in _nodes(cluster, other))
    return isinstance(other, Host) and any(_is_named(other, name) for name in peer.domain_names)


def _nodes(cluster: Cluster, other: Endpoint | None) -> Sequence[Node]:
    if isinstance(other, Node):
        return (other,)
    return (cluster.node(other.node),) if isinstance(other, Pod) and other.host_network else ()


def _is_named(host: Host, name: str) -> bool:
    wanted = name.lower().rstrip(".")
    names = [one.lower().rstrip(".") for one in host.hostnames]
    return any(one.endswith(wanted[1:]) and one != wanted[2:] if wanted[0] == "*" else one == wanted for one in names)
