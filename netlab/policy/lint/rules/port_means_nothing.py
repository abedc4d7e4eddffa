"""A port of an AdminNetworkPolicy that its CRD accepts and that matches no packet."""

from netlab.policy.lint.rule import Rule

RULE = Rule(
    "port-means-nothing",
    "warning",
    "a port of an AdminNetworkPolicy that no packet has",
    what="An item of `ports` has another protocol than TCP, UDP and SCTP, or its `start` is greater than its `end`."
    " Version v1alpha1 accepts both.",
    why="A range that is empty matches nothing. A protocol without a meaning makes the whole rule fail closed: a rule"
    " that denies or passes denies everything, and a rule that allows matches nothing.",
    fix="write TCP, UDP or SCTP and the numbers in order; a rule without ports matches ICMP",
    objects="""\
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
""",
    fires="""\
apiVersion: policy.networking.k8s.io/v1alpha1
kind: AdminNetworkPolicy
metadata: {name: no-ping}
spec:
  priority: 10
  subject: {namespaces: {}}
  ingress:
  - {action: Deny, from: [{namespaces: {}}], ports: [{portNumber: {protocol: ICMP, port: 1}}]}
""",
    clean="""\
apiVersion: policy.networking.k8s.io/v1alpha1
kind: AdminNetworkPolicy
metadata: {name: no-ping}
spec:
  priority: 10
  subject: {namespaces: {}}
  ingress:
  - {action: Allow, from: [{namespaces: {}}], ports: [{portRange: {protocol: TCP, start: 1, end: 65535}}]}
  - {action: Deny, from: [{namespaces: {}}]}
""",
    checks=("unknown-protocol", "empty-port-range"),
)
