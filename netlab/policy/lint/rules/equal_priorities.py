"""Cluster-wide policies of one priority that decide differently."""

from netlab.policy.lint.rule import Rule

RULE = Rule(
    "equal-priorities",
    "warning",
    "cluster-wide policies of one priority that decide differently about one flow",
    what="Two policies of one tier have the same priority, and rules of both match a flow of the lab first, with"
    " different actions.",
    why="The API does not define which of them decides. netlab and some implementations take them by name; others may"
    " not.",
    fix="give them different priorities",
    objects="""\
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop}
---
apiVersion: v1
kind: Pod
metadata: {name: db, namespace: shop}
---
apiVersion: policy.networking.k8s.io/v1beta1
kind: ClusterNetworkPolicy
metadata: {name: closed}
spec:
  tier: Admin
  priority: 10
  subject: {namespaces: {}}
  ingress:
  - {action: Deny, from: [{namespaces: {}}]}
""",
    fires="""\
apiVersion: policy.networking.k8s.io/v1beta1
kind: ClusterNetworkPolicy
metadata: {name: open}
spec:
  tier: Admin
  priority: 10
  subject: {namespaces: {}}
  ingress:
  - {action: Accept, from: [{namespaces: {}}], protocols: [{tcp: {destinationPort: {number: 80}}}]}
""",
    clean="""\
apiVersion: policy.networking.k8s.io/v1beta1
kind: ClusterNetworkPolicy
metadata: {name: open}
spec:
  tier: Admin
  priority: 9
  subject: {namespaces: {}}
  ingress:
  - {action: Accept, from: [{namespaces: {}}], protocols: [{tcp: {destinationPort: {number: 80}}}]}
""",
    checks=("equal-priorities",),
)
