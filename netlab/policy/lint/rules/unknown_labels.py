"""A selector reads labels that the input does not have."""

from netlab.policy.lint.rule import Rule

RULE = Rule(
    "unknown-labels",
    "info",
    "a selector reads labels that the input does not have",
    what="A selector reads labels of a namespace that the input does not declare, or a label whose value a"
    " controller sets (`pod-template-hash`). netlab assumes that the namespace has no such label, and that no"
    " selector has the value.",
    why="The verdict on the cluster may differ from netlab's.",
    fix="add the namespaces to the input, as kubectl get namespaces -o yaml prints them",
    objects="""\
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
---
apiVersion: v1
kind: Pod
metadata: {name: prometheus, namespace: ops, labels: {app: prometheus}}
---
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
    fires="""\
apiVersion: v1
kind: Namespace
metadata: {name: shop}
""",
    clean="""\
apiVersion: v1
kind: Namespace
metadata: {name: ops, labels: {team: ops}}
""",
    checks=(
        "unknown-namespace-labels",
        "unknown-controller-labels",
    ),
)
