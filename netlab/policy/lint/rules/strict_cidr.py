"""A CIDR or an address that strict validation refuses."""

from netlab.policy.lint.rule import Rule

RULE = Rule(
    "strict-cidr",
    "warning",
    "a CIDR or an address that strict validation refuses",
    what="A CIDR has bits beyond its length, leading zeros, or an IPv4-mapped IPv6 address; or an address is not in"
    " its usual form.",
    why="Servers of Kubernetes 1.35 and older accept them. Newer ones refuse them in new objects, and some CNIs read"
    " them in another way.",
    fix="write the CIDR or the address as the message says",
    objects="""\
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
---
apiVersion: netlab/v1alpha1
kind: Topology
spec: {kubernetesVersion: "1.35"}
""",
    fires="""\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  ingress:
  - from: [{ipBlock: {cidr: 10.161.0.0/8}}]
""",
    clean="""\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  ingress:
  - from: [{ipBlock: {cidr: 10.161.0.0/16}}]
""",
    checks=(
        "unusual-cidr",
        "unusual-address",
    ),
)
