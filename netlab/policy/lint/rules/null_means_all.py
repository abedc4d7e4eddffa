"""A field without a value selects everything."""

from netlab.policy.lint.rule import Rule

RULE = Rule(
    "null-means-all",
    "warning",
    "a field without a value selects everything",
    what="A field of a NetworkPolicy is null: `podSelector:` or `from:` without a value. Templates make such fields"
    " when a value is missing.",
    why="Null means the same as no field, which selects everything.",
    fix="give the field a value, or leave it out",
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
  podSelector:
  ingress: []
""",
    clean="""\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {}
  ingress: []
""",
    checks=("null-means-all",),
)
