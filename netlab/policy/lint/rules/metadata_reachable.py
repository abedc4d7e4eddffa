"""An egress rule that allows the metadata service of a cloud."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

from netlab.objects.policies import Rule as PolicyRule
from netlab.objects.types import Address
from netlab.policy.lint.given import Given
from netlab.policy.lint.rule import Found, Rule, found
from netlab.policy.matched_pods import pods_selected
from netlab.policy.matching import peer_path, ports_mismatch_text

# All large clouds have the first one, AWS the second one too.
_METADATA: tuple[Address, ...] = (ip_address("169.254.169.254"), ip_address("fd00:ec2::254"))
_PROTOCOL, _PORT = "TCP", 80


def _find(given: Given) -> Iterator[Found]:
    asked = [one for one in _METADATA if one.version in given.cluster.families]
    for policy, direction, rule in given.rules():
        if direction == "ingress" or ports_mismatch_text(rule, None, _PROTOCOL, _PORT):
            continue
        if not pods_selected(given.cluster, policy):
            continue
        for address in asked:
            path = _allows(rule, address)
            if path:
                yield found(policy, path, f"allows {address}, the address of a cloud's metadata service, on port 80")


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
    " finding. Pods that no policy isolates for egress reach the address too; `no-default-deny` finds these.",
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
