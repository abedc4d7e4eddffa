"""A policy that selects no pod."""

from netlab.policy.lint.rule import Rule

RULE = Rule(
    "selects-nothing",
    "warning",
    "a policy selects no pod",
    what="`spec.podSelector` matches no pod of the policy's namespace. If a pod lacks one label only, the message names"
    " the pod and the label.",
    why="The policy has no effect. The pods that it was written for may be open.",
    fix="write the labels that the pods have, or remove the policy",
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
  podSelector: {matchLabels: {app: wbe}}
  ingress: []
""",
    clean="""\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  ingress: []
""",
    checks=("selects-nothing",),
)
