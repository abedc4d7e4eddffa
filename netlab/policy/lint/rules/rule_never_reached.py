"""A rule of a cluster-wide policy that decides nothing."""

from netlab.policy.lint.rule import Rule

RULE = Rule(
    "rule-never-reached",
    "warning",
    "a rule of a cluster-wide policy that is never reached",
    what="One earlier rule, of the same policy or of one with a higher precedence in its tier, matches all that the"
    " rule matches. Or NetworkPolicies isolate each pod that a policy of tier Baseline selects.",
    why="The first rule that matches decides, and a NetworkPolicy decides before tier Baseline. The rule looks as if"
    " it had an effect.",
    fix="remove it, or move it up",
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
  - {action: Deny, from: [{namespaces: {}}]}
  - {action: Accept, from: [{pods: {podSelector: {matchLabels: {app: web}}}}]}
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
  - {action: Accept, from: [{pods: {podSelector: {matchLabels: {app: web}}}}]}
  - {action: Deny, from: [{namespaces: {}}]}
""",
    checks=("never-reached",),
)
