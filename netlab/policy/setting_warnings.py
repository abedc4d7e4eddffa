"""Warnings about policies that do less than they say because of a setting of ``spec.policy``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from netlab.cluster.node_addresses import is_node_address
from netlab.cluster.policies_in_force import policies_without_effect
from netlab.cluster.types import Cluster
from netlab.errors import Problem
from netlab.objects.cluster_policies import ClusterPolicy
from netlab.objects.policies import NetworkPolicy, Rule
from netlab.policy.matching import peer_path
from netlab.policy.problems import warning


def unenforced(cluster: Cluster) -> Iterator[Problem]:
    """Warn once if nothing enforces the policies of a cluster; then no other warning about policies is given."""
    policies: Sequence[NetworkPolicy | ClusterPolicy] = (*cluster.policies, *cluster.cluster_policies)
    if not policies:
        return
    kinds = (
        (len(cluster.policies), "NetworkPolicy", "NetworkPolicies"),
        (len(cluster.cluster_policies), "cluster-wide policy", "cluster-wide policies"),
    )
    names = [f"the {one}" if count == 1 else f"all {count:,} {many}" for count, one, many in kinds if count]
    verb = "has" if len(policies) == 1 else "have"
    message = f"nothing enforces policies, so {' and '.join(names)} {verb} no effect (enforcement: none)"
    yield warning(policies[0], "spec", message, "nothing-enforces")


def without_effect(cluster: Cluster) -> Iterator[Problem]:
    """Warn of each policy that has no effect because of a setting."""
    for one in policies_without_effect(cluster):
        yield warning(one.policy, "spec", f"{one.why} ({one.setting})", "policy-without-effect")
    for policy in cluster.cluster_policies_not_read:
        message = f"has no effect, as this kind is not read (clusterPolicies: {cluster.policy.cluster_policies})"
        yield warning(policy, "kind", message, "policy-without-effect", policy.kind)


def partly_without_effect(cluster: Cluster, policy: NetworkPolicy) -> Iterator[Problem]:
    """Warn of egress that is not judged, of SCTP that is dropped, and of ipBlocks of a node's address only."""
    settings = cluster.policy
    if settings.directions == "ingress-only" and policy.isolates("egress"):
        message = "policies do not judge egress, so its egress has no effect (directions: ingress-only)"
        yield warning(policy, "spec.egress", message, "egress-not-judged")
    if settings.sctp == "drop":
        yield from _dropped_sctp(policy)
    if settings.ip_block_nodes == "ignore":
        yield from _blocks_of_nodes(cluster, policy)


def _rules(policy: NetworkPolicy) -> tuple[Rule, ...]:
    return (*policy.rules("ingress"), *policy.rules("egress"))


def _dropped_sctp(policy: NetworkPolicy) -> Iterator[Problem]:
    for rule in _rules(policy):
        for number, port in enumerate(rule.ports):
            if port.protocol == "SCTP":
                path = f"{rule.path}.ports[{number}]"
                yield warning(policy, path, "all SCTP of pods is dropped (sctp: drop)", "sctp-dropped")


def _blocks_of_nodes(cluster: Cluster, policy: NetworkPolicy) -> Iterator[Problem]:
    for rule in _rules(policy):
        for number, peer in enumerate(rule.peers):
            block = peer.ip_block
            if block is None or block.cidr.num_addresses > 1 or not is_node_address(cluster, block.cidr[0]):
                continue
            message = f"{block.cidr} matches nothing: it is a node's address (ipBlockNodes: ignore)"
            yield warning(policy, f"{peer_path(rule, number)}.ipBlock", message, "block-of-node")
