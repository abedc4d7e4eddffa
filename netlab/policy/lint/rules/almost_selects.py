"""A policy selects all but one label of a pod that no policy selects."""

from netlab.policy.lint.rule import Rule

RULE = Rule(
    "almost-selects",
    "warning",
    "a policy misses a pod by one label",
    what="A pod fails exactly one requirement of the policy's `podSelector`, which has several: a label is missing,"
    " or a value looks misspelt. No policy selects the pod in that direction.",
    why="The pod is open, although it seems to belong to the pods that the policy protects.",
    fix="if the policy should select the pod, give the pod the label",
    objects="""\
apiVersion: v1
kind: Pod
metadata: {name: db-0, namespace: shop, labels: {app: db, tier: back}}
""",
    fires="""\
apiVersion: v1
kind: Pod
metadata: {name: db-1, namespace: shop, labels: {app: db}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db, namespace: shop}
spec:
  podSelector: {matchLabels: {app: db, tier: back}}
  ingress: []
""",
    clean="""\
apiVersion: v1
kind: Pod
metadata: {name: db-1, namespace: shop, labels: {app: db, tier: back}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db, namespace: shop}
spec:
  podSelector: {matchLabels: {app: db, tier: back}}
  ingress: []
""",
    checks=("almost-selects",),
)
