"""A Service or one of its ports has no endpoints."""

from netlab.policy.lint.rule import Rule

RULE = Rule(
    "service-without-endpoints",
    "warning",
    "a Service or one of its ports has no endpoints",
    what="No pod of the namespace has the labels of the Service's selector, or none of its pods has a container port"
    " with the name of `targetPort`.",
    why="Connections to the Service are refused, whatever policies say.",
    fix="write the labels or the port that the pods have",
    objects="""\
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
""",
    fires="""\
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec:
  selector: {app: wbe}
  ports: [{port: 80}]
""",
    clean="""\
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec:
  selector: {app: web}
  ports: [{port: 80}]
""",
    checks=(
        "service-without-pods",
        "service-port-name",
    ),
)
