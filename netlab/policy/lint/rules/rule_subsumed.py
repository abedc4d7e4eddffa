"""A rule that another rule of the same policy has in full."""

from __future__ import annotations

from collections.abc import Iterator

from netlab.objects.policies import NetworkPolicy
from netlab.objects.types import DIRECTIONS, Direction
from netlab.policy.lint.covers import rule_covers
from netlab.policy.lint.given import Given
from netlab.policy.lint.rule import Found, Rule, found

# Rules of a policy that are compared with each other.
_MOST = 200


def _find(given: Given) -> Iterator[Found]:
    for policy in given.policies:
        for direction in DIRECTIONS:
            if len(policy.rules(direction)) > 1:
                yield from _in(policy, direction)


def _in(policy: NetworkPolicy, direction: Direction) -> Iterator[Found]:
    """Find the rules without which the others allow the same. The first of equal rules stays."""
    left = list(policy.rules(direction)[:_MOST])
    for rule in reversed(left.copy()):
        by = next((one for one in left if one is not rule and rule_covers(one, rule, policy.meta.namespace)), None)
        if by is not None:
            left = [one for one in left if one is not rule]
            yield found(policy, rule.path, f"allows nothing that {by.path} (line {by.line}) does not allow")


RULE = Rule(
    "rule-subsumed",
    "warning",
    "a rule that another rule of the policy contains",
    what="Another rule of the same policy and direction allows every peer of the rule on every port of the rule,"
    " whatever labels pods have. A rule without peers has every peer, and a rule without ports has every port.",
    why="The rule does nothing. It can be removed, or the other rule is wider than it was meant to be.",
    fix="remove the rule, or narrow the other one",
    objects="""\
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
""",
    fires="""\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  ingress:
  - ports: [{port: 80}]
  - from: [{podSelector: {}}]
    ports: [{port: 80}]
""",
    clean="""\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  ingress:
  - ports: [{port: 80}]
  - from: [{podSelector: {}}]
    ports: [{port: 81}]
""",
    find=_find,
)
