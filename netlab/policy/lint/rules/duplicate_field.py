"""A field is written twice."""

from netlab.policy.lint.rule import Rule

RULE = Rule(
    "duplicate-field",
    "warning",
    "a field is written twice",
    what="A mapping of an object has one field twice. In a NetworkPolicy this is an error of the input.",
    why="The last one counts. The first one is lost, without a message of the API server.",
    fix="merge the two fields into one",
    objects="",
    fires="""\
apiVersion: v1
kind: Pod
metadata:
  name: web
  namespace: shop
  labels: {app: web}
  labels: {tier: front}
""",
    clean="""\
apiVersion: v1
kind: Pod
metadata:
  name: web
  namespace: shop
  labels: {app: web, tier: front}
""",
    checks=("duplicate-field",),
)
