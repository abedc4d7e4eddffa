"""A selector asks for a label that only the workload object has."""

from netlab.policy.lint.rule import Rule

RULE = Rule(
    "label-on-workload",
    "warning",
    "a selector asks for a label that only the workload object has",
    what="A selector of a policy requires a label that a Deployment or another workload has in its own"
    " `metadata.labels`, and that no pod of the namespace has.",
    why="Pods get their labels from the workload's template. Labels of the workload object are on no pod, so the"
    " selector does not match.",
    fix="add the label to the workload's template (spec.template.metadata.labels)",
    objects="",
    fires="""\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop, labels: {team: front}}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: nginx}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {matchLabels: {team: front}}
  ingress: []
""",
    clean="""\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop, labels: {team: front}}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web, team: front}}
    spec: {containers: [{name: web, image: nginx}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {matchLabels: {team: front}}
  ingress: []
""",
    checks=("label-on-workload",),
)
