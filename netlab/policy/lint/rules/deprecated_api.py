"""A version or a field that Kubernetes retires."""

from netlab.policy.lint.rule import Rule

RULE = Rule(
    "deprecated-api",
    "warning",
    "a version or a field that Kubernetes removes",
    what="An object is written in a version that Kubernetes no longer serves, or has a field that is deprecated. For"
    " each such version, only the first object is named. A NetworkPolicy of such a version is an error of the"
    " input.",
    why="A current cluster refuses the version, and may ignore the field.",
    fix="write the version or the field that the message names",
    objects="",
    fires="""\
apiVersion: extensions/v1beta1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: nginx}]}
""",
    clean="""\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: nginx}]}
""",
    checks=(
        "retired-version",
        "deprecated-field",
    ),
)
