"""Policies of a namespace that could be one."""

from __future__ import annotations

from collections.abc import Iterator

from netlab.objects.policies import NetworkPolicy
from netlab.objects.types import DIRECTIONS
from netlab.policy.label_sets import labels_of
from netlab.policy.lint.given import Given
from netlab.policy.lint.rule import Found, Rule, found
from netlab.policy.problems import some


def _find(given: Given) -> Iterator[Found]:
    alike: dict[object, list[NetworkPolicy]] = {}
    for policy in given.policies:
        if not any(policy.rules(direction) for direction in DIRECTIONS):
            continue
        key = (policy.meta.namespace, policy.policy_types, labels_of(policy.pod_selector))
        alike.setdefault(key, []).append(policy)
    for first, *others in alike.values():
        if others:
            names = some([one.meta.key for one in others])
            verb = "selects" if len(others) == 1 else "select"
            yield found(first, "spec.podSelector", f"{names} {verb} the same pods for the same policyTypes")


RULE = Rule(
    "could-be-one",
    "info",
    "policies that could be one",
    what="Policies of a namespace select the same pods, whatever labels pods have, and have the same `policyTypes`."
    " Policies without rules do not count: a default deny is often kept apart.",
    why="Policies are a union, so one policy with all rules means the same, and a reader finds all rules in one"
    " place. There may be a reason for several policies, such as two teams.",
    fix="write the rules of all of them into one policy",
    objects="""\
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
""",
    fires="""\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web-from-shop, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  ingress:
  - from: [{podSelector: {}}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web-from-ops, namespace: shop}
spec:
  podSelector: {matchExpressions: [{key: app, operator: In, values: [web]}]}
  ingress:
  - from: [{namespaceSelector: {matchLabels: {team: ops}}}]
""",
    clean="""\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  ingress:
  - from: [{podSelector: {}}]
  - from: [{namespaceSelector: {matchLabels: {team: ops}}}]
""",
    find=_find,
)
