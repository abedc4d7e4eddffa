"""A workload that makes no pods."""

from netlab.policy.lint.rule import Rule

RULE = Rule(
    "workload-without-pods",
    "warning",
    "a workload that makes no pods",
    what="No node has the labels that a DaemonSet asks for, or a CronJob's template has the label of a Job's name.",
    why="A cluster runs no pod of the workload.",
    fix="write labels that nodes have, or remove the label from the template",
    objects="""\
apiVersion: v1
kind: Node
metadata: {name: one}
""",
    fires="""\
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent, namespace: ops}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec: {nodeSelector: {disk: ssd}, containers: [{name: agent, image: agent}]}
""",
    clean="""\
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent, namespace: ops}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec: {containers: [{name: agent, image: agent}]}
""",
    checks=(
        "daemonset-without-pods",
        "job-name-of-cronjob",
    ),
)
