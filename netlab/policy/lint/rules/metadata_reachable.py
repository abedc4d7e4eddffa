"""An egress rule that allows the metadata service of a cloud."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import ip_address

from netlab.cluster.flows import Flow
from netlab.cluster.types import Cluster, Pod
from netlab.objects.policies import Rule as PolicyRule
from netlab.objects.types import Address, Protocol
from netlab.policy.lint.given import Given
from netlab.policy.lint.rule import Found, Rule, found
from netlab.policy.matched_pods import pods_selected
from netlab.policy.matching import peer_path, ports_mismatch_text
from netlab.policy.tiers import tier_of

# All large clouds have the first one, AWS the second one too.
_METADATA: tuple[Address, ...] = (ip_address("169.254.169.254"), ip_address("fd00:ec2::254"))
_PROTOCOL: Protocol = "TCP"
_PORT = 80


def _find(given: Given) -> Iterator[Found]:
    asked = [one for one in _METADATA if one.version in given.cluster.families]
    for policy, direction, rule in given.rules():
        if direction == "ingress" or ports_mismatch_text(rule, None, _PROTOCOL, _PORT):
            continue
        pods = pods_selected(given.cluster, policy)
        if not pods:
            continue
        for address in asked:
            path = _allows(rule, address)
            if path and not _denied_by_admin(given.cluster, pods, address):
                yield found(policy, path, f"allows {address}, the address of a cloud's metadata service, on port 80")


def _denied_by_admin(cluster: Cluster, pods: Sequence[Pod], address: Address) -> bool:
    """Say whether the tier Admin denies all pods an address."""
    if not cluster.cluster_policies:
        return False
    tier = tier_of("Admin")
    flows = ((pod, Flow(pod, None, address.version, _PROTOCOL, _PORT, address)) for pod in pods)
    return all(tier.judge(cluster, "egress", pod, None, address, flow).action == "deny" for pod, flow in flows)


def _allows(rule: PolicyRule, address: Address) -> str:
    """Return the path of what allows an address, "" if nothing does. A block of this address only is meant."""
    if not rule.peers:
        return rule.path
    for number, peer in enumerate(rule.peers):
        block = peer.ip_block
        if block is not None and block.contains(address) and block.cidr.num_addresses > 1:
            return f"{peer_path(rule, number)}.ipBlock"
    return ""


RULE = Rule(
    "metadata-reachable",
    "warning",
    "an egress rule allows a cloud's metadata service",
    what="An egress rule allows 169.254.169.254 on port 80 of TCP, by an ipBlock or because the rule has no `to`. If"
    " pods have IPv6 addresses, fd00:ec2::254 counts too. An ipBlock with this address only is meant, and is no"
    " finding. Pods that no policy isolates for egress reach the address too; `no-default-deny` finds these."
    " If a cluster-wide policy of the tier Admin denies the address to all pods of the policy, there is no finding.",
    why="The service returns credentials of the node. One request that an attacker makes a pod send is enough.",
    fix="add 169.254.169.254/32 (or fd00:ec2::254/128) to except, or list the destinations",
    objects="""\
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
""",
    fires="""\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  policyTypes: [Egress]
  egress:
  - to: [{ipBlock: {cidr: 0.0.0.0/0, except: [10.0.0.0/8]}}]
""",
    clean="""\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  policyTypes: [Egress]
  egress:
  - to: [{ipBlock: {cidr: 0.0.0.0/0, except: [10.0.0.0/8, 169.254.0.0/16]}}]
""",
    find=_find,
)
