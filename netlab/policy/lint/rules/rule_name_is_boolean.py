"""A rule of a cluster-wide policy whose name is a boolean."""

from netlab.policy.lint.rule import Rule

RULE = Rule(
    "rule-name-is-boolean",
    "warning",
    "a rule of a cluster-wide policy whose name is a boolean",
    what="The `name` of a rule is `no`, `yes`, `on`, `off`, `y`, `n`, `true` or `false` without quotes.",
    why="YAML reads the word as a boolean, and an API server refuses it. The name decides nothing, so netlab reads the"
    " policy.",
    fix="put the name in quotes",
    objects="""\
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
""",
    fires="""\
apiVersion: policy.networking.k8s.io/v1beta1
kind: ClusterNetworkPolicy
metadata: {name: closed}
spec:
  tier: Admin
  priority: 10
  subject: {namespaces: {}}
  ingress:
  - {name: no, action: Deny, from: [{namespaces: {}}]}
""",
    clean="""\
apiVersion: policy.networking.k8s.io/v1beta1
kind: ClusterNetworkPolicy
metadata: {name: closed}
spec:
  tier: Admin
  priority: 10
  subject: {namespaces: {}}
  ingress:
  - {name: "no", action: Deny, from: [{namespaces: {}}]}
""",
    checks=("rule-name-no-string",),
)
