"""A field or an annotation without an effect."""

from netlab.policy.lint.rule import Rule

RULE = Rule(
    "field-without-effect",
    "warning",
    "a field or an annotation without an effect",
    what="A field of a Service or a Namespace is ignored by Kubernetes, or an annotation of an Ingress is not obeyed"
    " by netlab.",
    why="What it says does not happen.",
    fix="remove it, or write what has the effect",
    objects="",
    fires="""\
apiVersion: v1
kind: Namespace
metadata:
  name: shop
  labels: {kubernetes.io/metadata.name: store}
""",
    clean="""\
apiVersion: v1
kind: Namespace
metadata:
  name: shop
  labels: {kubernetes.io/metadata.name: shop}
""",
    checks=(
        "field-without-effect",
        "namespace-label-overwritten",
        "annotation-not-read",
        "ingress-annotation",
        "beta-annotation",
    ),
)
