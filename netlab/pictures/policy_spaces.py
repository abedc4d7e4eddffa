"""The policies and pods of one namespace as values, whose comparison says whether two namespaces are alike."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from textwrap import wrap

from netlab.cluster.policies_in_force import policies_in_force, policies_without_effect
from netlab.cluster.types import Cluster, Pod
from netlab.frozen import frozen
from netlab.objects.policies import NetworkPolicy
from netlab.objects.types import DIRECTIONS, Direction
from netlab.objects.unread import UnreadPolicy
from netlab.pictures.cluster_policies import in_their_order
from netlab.pictures.isolation import isolation_of, not_enforced
from netlab.pictures.merged import part_lines
from netlab.pictures.model import Isolation
from netlab.pictures.policy_lines import rule_lines, selects_line
from netlab.pictures.texts import MOST, workload_name
from netlab.policy.matched_pods import pods_by_namespace, pods_selected
from netlab.policy.reasons import where
from netlab.policy.tiers.cluster_policy import is_everything, is_subject
from netlab.policy.unread import selecting

EVERY = -1
"""In place of the number of a group of pods: every pod of the namespace that a policy can select."""
NOT_READ = "u: not read by netlab"
MOST_RULES, _MOST_WRAPPED = 6, 4


@frozen
class SelectedPods:
    """Pods of a namespace that the same policies select, with the directions in which they are isolated.

    ``lines`` have the workloads, and why no policy isolates the pods.
    """

    lines: tuple[str, ...]
    count: int
    isolation: Isolation


@frozen
class PolicyText:
    """A policy as a picture shows it; ``selected`` has the numbers of the groups of pods that it selects, or EVERY.

    ``unread``: netlab does not read it. ``refused``: a setting of the cluster takes its effect away.
    """

    name: str
    lines: tuple[str, ...]
    selected: tuple[int, ...]
    unread: bool = False
    refused: bool = False


@frozen
class PolicyNamespace:
    """A namespace: its pods and policies. ``notes`` and ``places`` have a line for each policy, in the same order.

    ``wide`` has, for each cluster-wide policy, the numbers of the groups of pods that it selects, or EVERY; it is empty
    for a policy that selects every pod of every namespace.
    """

    name: str
    pods: tuple[SelectedPods, ...]
    policies: tuple[PolicyText, ...]
    notes: tuple[tuple[str, ...], ...] = ()
    places: tuple[str, ...] = ()
    pod_places: tuple[str, ...] = ()
    wide: tuple[tuple[int, ...], ...] = ()

    @property
    def shape(self) -> Hashable:
        """What namespaces alike have in common."""
        return self.pods, self.policies, self.wide

    @property
    def has_every(self) -> bool:
        """Whether a policy selects every pod that a policy can select."""
        return any(EVERY in of for of in (*(policy.selected for policy in self.policies), *self.wide))

    @property
    def open(self) -> Mapping[Direction, int]:
        """The number of pods that no policy isolates, by direction."""
        found: dict[Direction, int] = dict.fromkeys(DIRECTIONS, 0)
        for pods in self.pods:
            for direction in DIRECTIONS:
                if pods.isolation not in ("", "both", direction):
                    found[direction] += pods.count
        return found

    @property
    def count(self) -> int:
        """The number of its pods."""
        return sum(pods.count for pods in self.pods)


def policy_namespaces(cluster: Cluster) -> list[PolicyNamespace]:
    """Return the namespaces that have pods or policies; those with pods that no policy isolates come first."""
    policies: dict[str, list[NetworkPolicy]] = defaultdict(list)
    for policy in policies_in_force(cluster):
        policies[policy.meta.namespace].append(policy)
    unread: dict[str, list[UnreadPolicy]] = defaultdict(list)
    for one in cluster.unread:
        unread[one.meta.namespace].append(one)
    without: dict[str, list[tuple[NetworkPolicy, str]]] = defaultdict(list)
    for found in policies_without_effect(cluster):
        without[found.policy.meta.namespace].append((found.policy, found.setting))
    pods = pods_by_namespace(cluster)
    names = {*pods, *policies, *unread, *without} - {""}
    known = [
        _namespace(cluster, name, pods.get(name, ()), policies[name], unread[name], without[name])
        for name in sorted(names)
    ]
    return sorted(
        known,
        key=lambda namespace: (
            not any(pods.isolation == "none" for pods in namespace.pods),
            not any(namespace.open.values()),
        ),
    )


def _namespace(
    cluster: Cluster,
    name: str,
    pods: Sequence[Pod],
    policies: Sequence[NetworkPolicy],
    unread: Sequence[UnreadPolicy],
    without: Sequence[tuple[NetworkPolicy, str]],
) -> PolicyNamespace:
    selected = [frozenset(pod.ref for pod in pods_selected(cluster, policy)) for policy in policies]
    wide = in_their_order(cluster)
    groups: dict[tuple[tuple[int, ...], tuple[int, ...], tuple[str, ...], str, str], list[Pod]] = defaultdict(list)
    for pod in pods:
        by = tuple(number for number, refs in enumerate(selected) if pod.ref in refs)
        maybe = tuple(dict.fromkeys(one.policy.name for one in selecting(cluster, pod)))
        by_wide = tuple(number for number, one in enumerate(wide) if is_subject(cluster, one, pod))
        groups[by, by_wide, maybe, not_enforced(cluster, pod, "ingress"), pod.attachment].append(pod)
    found = []
    for (by, by_wide, maybe, why, _), members in groups.items():
        isolation = isolation_of(cluster, members[0])
        kinds = dict.fromkeys(one.policy.kind for one in selecting(cluster, members[0]))
        lines = (*_pod_lines(members), *filter(None, [why]), *(f"u: {kind}" for kind in kinds))
        found.append((SelectedPods(lines, len(members), isolation), by, maybe, members, by_wide))
    found.sort(key=lambda one: (one[0].isolation != "none", one[0].isolation == "both"))
    selectable = [number for number, (_, _, _, members, _) in enumerate(found) if members[0].selectable]
    shown: list[tuple[PolicyText, tuple[str, ...], str]] = []
    for number, policy in enumerate(policies):
        of = _or_every([at for at, (_, by, _, _, _) in enumerate(found) if number in by], selectable)
        shown.append((_policy(cluster, policy, of), tuple(_notes(cluster, policy)), policy.source.place()))
    for one in unread:
        of = _or_every([at for at, (_, _, maybe, _, _) in enumerate(found) if one.name in maybe], selectable)
        note = f"verdicts of pairs that it could change are unknown; {one.option} leaves it out"
        lines = (one.kind, NOT_READ)
        shown.append((PolicyText(one.meta.name, lines, of, unread=True), (note,), one.source.place()))
    for policy, setting in without:
        lines = (selects_line(policy), f"no effect: {setting}")
        shown.append((PolicyText(policy.meta.name, lines, (), refused=True), (), policy.source.place()))
    shown.sort(key=lambda one: (not one[0].unread, one[0].selected))
    pod_places = tuple(members[0].source.place() for _, _, _, members, _ in found)
    return PolicyNamespace(
        name,
        tuple(pods for pods, *_ in found),
        tuple(policy for policy, _, _ in shown),
        tuple(note for _, note, _ in shown),
        tuple(at for _, _, at in shown),
        pod_places,
        tuple(
            ()
            if is_everything(one.subject)
            else _or_every([at for at, of in enumerate(found) if n in of[4]], selectable)
            for n, one in enumerate(wide)
        ),
    )


def _or_every(numbers: list[int], selectable: list[int]) -> tuple[int, ...]:
    """Return the groups that a policy selects; EVERY in place of all, if these are several."""
    return (EVERY,) if len(numbers) > 1 and numbers == selectable else tuple(numbers)


def _policy(cluster: Cluster, policy: NetworkPolicy, selected: tuple[int, ...]) -> PolicyText:
    rules = [text for text, _ in rule_lines(cluster, policy)]
    if len(rules) > MOST_RULES:
        rules = [*rules[: MOST_RULES - 1], f"and {len(rules) - MOST_RULES + 1} more rules"]
    selects = selects_line(policy) if selected else f"{selects_line(policy)}: no pod"
    return PolicyText(policy.meta.name, tuple(wrapped([selects, *rules])), selected)


def wrapped(lines: Sequence[str]) -> Iterator[str]:
    """Yield lines that a box shows whole."""
    for line in lines:
        yield from wrap(line, MOST, subsequent_indent=" ", break_on_hyphens=False)[:_MOST_WRAPPED]


def _notes(cluster: Cluster, policy: NetworkPolicy) -> Iterator[str]:
    """Yield the lines of a policy with their places in the file."""
    at = policy.source.place("spec.podSelector")
    yield f"{selects_line(policy)} {f'({at})' if at else ''}".rstrip()
    for text, rule in rule_lines(cluster, policy):
        yield text + (where(policy, rule) if rule is not None else "")


def _pod_lines(pods: Sequence[Pod]) -> list[str]:
    parts = Counter(map(workload_name, pods))
    lines = part_lines(parts)
    return lines if len(parts) == 1 else [f"{len(pods):,} pods", *lines]
