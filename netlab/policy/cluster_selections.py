"""Selections of cluster-wide policies: which pods and peers a policy selects, and which policies select pods."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from netlab.cluster.types import Cluster, Host, Node, Pod
from netlab.frozen import frozen
from netlab.objects.cluster_policies import ClusterPeer, ClusterPolicy, ClusterRule, PodsPeer
from netlab.objects.types import Direction
from netlab.policy.tiers import NETWORK_POLICY, tiers_in_use
from netlab.policy.tiers.cluster_peers import cluster_peers
from netlab.policy.tiers.cluster_policy import peer_matches

_DIRECTIONS: tuple[Direction, ...] = ("ingress", "egress")


@frozen
class MatchedPeer:
    """One item of ``from`` or ``to`` with its path, its text, and the existing endpoints that it matches."""

    path: str
    text: str
    ends: tuple[Pod | Node | Host, ...]


@frozen
class SelectedClusterRule:
    """One rule of a policy with its peers."""

    direction: Direction
    rule: ClusterRule
    peers: tuple[MatchedPeer, ...]


@frozen
class ClusterPolicySelection:
    """What a cluster-wide policy selects. ``pods`` are those that it applies to."""

    policy: ClusterPolicy
    pods: tuple[Pod, ...]
    rules: tuple[SelectedClusterRule, ...]


@frozen
class ClusterSelecting:
    """A cluster-wide policy with those of the pods in question that its rules judge, by direction."""

    policy: ClusterPolicy
    ingress: tuple[Pod, ...]
    egress: tuple[Pod, ...]


def cluster_policy_selection(cluster: Cluster, policy: ClusterPolicy) -> ClusterPolicySelection:
    """Return what a policy selects in a cluster."""
    peers = cluster_peers(cluster)
    subject = 1 << peers.numbers[policy.subject]
    pods = tuple(pod for pod in cluster.pods if peers.of(pod) & subject)
    return ClusterPolicySelection(policy, pods, tuple(_rules(cluster, policy)))


def _rules(cluster: Cluster, policy: ClusterPolicy) -> Iterator[SelectedClusterRule]:
    ends: tuple[Pod | Node | Host, ...] = (*cluster.pods, *cluster.nodes, *cluster.hosts)
    for direction in _DIRECTIONS:
        field = "from" if direction == "ingress" else "to"
        for rule in policy.rules(direction):
            found = [
                MatchedPeer(
                    f"{rule.path}.{field}[{number}]",
                    peer_text(peer),
                    tuple(end for end in ends if any(peer_matches(cluster, peer, end, a) for a in end.addresses)),
                )
                for number, peer in enumerate(rule.peers)
            ]
            yield SelectedClusterRule(direction, rule, tuple(found))


def subject_text(subject: PodsPeer) -> str:
    """Return a subject, or a peer that is pods, as text: its pods, then its namespaces."""
    pods = "every pod" if subject.pods is None or not _read(subject.pods) else f"pods with {subject.pods}"
    if subject.namespaces is None or not _read(subject.namespaces):
        return f"{pods} of every namespace"
    return f"{pods} of namespaces with {subject.namespaces}"


def peer_text(peer: ClusterPeer) -> str:
    """Return a peer as text."""
    if peer.pods is not None:
        return subject_text(peer.pods)
    if peer.networks:
        return f"networks {', '.join(map(str, peer.networks))}"
    if peer.nodes is not None:
        return f"nodes with {peer.nodes}" if _read(peer.nodes) else "every node"
    return f"hosts named {', '.join(peer.domain_names)}"


def _read(selector: object) -> bool:
    return str(selector) != "<all>"


def selecting_pods(cluster: Cluster, pods: Sequence[Pod]) -> tuple[ClusterSelecting, ...]:
    """Return the policies that judge some pods, in the order in which they decide."""
    found: list[ClusterSelecting] = []
    for tier in tiers_in_use(cluster):
        if tier is NETWORK_POLICY:
            continue
        for policy in tier.policies(cluster):
            by_direction = {
                direction: tuple(pod for pod in pods if policy in tier.selecting(cluster, direction, pod))
                for direction in _DIRECTIONS
            }
            if any(by_direction.values()):
                found.append(ClusterSelecting(policy, by_direction["ingress"], by_direction["egress"]))
    return tuple(found)
