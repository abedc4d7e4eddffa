"""The tiers of cluster-wide policies, Admin and Baseline: by priority, the first rule that matches decides.

Source: network-policy-api v0.3.0, ``apis/v1beta1/clusternetworkpolicy_types.go``: "Policies with lower priority values
have higher precedence, and are checked before policies with higher priority values in the same tier", and "ingress
rules are evaluated in the order they are written; first rule that matches decides".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING

from netlab.cluster.flows import Flow
from netlab.cluster.types import Cluster, Endpoint, Host, Node, Pod
from netlab.errors import Problem, printable
from netlab.frozen import NamedTuple
from netlab.objects.cluster_policies import ClusterPeer, ClusterPolicy, ClusterRule, ClusterTier, PodsPeer, is_named
from netlab.objects.policies import PolicyPort
from netlab.objects.selectors import LabelSelector
from netlab.objects.types import Address, Direction, Protocol
from netlab.policy.decision import Decision, PolicyRuling, Ruling, Side
from netlab.policy.isolating import isolating
from netlab.policy.matching import container_port
from netlab.policy.reasons import where
from netlab.policy.tiers.cluster_peers import cluster_peers
from netlab.policy.tiers.tier import OverSets, Reads, Tier

if TYPE_CHECKING:
    from netlab.policy.set_evaluator import SetEvaluator


_PROTOCOLS: tuple[Protocol, ...] = ("TCP", "UDP", "SCTP")
TIERS: tuple[ClusterTier, ...] = ("Admin", "Baseline")


class ClusterPolicyTier(Tier):
    """A pod's policies of one tier, in their order; a flow that no rule matches passes to the next tier."""

    def __init__(self, tier: ClusterTier) -> None:
        self.name = tier
        self._tier = tier

    def policies(self, cluster: Cluster) -> Sequence[ClusterPolicy]:
        return in_order(cluster, self._tier)

    def selecting(self, cluster: Cluster, direction: Direction, pod: Pod) -> tuple[ClusterPolicy, ...]:
        if not cluster.cluster_policies or not pod.selectable:
            return ()
        if self._tier == "Baseline" and is_left_to_network_policy(cluster, pod):
            return ()
        return _selectors(cluster, self._tier, direction).of(cluster_peers(cluster).of(pod))

    def judge(
        self, cluster: Cluster, direction: Direction, subject: Pod, other: Endpoint | None, address: Address, flow: Flow
    ) -> Ruling:
        return self.judge_for(cluster, direction, subject)(other, address, flow)

    def judge_for(self, cluster: Cluster, direction: Direction, subject: Pod) -> Callable[..., Ruling]:
        policies = self.selecting(cluster, direction, subject)
        rules = [numbered(cluster, policy, rule) for policy in policies for rule in policy.rules(direction)]
        same = not any(isinstance(port.port, str) for one in rules for port in one.rule.ports)
        passing = Ruling(self.name, "pass")
        peers = cluster_peers(cluster)
        known: dict[tuple[str, int | None], list[NumberedRule]] = {}

        def judge(other: Endpoint | None, address: Address, flow: Flow) -> Ruling:
            asked = (flow.protocol, flow.port)
            found = known.get(asked)
            if found is None:
                found = [one for one in rules if port_matches(one.rule, *asked, flow.destination)]
                if same:
                    known[asked] = found
            having = peers.of(other)
            for one in found:
                if one.pods & having or any(_matches_other(cluster, peer, other, address) for peer in one.others):
                    return one.ruling
            return passing

        return judge

    def reads(self, cluster: Cluster) -> Reads:
        policies = self.policies(cluster)
        rules = [rule for policy in policies for rule in (*policy.ingress, *policy.egress)]
        peers = [peer for rule in rules for peer in rule.peers]
        pods = [policy.subject for policy in policies] + [peer.pods for peer in peers if peer.pods is not None]
        return Reads(
            [one.pods for one in pods if one.pods is not None],
            [prefix for peer in peers for prefix in peer.networks],
            any(peer.nodes is not None for peer in peers),
            [one for rule in rules for port in rule.ports for one in _of_each_protocol(port)],
            any(peer.domain_names for peer in peers),
        )

    def over_sets(self, sets: SetEvaluator) -> OverSets:
        from netlab.policy.tiers.cluster_policy_sets import ClusterPolicySets

        return ClusterPolicySets(self, sets)

    def lines(self, cluster: Cluster, decision: Decision, side: Side, ruling: Ruling | PolicyRuling) -> list[str]:
        from netlab.policy.tiers.cluster_policy_text import lines

        return lines(cluster, self, decision, side)

    def to_allow(self, decision: Decision, side: Side) -> list[str]:
        from netlab.policy.tiers.cluster_policy_text import to_allow

        return to_allow(self._tier, decision, side)

    def to_deny(self, decision: Decision, side: Side) -> list[str]:
        from netlab.policy.tiers.cluster_policy_text import to_deny

        return to_deny(self._tier, decision, side)

    def warnings(self, cluster: Cluster) -> Iterator[Problem]:
        if policies := self.policies(cluster):
            from netlab.policy.cluster_policy_order import order_warnings
            from netlab.policy.cluster_policy_warnings import warnings

            for policy in policies:
                yield from warnings(cluster, policy)
            yield from order_warnings(cluster, self)


