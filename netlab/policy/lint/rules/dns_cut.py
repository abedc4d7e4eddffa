"""A policy cuts pods off from DNS."""

from netlab.policy.lint.rule import Rule

RULE = Rule(
    "dns-cut",
    "warning",
    "a policy cuts pods off from DNS",
    what="A policy isolates pods for egress, and no rule allows DNS to them: port 53 of the DNS pods, by UDP and TCP."
    " If the input has no DNS pods, a rule with port 53 is enough. What a cluster-wide policy of the tier Admin accepts"
    " is allowed. A rule of such a policy, or of the tier Baseline, that denies pods their queries to all DNS pods is a"
    " finding too.",
    why="The pods cannot resolve names, so almost every connection fails, often only after a timeout.",
    fix="allow 53/UDP and 53/TCP to the DNS pods under spec.egress",
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
  policyTypes: [Egress]
  egress:
  - ports: [{port: 443}]
""",
    clean="""\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  policyTypes: [Egress]
  egress:
  - ports: [{port: 443}]
  - ports: [{port: 53, protocol: UDP}, {port: 53, protocol: TCP}]
""",
    checks=("dns-cut",),
)
