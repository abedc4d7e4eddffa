"""Two items of ``from`` or ``to`` where one item with both selectors was likely meant."""

from __future__ import annotations

from collections.abc import Iterator

from netlab.cluster.types import Cluster
from netlab.objects.policies import NetworkPolicy, Peer
from netlab.objects.policies import Rule as PolicyRule
from netlab.objects.selectors import LabelSelector
from netlab.policy.dns import only_dns
from netlab.policy.lint.given import Given
from netlab.policy.lint.rule import Found, Rule, found
from netlab.policy.matched_pods import namespaces_matched, pods_matched
from netlab.policy.matching import field_of

_EVERYTHING = LabelSelector()


def _find(given: Given) -> Iterator[Found]:
    for policy, _, rule in given.rules():
        for at, (first, second) in enumerate(zip(rule.peers, rule.peers[1:], strict=False)):
            spaces, pods = (first, second) if _is_space(first) else (second, first)
            if not (_is_space(spaces) and _is_pods(pods)):
                continue
            why = _why(given.cluster, policy, rule, spaces, pods)
            if why:
                field, number = field_of(rule), at if spaces is first else at + 1
                message = f"{field}[{at}] and {field}[{at + 1}] are two peers: {field}[{number}] {why}"
                yield found(policy, f"{rule.path}.{field}[{at}]", message)


def _why(cluster: Cluster, policy: NetworkPolicy, rule: PolicyRule, spaces: Peer, pods: Peer) -> str:
    """Return why one peer with the selectors of both was likely meant, "" if it was not."""
    own, selector = policy.meta.namespace, pods.pod_selector
    both = pods_matched(cluster, policy, Peer(selector, spaces.namespace_selector))
    if both and own in namespaces_matched(cluster, policy, spaces):
        return f"matches all pods of namespace {own!r} already, so the other item adds nothing"
    if pods_matched(cluster, policy, pods):
        return ""
    if both:
        return (
            f"matches every pod of its namespaces; pods there have {selector}, and no pod of namespace {own!r} has it"
        )
    # Inputs often have no pods of DNS.
    if only_dns(cluster, rule):
        return (
            f"matches every pod of its namespaces; no pod of namespace {own!r} has {selector}, and DNS pods may have it"
        )
    return ""


def _is_space(peer: Peer) -> bool:
    return peer.namespace_selector is not None and peer.pod_selector is None


def _is_pods(peer: Peer) -> bool:
    selector = peer.pod_selector
    return peer.namespace_selector is None and selector is not None and selector != _EVERYTHING


RULE = Rule(
    "and-or-slip",
    "warning",
    "two peers where one peer with both selectors was probably meant",
    what="An item with a `namespaceSelector` and an item with a `podSelector` are side by side. Some pods match both"
    " selectors, and the item with the `podSelector` adds nothing by itself: it matches no pod of the policy's"
    " namespace, or the other item matches all of its pods. If the input has no DNS pods, the selectors of a rule"
    " with DNS ports count as matching.",
    why="Two items are two peers, and a pod needs to match one of them only. So all pods of the namespaces get"
    " through, and probably only some of them were meant.",
    fix="make it one item: remove the dash before the second selector",
    objects="""\
apiVersion: v1
kind: Namespace
metadata: {name: ops, labels: {team: ops}}
---
apiVersion: v1
kind: Pod
metadata: {name: prometheus, namespace: ops, labels: {app: prometheus}}
---
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
  ingress:
  - from:
    - namespaceSelector: {matchLabels: {team: ops}}
    - podSelector: {matchLabels: {app: prometheus}}
""",
    clean="""\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  ingress:
  - from:
    - namespaceSelector: {matchLabels: {team: ops}}
      podSelector: {matchLabels: {app: prometheus}}
""",
    find=_find,
)
