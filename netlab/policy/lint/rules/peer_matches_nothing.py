"""A peer that matches no pod."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

from netlab.cluster.types import Cluster
from netlab.objects.policies import NetworkPolicy, Peer
from netlab.objects.selectors import LabelSelector
from netlab.policy.almost import SimilarLabels, almost_selects
from netlab.policy.lint.given import Given
from netlab.policy.lint.rule import Found, Rule
from netlab.policy.matched_pods import namespaces_matched, pods_by_namespace
from netlab.policy.matching import peer_path

# Sets of labels that are compared with one peer.
_MOST = 500


def _hint(given: Given, found: Found) -> str:
    """Name a pod or a namespace whose labels differ from the peer's in one place."""
    cluster, known = given.cluster, given.cluster.memo.setdefault("policy.lint.near", {})
    one = _peers(given).get((found.file, found.object, found.path))
    if one is None:
        return ""
    policy, peer = one
    key = (policy.meta.namespace if peer.namespace_selector is None else "", peer)
    if key not in known:
        known[key] = next(_near(cluster, policy, peer), "")
    near: str = known[key]
    return near


def _peers(given: Given) -> Mapping[tuple[str, str, str], tuple[NetworkPolicy, Peer]]:
    """Return every peer with selectors, by file, object and path."""
    known: dict[tuple[str, str, str], tuple[NetworkPolicy, Peer]] | None = given.cluster.memo.get("policy.lint.peers")
    if known is None:
        known = given.cluster.memo["policy.lint.peers"] = {
            (policy.source.file, f"NetworkPolicy {policy.meta.key}", peer_path(rule, at)): (
                policy,
                peer,
            )
            for policy, _, rule in given.rules()
            for at, peer in enumerate(rule.peers)
            if peer.ip_block is None
        }
    return known


def _near(cluster: Cluster, policy: NetworkPolicy, peer: Peer) -> Iterator[str]:
    spaces = namespaces_matched(cluster, policy, peer)
    if not spaces and peer.namespace_selector is not None:
        for name, labels in islice(cluster.namespaces.items(), _MOST):
            if why := almost_selects(peer.namespace_selector, labels):
                yield f"namespace {name} almost matches: {why}"
    if peer.pod_selector is not None:
        for ref, labels in _candidates(cluster, spaces, peer.pod_selector):
            if why := almost_selects(peer.pod_selector, labels):
                yield f"{ref} almost matches: {why}"


def _candidates(
    cluster: Cluster, spaces: tuple[str, ...], selector: LabelSelector
) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Yield the pods of some namespaces that a selector may almost select, with their labels."""
    known: dict[tuple[str, ...], tuple[list[tuple[str, Mapping[str, str]]], SimilarLabels]]
    known = cluster.memo.setdefault("policy.lint.similar", {})
    if spaces not in known:
        pods = [*islice(_labels(cluster, spaces), _MOST)]
        known[spaces] = pods, SimilarLabels([labels for _, labels in pods])
    pods, similar = known[spaces]
    if len(selector.match_labels) + len(selector.match_expressions) > 1:
        yield from pods
    else:
        yield from (pods[number] for number in similar.almost_selected(selector))


def _labels(cluster: Cluster, spaces: Iterable[str]) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Yield the first pod with each set of labels in some namespaces, and the labels."""
    known: dict[str, list[tuple[str, Mapping[str, str]]]] = cluster.memo.setdefault("policy.lint.labels", {})
    for name in spaces:
        if name not in known:
            pods = {frozenset(pod.labels.items()): pod for pod in reversed(pods_by_namespace(cluster).get(name, ()))}
            known[name] = [(pod.ref, pod.labels) for pod in reversed(pods.values())]
        yield from known[name]


RULE = Rule(
    "peer-matches-nothing",
    "warning",
    "a peer matches no pod",
    what="An item of `from` or `to` has selectors that match no pod of the input. Items that may mean pods outside of"
    " the input are left out: DNS, and namespaces whose labels the input does not have.",
    why="The rule allows less than it says. A peer without a `namespaceSelector` means pods of the policy's own"
    " namespace, which is often forgotten.",
    fix="write the labels of the peer's pods and of their namespace, or remove the item",
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
    checks=("peer-matches-nothing",),
    hint=_hint,
)
