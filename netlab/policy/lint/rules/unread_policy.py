"""A policy of a kind that netlab does not evaluate."""

from netlab.policy.lint.rule import Rule

RULE = Rule(
    "unread-policy",
    "warning",
    "a policy of a kind that netlab does not evaluate",
    what="The input has a policy of Cilium, Calico, Istio or another API that decides about traffic and that netlab"
    " does not evaluate.",
    why="Verdicts of pairs that it could change are unknown. No other rule reads the policy.",
    fix="check by other means what it does, or leave the kind out with --ignore KIND",
    objects="""\
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
""",
    fires="""\
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  endpointSelector: {matchLabels: {app: web}}
  ingress: [{fromEndpoints: [{matchLabels: {app: db}}]}]
""",
    clean="""\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  ingress:
  - from: [{podSelector: {}}]
""",
    checks=("unread-policy",),
)
