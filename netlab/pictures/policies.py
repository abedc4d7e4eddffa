"""Which policy selects which pods, and which peers it allows.

The unit is a group of pods that the same policies select. If these are too many, namespaces alike share a frame; then a
box stands for a whole namespace. What no policy isolates comes first, and has a dashed edge.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Hashable, Iterator, Sequence
from typing import Literal

from netlab.cluster.plain_policies import as_unread
from netlab.cluster.types import Cluster
from netlab.errors import UsageError, printable
from netlab.objects.types import DIRECTIONS
from netlab.objects.unread import UnreadPolicy
from netlab.pictures.cluster_policies import cluster_rule_lines, in_their_order, subject_line, tier_line
from netlab.pictures.merged import bounded, name_range, one_line
from netlab.pictures.model import Arrow, Box, Frame, Isolation, Picture
from netlab.pictures.policy_spaces import (
    EVERY,
    MOST_RULES,
    NOT_READ,
    PolicyNamespace,
    SelectedPods,
    policy_namespaces,
    wrapped,
)
from netlab.policy.problems import some
from netlab.policy.tiers.cluster_policy import is_everything, is_subject
from netlab.policy.unread import selecting
from netlab.quantity import quantity

MOST_BOXES = 40
"""The most boxes before namespaces alike share a frame, and then before a box stands for a namespace."""
MOST_NAMESPACES = 150
"""The most boxes of namespaces."""


def policies_picture(cluster: Cluster, *, only: Collection[str] = ()) -> Picture:
    """Return the picture of the policies of a cluster and of the pods that they select.

    Args:
      cluster: the cluster.
      only: the namespaces to draw; none stands for all.

    Raises:
      UsageError: for a namespace without pods and policies.
    """
    cluster = as_unread(cluster)
    found = policy_namespaces(cluster)
    if only:
        missing = sorted({*only} - {namespace.name for namespace in found})
        if missing:
            raise UsageError(*(f"namespace {name!r} has no pods and no policies" for name in missing))
        found = [namespace for namespace in found if namespace.name in only]
    title = f"{cluster.name}: policies"
    apart = [[namespace] for namespace in found]
    alike = _alike(found, [namespace.shape for namespace in found])
    for frames in (apart, alike):
        if sum(_size(of[0]) for of in frames) <= MOST_BOXES:
            boxes, drawn, arrows = _drawn(cluster, frames)
            below = [*_below(cluster, found)]
            if frames is alike and len(alike) < len(apart):
                below.append("a frame with several namespaces has one box for alike policies and pods of them all")
            return Picture(title, boxes, drawn, arrows, tuple(map(printable, below)), "group")
    return _by_namespace(cluster, title, found)


def _alike(found: Sequence[PolicyNamespace], keys: Sequence[Hashable]) -> list[list[PolicyNamespace]]:
    """Return namespaces with equal keys together, in the order of their first ones."""
    by_key: dict[Hashable, list[PolicyNamespace]] = defaultdict(list)
    for namespace, key in zip(found, keys, strict=True):
        by_key[key].append(namespace)
    return list(by_key.values())


def _size(namespace: PolicyNamespace) -> int:
    """Return the number of boxes of a namespace."""
    return len(namespace.pods) + len(namespace.policies) + namespace.has_every


def _drawn(
    cluster: Cluster, frames: Sequence[Sequence[PolicyNamespace]]
) -> tuple[tuple[Box, ...], tuple[Frame, ...], tuple[Arrow, ...]]:
    """Return the boxes, frames and arrows of namespaces; those of one frame are alike."""
    boxes: list[Box] = []
    drawn: list[Frame] = []
    arrows: list[Arrow] = []
    for of in frames:
        first = of[0]
        ident = f"namespace:{first.name}"
        names = [namespace.name for namespace in of]
        drawn.append(Frame(ident, "namespace", one_line(name_range(names)), note=bounded(names if names[1:] else ())))
        pods = list(_pod_boxes(of, ident))
        boxes += [box for box in pods if box.isolation == "none"]
        for number, policy in enumerate(first.policies):
            box = _policy_box(of, number, ident)
            boxes.append(box)
            verdict: Literal["", "unknown"] = "unknown" if policy.unread else ""
            arrows += [
                Arrow(box.ident, _pods_ident(first, at), verdict=verdict, place=box.place) for at in policy.selected
            ]
        boxes += [box for box in pods if box.isolation != "none"]
    wide = _cluster_policy_boxes(cluster, [namespace for of in frames for namespace in of])
    boxes += wide.values()
    arrows += [
        Arrow(box.ident, _pods_ident(of[0], at), place=box.place)
        for number, box in wide.items()
        for of in frames
        for at in of[0].wide[number]
    ]
    for one in cluster.unread:
        if not one.meta.namespace:
            boxes.append(_wide_box(cluster, one))
    return tuple(boxes), tuple(drawn), tuple(arrows)


def _pods_ident(namespace: PolicyNamespace, number: int) -> str:
    return f"{namespace.name}/{'*' if number == EVERY else number}"


def _pod_boxes(of: Sequence[PolicyNamespace], frame: str) -> Iterator[Box]:
    first = of[0]
    if first.has_every:
        count = first.count * len(of)
        yield Box(
            _pods_ident(first, EVERY), "pods", ("every pod", f"{count:,} pods"), frame, count, _common(first.pods)
        )
    for number, pods in enumerate(first.pods):
        yield Box(
            _pods_ident(first, number),
            "pods",
            tuple(map(one_line, pods.lines)),
            frame,
            pods.count * len(of),
            pods.isolation,
            place=printable(first.pod_places[number]),
        )


def _policy_box(of: Sequence[PolicyNamespace], number: int, frame: str) -> Box:
    first = of[0]
    policy = first.policies[number]
    note = (
        first.notes[number] if len(of) == 1 else [f"{namespace.name}: {namespace.places[number]}" for namespace in of]
    )
    lines = (policy.name, *policy.lines)
    return Box(
        f"{first.name}/policy/{number}",
        "policy",
        tuple(map(one_line, lines)),
        frame,
        len(of),
        note=bounded(note),
        place=printable(first.places[number]),
    )


def _wide_box(cluster: Cluster, policy: UnreadPolicy) -> Box:
    """Return the box of a policy without a namespace, which netlab does not read; it may select pods of many."""
    found = [pod for pod in cluster.asked_pods() if any(one.policy is policy for one in selecting(cluster, pod))]
    lines = (policy.meta.name, policy.kind, NOT_READ, f"may select {quantity(len(found), 'pod')}")
    at = printable(policy.source.place())
    return Box(f"policy/{policy.name}", "policy", tuple(map(one_line, lines)), note=(policy.option,), place=at)


def _cluster_policy_boxes(cluster: Cluster, drawn: Sequence[PolicyNamespace]) -> dict[int, Box]:
    """Return the boxes of cluster-wide policies by their number, the first to decide first.

    Of those that select some namespaces, only the ones that select a drawn pod have a box, and those that select none.
    """
    found: dict[int, Box] = {}
    for number, policy in enumerate(in_their_order(cluster)):
        here = any(namespace.wide[number] for namespace in drawn)
        every = is_everything(policy.subject)
        pods = [pod for pod in cluster.asked_pods() if not here and is_subject(cluster, policy, pod)]
        if pods and not every:
            continue
        subject = subject_line(policy) if here or pods else f"{subject_line(policy)}: no pod"
        rules = [*cluster_rule_lines(policy)]
        if len(rules) > MOST_RULES:
            rules = [*rules[: MOST_RULES - 1], f"and {len(rules) - MOST_RULES + 1} more rules"]
        lines = (policy.meta.name, policy.kind, tier_line(policy), *wrapped([subject, *rules]))
        found[number] = Box(
            f"policy/{policy.ref}",
            "policy",
            tuple(map(one_line, lines)),
            note=bounded([*cluster_rule_lines(policy, places=True)]),
            place=printable(policy.source.place()),
        )
    return found


def _common(groups: Sequence[SelectedPods]) -> Isolation:
    """Return the isolation that all groups of pods have, "" if they differ."""
    found = {one.isolation for one in groups}
    return found.pop() if len(found) == 1 else ""


def _by_namespace(cluster: Cluster, title: str, found: Sequence[PolicyNamespace]) -> Picture:
    """Return the picture with a box for each namespace, or for several with equal numbers."""
    alike = _alike(found, [(_summary(namespace), _common(namespace.pods)) for namespace in found])
    boxes = []
    for of in alike[:MOST_NAMESPACES]:
        first, names = of[0], [namespace.name for namespace in of]
        note = [
            f"{namespace.name}: policy {policy.name} {at}"
            for namespace in of
            for policy, at in zip(namespace.policies, namespace.places, strict=True)
        ]
        head, *more = _summary(first)
        lines = (name_range(names), f"each: {head}" if len(of) > 1 else head, *more)
        count = sum(namespace.count for namespace in of)
        boxes.append(
            Box(
                f"namespace:{first.name}",
                "namespace",
                tuple(map(one_line, lines)),
                "",
                count,
                _common(first.pods),
                note=bounded(note),
            )
        )
    boxes += _cluster_policy_boxes(cluster, found).values()
    boxes += [_wide_box(cluster, one) for one in cluster.unread if not one.meta.namespace]
    below = [*_below(cluster, found), "a box stands for a namespace; --only NAMESPACE draws its policies"]
    if len(alike) > MOST_NAMESPACES:
        below.append(f"{len(alike) - MOST_NAMESPACES:,} boxes of namespaces are left out")
    return Picture(title, tuple(boxes), (), (), tuple(map(printable, below)), "namespace")


def _summary(namespace: PolicyNamespace) -> tuple[str, ...]:
    """Return what a box of a namespace says: how many policies it has, and how many pods none of them isolates."""
    unread = sum(policy.unread for policy in namespace.policies)
    useless = sum(not (policy.selected or policy.unread or policy.refused) for policy in namespace.policies)
    policies = len(namespace.policies) - unread
    counts = {} if _common(namespace.pods) == "none" else namespace.open
    open_pods = [f"{count:,} not isolated for {direction}" for direction, count in counts.items() if count]
    return (
        f"{quantity(namespace.count, 'pod')}, {quantity(policies, 'policy', 'policies')}",
        *open_pods,
        *([f"{useless} select nothing"] if useless else []),
        *([f"u: {unread} not read by netlab"] if unread else []),
    )


def _below(cluster: Cluster, found: Sequence[PolicyNamespace]) -> Iterator[str]:
    """Yield what the picture shows in numbers."""
    for direction in DIRECTIONS:
        count = sum(namespace.open[direction] for namespace in found)
        whole = sum(namespace.count for namespace in found)
        yield f"{direction}: {count:,} of {whole:,} pods are not isolated"
    useless = [
        f"{namespace.name}/{policy.name}"
        for namespace in found
        for policy in namespace.policies
        if not policy.selected and not policy.unread
    ]
    useless += [
        policy.ref
        for policy in in_their_order(cluster)
        if not any(is_subject(cluster, policy, pod) for pod in cluster.asked_pods())
    ]
    if useless:
        yield f"policies that select nothing: {some(useless)}"
    if cluster.unread:
        yield f"u: policies that netlab does not read: {some([one.name for one in cluster.unread])}"
