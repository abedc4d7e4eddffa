"""Policies that almost select a pod which no policy selects: one label is missing or misspelt, as it seems."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from netlab.cluster.types import Cluster, Pod
from netlab.errors import Problem
from netlab.objects.policies import NetworkPolicy
from netlab.objects.selectors import LabelSelector, Requirement
from netlab.objects.types import Direction
from netlab.policy.mismatch import selector_mismatches
from netlab.policy.problems import some, warning
from netlab.policy.scope import pods_by_namespace, pods_selected

_DIRECTIONS: tuple[Direction, ...] = ("ingress", "egress")
_Labels = frozenset[tuple[str, str]]


def almost_selects(selector: LabelSelector, labels: Mapping[str, str]) -> str:
    """Return the one requirement of a selector that labels do not satisfy, while another one or its likeness holds.

    "" where the labels satisfy all of them, or are not meant.
    """
    missed = _one_short(selector, labels)
    if missed is None:
        return ""
    several = len(selector.match_labels) + len(selector.match_expressions) > 1
    return selector_mismatches(selector, labels)[0] if several or _alike(missed, labels) else ""


def almost_selecting(cluster: Cluster, pod: Pod, direction: Direction) -> Iterator[tuple[NetworkPolicy, str]]:
    """Yield the policies that isolate in a direction and almost select a pod, each with what keeps it from it."""
    for policy in cluster.policies:
        if policy.meta.namespace == pod.namespace and pod.selectable and policy.isolates(direction):
            why = almost_selects(policy.pod_selector, pod.labels)
            if why:
                yield policy, why


def nearest(cluster: Cluster, policy: NetworkPolicy) -> str:
    """Return the pod that a policy which selects none almost selects, and why it does not; "" where there is none."""
    for labels, (pod, *_) in _by_labels(_selectable(cluster, policy.meta.namespace)).items():
        why = almost_selects(policy.pod_selector, dict(labels))
        if why:
            return f"{pod.ref} is near: {why}"
    return ""


def of_pods(cluster: Cluster, policy: NetworkPolicy) -> Iterator[Problem]:
    """Warn of pods that no policy selects in a direction, and that a policy selects but for a label that they lack.

    A label with another value is likely meant, where it is not a misspelt one.
    """
    size = len(policy.pod_selector.match_labels) + len(policy.pod_selector.match_expressions)
    if size < 2 or not pods_selected(cluster, policy):
        return
    found: dict[str, dict[str, None]] = {}
    directions: dict[str, list[str]] = {}
    for direction in _DIRECTIONS if policy.policy_types else ():
        if not policy.isolates(direction):
            continue
        for labels, pods in _open(cluster, policy.meta.namespace, direction).items():
            have = dict(labels)
            missed = _one_short(policy.pod_selector, have)
            if missed is None or not (_lacks(missed, have) or _alike(missed, have)):
                continue
            why = selector_mismatches(policy.pod_selector, have)[0]
            found.setdefault(why, {}).update(dict.fromkeys(pod.ref for pod in pods))
            if direction not in directions.setdefault(why, []):
                directions[why].append(direction)
    for why, refs in found.items():
        ways = " or ".join(directions[why])
        told = f"almost selects {some(list(refs))}, which no policy selects for {ways}: {why}"
        yield warning(policy, "spec.podSelector", f"{told}; if it is meant, add the label", "almost-selects")


def _selectable(cluster: Cluster, namespace: str) -> list[Pod]:
    return [pod for pod in pods_by_namespace(cluster).get(namespace, ()) if pod.selectable]


def _by_labels(pods: Iterable[Pod]) -> dict[_Labels, list[Pod]]:
    found: dict[_Labels, list[Pod]] = {}
    for pod in pods:
        found.setdefault(frozenset(pod.labels.items()), []).append(pod)
    return found


def _open(cluster: Cluster, namespace: str, direction: Direction) -> dict[_Labels, list[Pod]]:
    """Return the pods of a namespace that no policy selects in a direction, by their labels."""
    known: dict[tuple[str, Direction], dict[_Labels, list[Pod]]] | None = cluster.memo.get("policy.open")
    if known is None:
        known = cluster.memo["policy.open"] = {}
        selected: dict[Direction, set[int]] = {"ingress": set(), "egress": set()}
        for policy in cluster.policies:
            for way in policy.policy_types:
                selected[way].update(map(id, pods_selected(cluster, policy)))
        for name in dict.fromkeys(policy.meta.namespace for policy in cluster.policies):
            pods = _selectable(cluster, name)
            for way in _DIRECTIONS:
                known[name, way] = _by_labels(pod for pod in pods if id(pod) not in selected[way])
    return known[namespace, direction]


def _one_short(selector: LabelSelector, labels: Mapping[str, str]) -> Requirement | None:
    """Return the only requirement that labels do not satisfy, None where they satisfy all or fail several."""
    missed: Requirement | None = None
    for key, value in selector.match_labels:
        if labels.get(key) != value:
            if missed is not None:
                return None
            missed = Requirement(key, "In", (value,))
    for one in selector.match_expressions:
        if not one.matches(labels):
            if missed is not None:
                return None
            missed = one
    return missed


def _lacks(missed: Requirement, labels: Mapping[str, str]) -> bool:
    return missed.operator in ("In", "Exists") and missed.key not in labels


def _alike(missed: Requirement, labels: Mapping[str, str]) -> bool:
    """Say whether labels have almost what a requirement asks for: the value misspelt, or under another key."""
    from difflib import get_close_matches

    if missed.operator != "In":
        return False
    have = labels.get(missed.key)
    if have is None:
        return any(value in missed.values and key.endswith(f"/{missed.key}") for key, value in labels.items()) or any(
            labels[key] in missed.values for key in get_close_matches(missed.key, labels, 3, 0.8)
        )
    return any(_misspelt(have, value) for value in missed.values)


def _misspelt(have: str, wanted: str) -> bool:
    """Say whether two values look like one word; with other digits (web-1, web-2) they are two."""
    from difflib import get_close_matches

    if [c for c in have if c.isdigit()] != [c for c in wanted if c.isdigit()]:
        return False
    have, wanted = have.lower(), wanted.lower()
    return sorted(have) == sorted(wanted) or bool(get_close_matches(have, [wanted], 1, 0.85))