def _of_each_protocol(port: PolicyPort) -> Sequence[PolicyPort]:
    """Return a port for each protocol if it is a name, as the container port of the name has its own protocol."""
    return [replace(port, protocol=one) for one in _PROTOCOLS] if isinstance(port.port, str) else [port]


class NumberedRule(NamedTuple):
    """A rule, the set of the numbers of its peers that are pods (``ClusterPeers``), its other peers and its ruling."""

    policy: ClusterPolicy
    rule: ClusterRule
    pods: int
    others: tuple[ClusterPeer, ...]
    ruling: Ruling


def numbered(cluster: Cluster, policy: ClusterPolicy, rule: ClusterRule) -> NumberedRule:
    """Return a rule of a cluster's policy with the numbers of its peers."""
    known: dict[int, NumberedRule] = cluster.memo.setdefault("policy.cluster_rules", {})
    found = known.get(id(rule))
    if found is None:
        numbers = cluster_peers(cluster).numbers
        pods = 0
        for peer in rule.peers:
            pods |= 1 << numbers[peer.pods] if peer.pods is not None else 0
        priority = None if policy.kind == "BaselineAdminNetworkPolicy" else policy.priority
        ruling = Ruling(policy.tier, rule.action, rule_text(policy, rule), priority, policy)
        others = tuple(peer for peer in rule.peers if peer.pods is None)
        found = known[id(rule)] = NumberedRule(policy, rule, pods, others, ruling)
    return found


def rule_text(policy: ClusterPolicy, rule: ClusterRule) -> str:
    """Return the kind and name of a policy with the path, name and line of one of its rules."""
    name = f' "{printable(rule.name)}"' if rule.name else ""
    return f"{policy.ref} {rule.path}{name}{where(policy, rule)}"


class _Selectors:
    """The policies of a tier with rules in a direction; ``of`` returns those that select a pod, one tuple for each set.

    A pod is given as the numbers of the subjects and peers that match it.
    """

    def __init__(self, cluster: Cluster, tier: ClusterTier, direction: Direction) -> None:
        numbers = cluster_peers(cluster).numbers
        self._policies = [(1 << numbers[p.subject], p) for p in in_order(cluster, tier) if p.rules(direction)]
        self._read = 0
        for number, _ in self._policies:
            self._read |= number
        self._known: dict[int, tuple[ClusterPolicy, ...]] = {}

    def of(self, having: int) -> tuple[ClusterPolicy, ...]:
        read = having & self._read
        if read not in self._known:
            self._known[read] = tuple(policy for number, policy in self._policies if number & read)
        return self._known[read]


def _selectors(cluster: Cluster, tier: ClusterTier, direction: Direction) -> _Selectors:
    known: dict[tuple[ClusterTier, Direction], _Selectors] = cluster.memo.setdefault("policy.cluster_selectors", {})
    if (tier, direction) not in known:
        known[tier, direction] = _Selectors(cluster, tier, direction)
    return known[tier, direction]


def in_order(cluster: Cluster, tier: ClusterTier) -> Sequence[ClusterPolicy]:
    """Return the policies of a tier in the order in which they decide; of equal priorities, by name."""
    known: dict[ClusterTier, Sequence[ClusterPolicy]] = cluster.memo.setdefault("policy.cluster_policies", {})
    if tier not in known:
        of_tier = [policy for policy in cluster.cluster_policies if policy.tier == tier]
        known[tier] = sorted(of_tier, key=lambda one: (place_of(cluster, one), one.meta.name, one.kind))
    return known[tier]


def place_of(cluster: Cluster, policy: ClusterPolicy) -> float:
    """Return the priority; a BaselineAdminNetworkPolicy has none, and ``baselineAdmin`` says where it stands."""
    if policy.kind != "BaselineAdminNetworkPolicy":
        return policy.priority
    return -inf if cluster.policy.baseline_admin == "first" else inf


