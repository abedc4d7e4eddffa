"""A named port that no destination has."""

from netlab.policy.lint.rule import Rule

RULE = Rule(
    "unknown-port-name",
    "warning",
    "a named port that no pod has",
    what="An item of `ports` has a name, and no pod that the rule is about has a container port with this name and"
    " protocol. Of an ingress rule these are the pods that the policy selects, of an egress rule the pods of its"
    " peers.",
    why="The item allows nothing. A name with another protocol does not count.",
    fix="name the container port so, or write its number",
    objects="""\
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
spec:
  containers:
  - {name: web, image: nginx, ports: [{name: http, containerPort: 8080}]}
""",
    fires="""\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  ingress:
  - ports: [{port: web}]
""",
    clean="""\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  ingress:
  - ports: [{port: http}]
""",
    checks=("unknown-port-name", "port-name-never-matches"),
)
