"""Rules of a direction that ``policyTypes`` does not have."""

from netlab.policy.lint.rule import Rule

RULE = Rule(
    "rules-without-type",
    "error",
    "rules of a direction that policyTypes does not have",
    what="The policy has `ingress` or `egress` rules, and its `policyTypes` does not list that direction.",
    why="The rules have no effect, and the policy does not isolate its pods in that direction: everything passes.",
    fix="add the direction to policyTypes, or remove the rules",
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
  policyTypes: [Ingress]
  egress:
  - ports: [{port: 443}]
""",
    clean="""\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  policyTypes: [Ingress, Egress]
  egress:
  - ports: [{port: 443}]
""",
    checks=("rules-without-type",),
)
