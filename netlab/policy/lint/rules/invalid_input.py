"""An error in the input."""

from __future__ import annotations

from collections.abc import Iterator

from netlab.policy.lint.given import Given
from netlab.policy.lint.rule import Found, Rule


def _find(given: Given) -> Iterator[Found]:
    for one in given.problems:
        if one.severity == "error":
            yield Found(one.file, one.line, one.path, one.object, one.message)


RULE = Rule(
    "invalid-input",
    "error",
    "an error in the input",
    what="An object that netlab refuses, as the API server would: a field or a value that Kubernetes does not have, or"
    " objects that do not fit together. No other rule runs until it is repaired.",
    why="A cluster refuses the object, or drops a part of it. Other rules might find what is only a result of the"
    " error.",
    fix="repair the field that the message names",
    objects="",
    fires="""\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {}
  ingress:
  - ports: [{port: 80, protocol: tcp}]
""",
    clean="""\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {}
  ingress:
  - ports: [{port: 80, protocol: TCP}]
""",
    find=_find,
)
