"""A Service's address in an ipBlock."""

from netlab.policy.lint.rule import Rule

RULE = Rule(
    "service-address",
    "warning",
    "a Service's address in an ipBlock",
    what="An ipBlock is the ClusterIP, an external IP or a load balancer's address of a Service, or a part of the"
    " service range.",
    why="Nodes translate such an address before policies see the packet. The ipBlock matches nothing.",
    fix="select the Service's pods, or write the addresses of its endpoints",
    objects="""\
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
---
apiVersion: v1
kind: Pod
metadata: {name: db, namespace: shop, labels: {app: db}}
---
apiVersion: v1
kind: Service
metadata: {name: db, namespace: shop}
spec:
  clusterIP: 10.96.0.20
  selector: {app: db}
  ports: [{port: 5432}]
""",
    fires="""\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  policyTypes: [Egress]
  egress:
  - to: [{ipBlock: {cidr: 10.96.0.20/32}}]
  - ports: [{port: 53, protocol: UDP}, {port: 53}]
""",
    clean="""\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  policyTypes: [Egress]
  egress:
  - to: [{podSelector: {matchLabels: {app: db}}}]
  - ports: [{port: 53, protocol: UDP}, {port: 53}]
""",
    checks=("service-address",),
)
