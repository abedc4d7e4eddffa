"""Two items of ``from`` or ``to`` where one item with both selectors was likely meant."""

from __future__ import annotations

from collections.abc import Iterator

from netlab.objects.policies import Peer
from netlab.objects.selectors import LabelSelector
from netlab.policy.lint.given import Given
from netlab.policy.lint.rule import Found, Rule, found
from netlab.policy.matched_pods import namespaces_matched, pods_matched
from netlab.policy.matching import field_of

_EVERYTHING = LabelSelector()


def _find(given: Given) -> Iterator[Found]:
    cluster = given.cluster
    for policy, _, rule in given.rules():
        for at, (first, second) in enumerate(zip(rule.peers, rule.peers[1:], strict=False)):
            spaces, pods = (first, second) if _is_space(first) else (second, first)
            if not (_is_space(spaces) and _is_pods(pods)):
                continue
            both = Peer(pods.pod_selector, spaces.namespace_selector)
            wide = policy.meta.namespace in namespaces_matched(cluster, policy, spaces)
            if not pods_matched(cluster, policy, both) or (pods_matched(cluster, policy, pods) and not wide):
                continue
            why = (
                f"already has the namespace {policy.meta.namespace!r}, so the other item adds nothing"
                if wide
                else f"has every pod of its namespaces, and no pod of namespace {policy.meta.namespace!r} has"
                f" {pods.pod_selector}, which pods of those namespaces have"
            )
            field, number = field_of(rule), at if spaces is first else at + 1
            path = f"{rule.path}.{field}[{at}]"
            message = f"{field}[{at}] and {field}[{at + 1}] are two peers: {field}[{number}] {why}"
            yield found(policy, path, message)


def _is_space(peer: Peer) -> bool:
    return peer.namespace_selector is not None and peer.pod_selector is None


def _is_pods(peer: Peer) -> bool:
    selector = peer.pod_selector
    return peer.namespace_selector is None and selector is not None and selector != _EVERYTHING


RULE = Rule(
    "and-or-slip",
    "warning",
    "two peers where one with both selectors was likely meant",
    what="An item with a `namespaceSelector` and an item with a `podSelector` are side by side. Pods match both"
    " selectors together, and the item with the `podSelector` adds nothing by itself: it matches no pod of the policy's"
    " namespace, or the other item has all of them.",
    why="Two items are two peers, and either is enough. So every pod of the namespaces gets through, where only some"
    " pods of them were meant.",
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
