"""A peer that matches no pod."""

from netlab.policy.lint.rule import Rule

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
)