def denying_all(cluster: Cluster, pod: Pod, direction: Direction) -> tuple[ClusterPolicy, ...]:
    """Return the policy of a tier that denies a pod every port of all pods in a direction; rules before may allow some.

    A policy of tier Baseline counts even if a NetworkPolicy isolates the pod, as the pod is then closed too.
    """
    if not cluster.cluster_policies or not pod.selectable:
        return ()
    having = cluster_peers(cluster).of(pod)
    found = closing(cluster, [_selectors(cluster, tier, direction).of(having) for tier in TIERS], direction)
    return () if found is None else (found,)


def closing(cluster: Cluster, tiers: Iterable[Sequence[ClusterPolicy]], direction: Direction) -> ClusterPolicy | None:
    """Return the policy that denies every port of all pods, if policies judge, tier by tier in their order.

    There is none if a rule before allows every port of all pods. A rule that passes all of them ends its tier.
    """
    for policies in tiers:
        rules = ((policy, rule) for policy in policies for rule in policy.rules(direction))
        policy, rule = next((one for one in rules if has_all_pods(cluster, one[1])), (None, None))
        if rule is not None and rule.action != "pass":
            return policy if rule.action == "deny" else None
    return None


def has_all_pods(cluster: Cluster, rule: ClusterRule) -> bool:
    """Say whether a rule matches every port of all pods that may come."""
    if rule.ports:
        return False
    if any(peer.pods is not None and is_everything(peer.pods) for peer in rule.peers):
        return True
    return {*cluster.families} <= {one.version for peer in rule.peers for one in peer.networks if not one.prefixlen}


def is_subject(cluster: Cluster, policy: ClusterPolicy, pod: Pod) -> bool:
    """Say whether a policy selects a pod; a host-network pod is no subject."""
    peers = cluster_peers(cluster)
    return pod.selectable and bool(peers.of(pod) & 1 << peers.numbers[policy.subject])


def is_everything(peer: PodsPeer) -> bool:
    """Say whether a subject or a peer matches every pod."""
    return all(s is None or s == LabelSelector() for s in (peer.namespaces, peer.pods))


def is_left_to_network_policy(cluster: Cluster, pod: Pod) -> bool:
    """Say whether the tier Baseline is not asked about a pod, as ``baseline: unselected-pods`` says."""
    if cluster.policy.baseline == "per-direction":
        return False
    return bool(isolating(cluster, pod, "ingress") or isolating(cluster, pod, "egress"))


def matches(cluster: Cluster, rule: ClusterRule, other: Endpoint | None, address: Address, flow: Flow) -> bool:
    """Say whether a rule matches a flow: one of its peers, and one of its ports if it has any."""
    if not port_matches(rule, flow.protocol, flow.port, flow.destination):
        return False
    return any(peer_matches(cluster, peer, other, address) for peer in rule.peers)


def port_matches(rule: ClusterRule, protocol: str, port: int | None, end: Endpoint | None) -> bool:
    """Say whether a rule matches a protocol and port of a destination."""
    return not rule.ports or any(_has(one, protocol, port, end) for one in rule.ports)


def _has(one: PolicyPort, protocol: str, port: int | None, end: Endpoint | None) -> bool:
    if isinstance(one.port, str):
        return port is not None and container_port(end, one.port, protocol) == port
    if one.protocol != protocol or one.port is None or port is None:
        return False
    return one.port <= port <= (one.end_port or one.port)


def peer_matches(cluster: Cluster, peer: ClusterPeer, other: Endpoint | None, address: Address) -> bool:
    """Say whether a peer matches the other end of a flow, or its address."""
    if peer.pods is not None:
        peers = cluster_peers(cluster)
        return bool(peers.of(other) & 1 << peers.numbers[peer.pods])
    return _matches_other(cluster, peer, other, address)


def _matches_other(cluster: Cluster, peer: ClusterPeer, other: Endpoint | None, address: Address) -> bool:
    if peer.networks:
        return any(prefix.version == address.version and address in prefix for prefix in peer.networks)
    if peer.nodes is not None:
        return any(address in node.addresses and peer.nodes.matches(node.labels) for node in _nodes(cluster, other))
    return isinstance(other, Host) and any(
        is_named(host, name) for host in other.hostnames for name in peer.domain_names
    )


def _nodes(cluster: Cluster, other: Endpoint | None) -> Sequence[Node]:
    if isinstance(other, Node):
        return (other,)
    return (cluster.node(other.node),) if isinstance(other, Pod) and other.host_network else ()
