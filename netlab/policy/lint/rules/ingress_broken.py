"""An Ingress, or a part of it, is not served."""

from netlab.policy.lint.rule import Rule

RULE = Rule(
    "ingress-broken",
    "warning",
    "an Ingress, or a part of it, is not served",
    what="An Ingress has a class that no controller serves, a host that is no DNS name, a path that another Ingress"
    " has, a backend that does not exist, or no certificate.",
    why="Requests get an error, or the answer of another backend.",
    fix="write the class, the host, the Service or the Secret that exists",
    objects="""\
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec:
  selector: {app: web}
  ports: [{port: 80}]
""",
    fires="""\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, namespace: shop}
spec:
  rules:
  - host: shop.example
    http:
      paths: [{path: /, pathType: Prefix, backend: {service: {name: wbe, port: {number: 80}}}}]
""",
    clean="""\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, namespace: shop}
spec:
  rules:
  - host: shop.example
    http:
      paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]
""",
    checks=(
        "ingress-class",
        "ingress-host",
        "ingress-conflict",
        "ingress-path",
        "ingress-backend",
        "ingress-tls",
        "default-classes",
        "no-certificate",
        "no-pem",
    ),
)
