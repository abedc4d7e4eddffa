"""Cluster-wide policies as the policies of tiers that the ruleset compiles.

Peers that are nodes, networks or names become addresses: those of the cluster's nodes and outside hosts. The evaluator
reads the same policies on its own (``policy.tiers.cluster_policy``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import ip_network

from netlab.cluster.types import Cluster
from netlab.objects.cluster_policies import ClusterPeer, ClusterPolicy, ClusterRule, ClusterTier, PodsPeer
from netlab.objects.policies import IPBlock, Peer, PolicyPort
from netlab.objects.selectors import LabelSelector
from netlab.objects.types import Direction, Meta, Protocol
from netlab.ruleset.tiers import TierPolicy, TierRule

_PROTOCOLS: tuple[Protocol, ...] = ("TCP", "UDP", "SCTP")
_EVERY = LabelSelector()


def tier_policies(cluster: Cluster, tier: ClusterTier) -> Sequence[TierPolicy]:
    """Return the policies of a tier, the first to decide first; those of one priority by name.

    The names of policies begin with their kind, so they differ from the keys of NetworkPolicies.
    """
    known: dict[ClusterTier, Sequence[TierPolicy]] = cluster.memo.setdefault("ruleset.tier_policies", {})
    if tier not in known:
        of_tier = [policy for policy in cluster.cluster_policies if policy.tier == tier]
        of_tier.sort(key=lambda one: (_place(cluster, one), one.priority, one.meta.name, one.kind))
        known[tier] = [_policy(cluster, policy) for policy in of_tier]
    return known[tier]


def _place(cluster: Cluster, policy: ClusterPolicy) -> int:
    """Return the place of a policy among those of its tier. Only a BaselineAdminNetworkPolicy has no priority."""
    if policy.kind != "BaselineAdminNetworkPolicy":
        return 1
    return 0 if cluster.policy.baseline_admin == "first" else 2


def _policy(cluster: Cluster, policy: ClusterPolicy) -> TierPolicy:
    def rules(direction: Direction) -> tuple[TierRule, ...]:
        found = ((rule, tuple(_peers(cluster, rule))) for rule in policy.rules(direction))
        return tuple(
            TierRule(rule.action, peers, tuple(_ports(rule)), name=rule.path.removeprefix("spec."))
            for rule, peers in found
            if peers
        )

    return TierPolicy(
        Meta(f"{policy.kind} {policy.meta.name}"), _pods(policy.subject), rules("ingress"), rules("egress")
    )


def _pods(peer: PodsPeer) -> Peer:
    return Peer(peer.pods, peer.namespaces or _EVERY)


def _peers(cluster: Cluster, rule: ClusterRule) -> Iterator[Peer]:
    for peer in rule.peers:
        if peer.pods is not None:
            yield _pods(peer.pods)
        else:
            yield from (Peer(ip_block=IPBlock(prefix)) for prefix in dict.fromkeys(peer.networks))
            addresses = [
                *(a for node in cluster.nodes if _is_among(node.labels, peer.nodes) for a in node.addresses),
                *(a for host in cluster.hosts if _has_a_name(host.hostnames, peer) for a in host.addresses),
            ]
            yield from (Peer(ip_block=IPBlock(ip_network(a))) for a in dict.fromkeys(addresses))


def _is_among(labels: object, nodes: LabelSelector | None) -> bool:
    return nodes is not None and nodes.matches(labels)  # type: ignore[arg-type]


def _has_a_name(hostnames: Sequence[str], peer: ClusterPeer) -> bool:
    return any(_is_meant(name.lower().rstrip("."), wanted) for name in hostnames for wanted in peer.domain_names)


def _is_meant(name: str, wanted: str) -> bool:
    """Say whether a domain name of a rule means a host's name; ``*.`` stands for one or more labels."""
    pattern = wanted.lower().rstrip(".")
    if pattern.startswith("*."):
        return name.endswith(pattern[1:]) and len(name) > len(pattern) - 1
    return name == pattern


def _ports(rule: ClusterRule) -> Iterator[PolicyPort]:
    for port in rule.ports:
        if isinstance(port.port, str):
            # The container port of the name brings its own protocol.
            yield from (PolicyPort(protocol, port.port) for protocol in _PROTOCOLS)
        else:
            yield port
