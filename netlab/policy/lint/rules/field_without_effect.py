"""A field or an annotation without an effect."""

from netlab.policy.lint.rule import Rule

RULE = Rule(
    "field-without-effect",
    "warning",
    "a field or an annotation without an effect",
    what="Kubernetes ignores a field of a Service or a Namespace, or netlab does not apply an annotation of an"
    " Ingress.",
    why="The field or the annotation does nothing.",
    fix="remove it, or write a field that has the effect",
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
