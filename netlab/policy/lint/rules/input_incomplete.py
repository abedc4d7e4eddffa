"""A part of the input was not read."""

from netlab.policy.lint.rule import Rule

RULE = Rule(
    "input-incomplete",
    "warning",
    "a part of the input was not read",
    what="A list is not complete (`kubectl get --chunk-size` or an API client cut it off), or files below a folder"
    " were skipped: Helm templates, kustomizations, linked folders, files without objects.",
    why="Objects are missing, so other findings may be wrong or missing.",
    fix="read whole lists, and the output of helm template or kustomize build",
    objects="",
    fires="""\
apiVersion: v1
kind: List
metadata: {remainingItemCount: 5}
items:
- apiVersion: v1
  kind: Pod
  metadata: {name: web, namespace: shop}
""",
    clean="""\
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Pod
  metadata: {name: web, namespace: shop}
""",
    checks=(
        "list-cut-off",
        "passed-by",
        "links-not-followed",
    ),
)
