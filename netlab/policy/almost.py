"""Policies that almost select a pod that no policy selects: one label seems to be missing or misspelt."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import reduce
from operator import or_

from netlab.cluster.types import Cluster, Pod
from netlab.errors import Problem
from netlab.objects.policies import NetworkPolicy
from netlab.objects.selectors import LabelSelector, Requirement
from netlab.objects.types import DIRECTIONS, Direction
from netlab.policy.matched_pods import pod_sets, pods_selected
from netlab.policy.matching import selector_mismatch_texts
from netlab.policy.meaning import policies_meant
from netlab.policy.problems import some, warning

_Labels = frozenset[tuple[str, str]]


def almost_selects(selector: LabelSelector, labels: Mapping[str, str]) -> str:
    """Return the mismatch of a selector and labels as text if exactly one requirement fails, else "".

    A selector with one requirement only counts if the labels have a similar key or value.
    """
    failing = _only_failing(selector, labels)
    if failing is None:
        return ""
    several = len(selector.match_labels) + len(selector.match_expressions) > 1
    return selector_mismatch_texts(selector, labels)[0] if several or _similar(failing, labels) else ""


def almost_selecting(cluster: Cluster, pod: Pod, direction: Direction) -> Iterator[tuple[NetworkPolicy, str]]:
    """Yield the policies of a direction that almost select a pod, each with the mismatch as text."""
    for policy in policies_meant(cluster):
        if policy.meta.namespace == pod.namespace and pod.selectable and policy.isolates(direction):
            why = almost_selects(policy.pod_selector, pod.labels)
            if why:
                yield policy, why


def nearest(cluster: Cluster, policy: NetworkPolicy) -> str:
    """Return, as text, a pod that a policy almost selects and the mismatch; "" if there is no such pod."""
    # Many policies have equal selectors.
    known: dict[tuple[str, LabelSelector], str] = cluster.memo.setdefault("policy.nearest", {})
    key = (policy.meta.namespace, policy.pod_selector)
    if key not in known:
        known[key] = _nearest(cluster, *key)
    return known[key]


def _nearest(cluster: Cluster, namespace: str, selector: LabelSelector) -> str:
    sets = pod_sets(cluster)
    here = sets.of_namespace(namespace)
    several = len(selector.match_labels) + len(selector.match_expressions) > 1
    first: Pod | None = None
    if several:
        failing = reduce(or_, (found for _, found in sets.labels.failing_one(selector))) & here
        first = next(iter(sets.pods(failing & -failing)), None)
    else:
        pods = sets.kept(here)
        known: dict[str, SimilarLabels] = cluster.memo.setdefault("policy.similar", {})
        if namespace not in known:
            known[namespace] = SimilarLabels([pod.labels for pod in pods])
        first = next((pods[number] for number in known[namespace].almost_selected(selector)), None)
    return f"{first.ref} almost matches: {selector_mismatch_texts(selector, first.labels)[0]}" if first else ""


class SimilarLabels:
    """Finds labels that a selector with one requirement almost selects, without a look at all of them."""

    def __init__(self, objects: Sequence[Mapping[str, str]]) -> None:
        self._objects = objects
        self._by_value: dict[str, list[int]] = {}
        self._by_digits: dict[tuple[str, str], list[int]] = {}
        for number, labels in enumerate(objects):
            for key, value in labels.items():
                self._by_value.setdefault(value, []).append(number)
                self._by_digits.setdefault((key, _digits(value)), []).append(number)

    def almost_selected(self, selector: LabelSelector) -> Iterator[int]:
        """Yield the numbers of the objects whose labels a selector almost selects, in order."""
        requirements = [*(Requirement(key, "In", (value,)) for key, value in selector.match_labels)]
        for one in (*requirements, *selector.match_expressions):
            found: set[int] = set()
            for value in one.values:
                # A similar key has the same value, and a misspelt value has the same digits.
                found.update(self._by_value.get(value, ()), self._by_digits.get((one.key, _digits(value)), ()))
            seen: set[object] = set()
            for number in sorted(found):
                labels = self._objects[number]
                have = labels.get(one.key)
                alike = frozenset(labels.items()) if have is None else have
                if alike not in seen:
                    seen.add(alike)
                    if not one.matches(labels) and _similar(one, labels):
                        yield number


def almost_selected_pods(cluster: Cluster, policy: NetworkPolicy) -> Iterator[Problem]:
    """Warn of pods that no policy selects in a direction and that this policy almost selects.

    Only a missing label or a misspelt value counts; another value is likely intended.
    """
    size = len(policy.pod_selector.match_labels) + len(policy.pod_selector.match_expressions)
    if size < 2 or not pods_selected(cluster, policy):
        return
    found: dict[str, dict[str, None]] = {}
    directions: dict[str, list[str]] = {}
    for direction in DIRECTIONS if policy.policy_types else ():
        if not policy.isolates(direction):
            continue
        for labels, pods in _by_labels(_failing_one(cluster, policy, direction)).items():
            have = dict(labels)
            failing = _only_failing(policy.pod_selector, have)
            if failing is None or not (_is_missing(failing, have) or _similar(failing, have)):
                continue
            why = selector_mismatch_texts(policy.pod_selector, have)[0]
            found.setdefault(why, {}).update(dict.fromkeys(pod.ref for pod in pods))
            if direction not in directions.setdefault(why, []):
                directions[why].append(direction)
    for why, refs in found.items():
        ways = " or ".join(directions[why])
        text = f"almost selects {some(list(refs))}, which no policy selects for {ways}: {why}"
        yield warning(policy, "spec.podSelector", f"{text}; if it should, add the label", "almost-selects")


def _by_labels(pods: Iterable[Pod]) -> dict[_Labels, list[Pod]]:
    found: dict[_Labels, list[Pod]] = {}
    for pod in pods:
        found.setdefault(frozenset(pod.labels.items()), []).append(pod)
    return found


def _failing_one(cluster: Cluster, policy: NetworkPolicy, direction: Direction) -> tuple[Pod, ...]:
    """Return the pods that no policy selects in a direction and that fail only a label that this policy requires."""
    sets = pod_sets(cluster)
    # Most often there is none, and no requirement needs a look.
    here = sets.of_namespace(policy.meta.namespace) & ~_selected(cluster, direction)
    found = 0
    for requirement, failing in sets.labels.failing_one(policy.pod_selector) if here else ():
        if requirement.operator in ("In", "Exists"):
            found |= failing & here
    return sets.pods(found)


def _selected(cluster: Cluster, direction: Direction) -> int:
    """Return the set of the pods that some policy selects in a direction."""
    known: dict[Direction, int] = cluster.memo.setdefault("policy.selected_pods", {})
    if direction not in known:
        sets = pod_sets(cluster)
        known[direction] = reduce(or_, (sets.selected(p) for p in policies_meant(cluster) if p.isolates(direction)), 0)
    return known[direction]


def _only_failing(selector: LabelSelector, labels: Mapping[str, str]) -> Requirement | None:
    """Return the requirement that labels do not satisfy; None if they satisfy all, or fail several."""
    failing: Requirement | None = None
    for key, value in selector.match_labels:
        if labels.get(key) != value:
            if failing is not None:
                return None
            failing = Requirement(key, "In", (value,))
    for one in selector.match_expressions:
        if not one.matches(labels):
            if failing is not None:
                return None
            failing = one
    return failing


def _is_missing(failing: Requirement, labels: Mapping[str, str]) -> bool:
    return failing.operator in ("In", "Exists") and failing.key not in labels


def _similar(failing: Requirement, labels: Mapping[str, str]) -> bool:
    """Say whether labels have the required value under a similar key, or a similar value under the key."""
    from difflib import get_close_matches

    if failing.operator != "In":
        return False
    have = labels.get(failing.key)
    if have is None:
        return any(value in failing.values and key.endswith(f"/{failing.key}") for key, value in labels.items()) or any(
            labels[key] in failing.values for key in get_close_matches(failing.key, labels, 3, 0.8)
        )
    return any(_misspelt(have, value) for value in failing.values)


def _misspelt(have: str, wanted: str) -> bool:
    """Say whether a value looks like a misspelt other one; values with other digits (web-1, web-2) do not."""
    from difflib import get_close_matches

    if _digits(have) != _digits(wanted):
        return False
    have, wanted = have.lower(), wanted.lower()
    return sorted(have) == sorted(wanted) or bool(get_close_matches(have, [wanted], 1, 0.85))


def _digits(text: str) -> str:
    return "".join([c for c in text if c.isdigit()])
