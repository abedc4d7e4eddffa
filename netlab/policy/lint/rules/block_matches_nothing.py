"""An ipBlock whose excepts are all of it."""

from netlab.policy.lint.rule import Rule

RULE = Rule(
    "block-matches-nothing",
    "error",
    "an ipBlock whose except excludes all of it",
    what="The ranges of `except` together are the whole `cidr`.",
    why="The peer matches no address, so the rule allows nothing by it.",
    fix="remove the ranges that should be allowed from except",
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
  ingress:
  - from: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.0.0.0/9, 10.128.0.0/9]}}]
""",
    clean="""\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  ingress:
  - from: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.128.0.0/9]}}]
""",
    checks=("block-matches-nothing",),
)
