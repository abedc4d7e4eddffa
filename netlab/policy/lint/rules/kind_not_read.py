"""A kind whose name is close to one that netlab reads."""

from netlab.policy.lint.rule import Rule

RULE = Rule(
    "kind-not-read",
    "warning",
    "a kind whose name is close to one that netlab reads",
    what="An object has a kind that netlab does not read and whose name is close to one that it reads.",
    why="The object is skipped. If the name is misspelt, a cluster refuses it.",
    fix="write the kind that the message names",
    objects="""\
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
""",
    fires="""\
apiVersion: v1
kind: Deploymnet
metadata: {name: db, namespace: shop}
""",
    clean="""\
apiVersion: apps/v1
kind: Deployment
metadata: {name: db, namespace: shop}
spec:
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: db, image: postgres}]}
""",
    checks=("kind-not-read",),
)
