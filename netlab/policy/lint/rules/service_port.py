"""A Service's port where the pod's port is meant."""

from netlab.policy.lint.rule import Rule

RULE = Rule(
    "service-port",
    "warning",
    "a Service's port where the pod's port is meant",
    what="A rule lists the port of a Service, and the pods behind the Service listen on another port (`targetPort`).",
    why="Policies see packets after the Service's address is translated. So the rule allows nothing of the Service.",
    fix="write the port on which the pods listen",
    objects="""\
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
spec:
  containers:
  - {name: web, image: nginx, ports: [{containerPort: 8080}]}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec:
  selector: {app: web}
  ports: [{port: 80, targetPort: 8080}]
""",
    fires="""\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  ingress:
  - ports: [{port: 80}]
""",
    clean="""\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  ingress:
  - ports: [{port: 8080}]
""",
    checks=("service-port",),
)
