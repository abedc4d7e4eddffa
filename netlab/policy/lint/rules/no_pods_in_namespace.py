"""A policy in a namespace without pods."""

from netlab.policy.lint.rule import Rule

RULE = Rule(
    "no-pods-in-namespace",
    "warning",
    "a policy in a namespace without pods",
    what="The input has no pod in the policy's namespace. Other rules skip such a policy, as their findings would"
    " have the same cause.",
    why="The policy does nothing here. Either the input lacks the workloads, or the namespace is misspelt.",
    fix="add the namespace's workloads to the input, or write the right namespace",
    objects="""\
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
""",
    fires="""\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shpo}
spec:
  podSelector: {matchLabels: {app: web}}
  ingress: []
""",
    clean="""\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  ingress: []
""",
    checks=("no-pods-in-namespace",),
)
