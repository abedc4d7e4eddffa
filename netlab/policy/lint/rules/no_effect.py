"""A policy that changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from netlab.objects.policies import NetworkPolicy
from netlab.objects.selectors import LabelSelector
from netlab.objects.types import DIRECTIONS
from netlab.policy.lint.covers import rule_covers, selector_covers
from netlab.policy.lint.given import Given
from netlab.policy.lint.rule import Found, Rule, found
from netlab.policy.problems import some

_EVERYTHING = LabelSelector()
# Different selectors of a namespace that are compared with each other, and policies that are compared with one.
_MOST_SELECTORS, _MOST_POLICIES = 300, 100


def _find(given: Given) -> Iterator[Found]:
    """Find policies that change nothing, whatever labels pods have: all those of the result can go at once."""
    known = {one.object for one in given.warnings("no-effect")}
    spaces: dict[str, list[NetworkPolicy]] = {}
    for policy in given.policies:
        spaces.setdefault(policy.meta.namespace, []).append(policy)
    for policies in spaces.values():
        beside = _beside(policies)
        gone: set[int] = set()
        for policy in reversed(policies):
            if _is_default_deny(policy) or f"NetworkPolicy {policy.meta.key}" in known:
                continue
            others = [one for one in beside[policy.pod_selector] if one is not policy and id(one) not in gone]
            by = _by(policy, others[:_MOST_POLICIES])
            if by:
                gone.add(id(policy))
                do = "isolates the same pods and allows" if len(by) == 1 else "isolate the same pods and together allow"
                message = f"changes nothing, whatever labels pods have: {some(by)} {do} all that it allows"
                yield found(policy, "spec", message)


def _beside(policies: Sequence[NetworkPolicy]) -> Mapping[LabelSelector, Sequence[NetworkPolicy]]:
    """Return, for each selector, the policies of the namespace that select all that it selects."""
    of: dict[LabelSelector, list[NetworkPolicy]] = {}
    for policy in policies:
        of.setdefault(policy.pod_selector, []).append(policy)
    if len(of) > _MOST_SELECTORS:
        return {one: own if one == _EVERYTHING else own + of.get(_EVERYTHING, []) for one, own in of.items()}
    return {one: [p for other, own in of.items() if selector_covers(other, one) for p in own] for one in of}


def _by(policy: NetworkPolicy, others: Sequence[NetworkPolicy]) -> list[str]:
    """Return the names of some policies without which the policy would have an effect; none if it has an effect."""
    needed: dict[str, None] = {}
    for direction in DIRECTIONS:
        if not policy.isolates(direction):
            continue
        isolating = [one for one in others if one.isolates(direction)]
        if not isolating:
            return []
        for rule in policy.rules(direction):
            by = next(
                (
                    one
                    for one in isolating
                    if any(rule_covers(other, rule, policy.meta.namespace) for other in one.rules(direction))
                ),
                None,
            )
            if by is None:
                return []
            needed[by.meta.key] = None
        if not policy.rules(direction):
            needed[isolating[0].meta.key] = None
    return list(needed)


def _is_default_deny(policy: NetworkPolicy) -> bool:
    return policy.pod_selector == _EVERYTHING and not any(policy.rules(direction) for direction in DIRECTIONS)


RULE = Rule(
    "no-effect",
    "warning",
    "a policy that changes nothing",
    what="Without the policy every verdict is the same. The message says which of two cases it is. For the pods of"
    " the input: other policies that allow everything in the same direction select every pod that the policy"
    " selects. Each direction is judged by itself, and the other one may have an effect. For all labels that"
    " pods may have: other policies of the namespace isolate all pods that the policy selects, and for each of"
    " its rules they have one that allows the same or more. In the second case, a default deny for all pods of"
    " a namespace is no finding, as it must stay if other policies are removed.",
    why="Policies are a union. A policy that allows everything makes all others useless, also a default deny.",
    fix="remove the policy or the direction that the message names, or narrow what allows more",
    objects="""\
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
""",
    fires="""\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: default-deny, namespace: shop}
spec:
  podSelector: {}
  ingress: []
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: allow-all, namespace: shop}
spec:
  podSelector: {}
  ingress: [{}]
""",
    clean="""\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: default-deny, namespace: shop}
spec:
  podSelector: {}
  ingress: []
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: allow-own, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  ingress:
  - from: [{podSelector: {}}]
""",
    checks=("no-effect",),
    find=_find,
)
