"""A policy without effect beside one that allows all."""

from netlab.policy.lint.rule import Rule

RULE = Rule(
    "no-effect",
    "warning",
    "a policy without effect beside one that allows all",
    what="Every pod that the policy selects is also selected by policies that allow everything in the same direction.",
    why="Policies are a union. One that allows all undoes every other, default denies too.",
    fix="narrow the policy that allows all, or remove this one",
    objects="""\
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
""",
    fires="""\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: default-deny, namespace: shop}
spec:
  podSelector: {}
  ingress: []
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: allow-all, namespace: shop}
spec:
  podSelector: {}
  ingress: [{}]
""",
    clean="""\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: default-deny, namespace: shop}
spec:
  podSelector: {}
  ingress: []
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: allow-own, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  ingress:
  - from: [{podSelector: {}}]
""",
    checks=("no-effect",),
)
