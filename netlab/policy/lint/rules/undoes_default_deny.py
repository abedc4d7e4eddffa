"""A policy that allows all beside a default deny."""

from __future__ import annotations

from collections.abc import Iterator

from netlab.cluster.types import Cluster
from netlab.objects.policies import NetworkPolicy
from netlab.objects.policies import Rule as PolicyRule
from netlab.objects.types import DIRECTIONS, Direction
from netlab.policy.lint.covers import selects_all
from netlab.policy.lint.given import Given
from netlab.policy.lint.rule import Found, Rule, found
from netlab.policy.matched_pods import pods_by_namespace, pods_selected


def _find(given: Given) -> Iterator[Found]:
    denies: dict[tuple[str, Direction], NetworkPolicy] = {}
    for policy in given.policies:
        for direction in DIRECTIONS:
            if policy.isolates(direction) and not policy.rules(direction) and selects_all(policy.pod_selector):
                denies.setdefault((policy.meta.namespace, direction), policy)
    for policy, direction, rule in given.rules():
        deny = denies.get((policy.meta.namespace, direction))
        if deny is None or not _allows_all(given.cluster, rule):
            continue
        if selects_all(policy.pod_selector):
            pods = "all pods of the namespace"
        elif _selects_each_pod(given.cluster, policy):
            pods = "all pods that the namespace has"
        else:
            continue
        yield found(
            policy, rule.path, f"allows all {direction} of {pods}, so the default deny {deny.meta.key} has no effect"
        )


def _selects_each_pod(cluster: Cluster, policy: NetworkPolicy) -> bool:
    """Say whether a policy selects all pods that its namespace has today."""
    here = [pod for pod in pods_by_namespace(cluster)[policy.meta.namespace] if pod.selectable]
    return len(pods_selected(cluster, policy)) == len(here) > 0


def _allows_all(cluster: Cluster, rule: PolicyRule) -> bool:
    """Say whether a rule allows everything: it has no ports, and no peers or blocks with all addresses."""
    if rule.ports:
        return False
    if not rule.peers:
        return True
    settings = cluster.policy
    if settings.ip_block_pods == "ignore" or settings.ip_block_nodes == "ignore":
        return False
    blocks = [peer.ip_block for peer in rule.peers if peer.ip_block is not None]
    whole = {block.cidr.version for block in blocks if not block.cidr.prefixlen and not block.excepts}
    return whole >= {*cluster.families}


RULE = Rule(
    "undoes-default-deny",
    "warning",
    "a policy that makes a default deny useless",
    what="A namespace has a default deny: a policy without rules for all pods. Another policy allows everything in"
    " the same direction, to all pods of the namespace. `no-effect` finds the default deny. This rule finds the"
    " other policy.",
    why="Policies are a union. The namespace looks isolated, and nothing is denied.",
    fix="list the peers and ports that are needed, or narrow spec.podSelector",
    objects="""\
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
---
apiVersion: v1
kind: Pod
metadata: {name: db, namespace: shop, labels: {app: db}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: default-deny, namespace: shop}
spec:
  podSelector: {}
  policyTypes: [Ingress]
""",
    fires="""\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: open, namespace: shop}
spec:
  podSelector: {}
  ingress:
  - from: [{ipBlock: {cidr: 0.0.0.0/0}}]
""",
    clean="""\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: open, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  ingress:
  - from: [{ipBlock: {cidr: 0.0.0.0/0}}]
""",
    find=_find,
)
