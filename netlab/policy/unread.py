"""Policies that netlab does not read: the sides whose verdict one of them could change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from netlab.cluster.paths import node_of
from netlab.cluster.types import Cluster, Endpoint, Pod
from netlab.frozen import NamedTuple
from netlab.objects.core_v1 import NAMESPACE_LABEL
from netlab.objects.selectors import LabelSelector
from netlab.objects.types import Direction
from netlab.objects.unread import Subject, UnreadPolicy
from netlab.verdicts import Certain


class UnreadSelection(NamedTuple):
    """An unread policy with one of its subjects that may select an endpoint."""

    policy: UnreadPolicy
    subject: Subject

    def could_change(self, direction: Direction, verdict: Certain, protocol: str, *, inside: bool) -> bool:
        """Say whether the policy could change a side's verdict.

        ``inside``: the destination is a pod with an address of its own.
        """
        if direction not in (self.subject.denies if verdict == "allow" else self.subject.allows):
            return False
        if self.policy.protocols and protocol not in self.policy.protocols:
            return False
        return not (inside and self.policy.outside)


def changing(
    cluster: Cluster, direction: Direction, subject: Endpoint, verdict: Certain, protocol: str, *, inside: bool
) -> tuple[UnreadPolicy, ...]:
    """Return the unread policies that could change the verdict of one side, in their order."""
    found = selecting(cluster, subject)
    if not found:
        return ()
    could = {id(c.policy): c.policy for c in found if c.could_change(direction, verdict, protocol, inside=inside)}
    return tuple(could.values())


def selecting(cluster: Cluster, endpoint: Endpoint) -> Sequence[UnreadSelection]:
    """Return the unread policies, with their subjects, that may select an endpoint."""
    known: dict[int, Sequence[UnreadSelection]] = cluster.memo.setdefault("policy.unread", {})
    found = known.get(id(endpoint))
    if found is None:
        if isinstance(endpoint, Pod) and endpoint.selectable:
            here = _of_namespace(cluster, endpoint.namespace)
            found = [one for one in here if one.subject.pods.matches(endpoint.labels)]
        elif node_of(endpoint) is not None:
            found = [UnreadSelection(p, s) for p in cluster.unread for s in p.subjects if s.nodes]
        else:
            found = ()
        known[id(endpoint)] = found
    return found


def _of_namespace(cluster: Cluster, namespace: str) -> Sequence[UnreadSelection]:
    """Return the unread policies, with their subjects, that may select pods of a namespace."""
    known: dict[str, list[UnreadSelection]] | None = cluster.memo.get("policy.unread.namespaces")
    if known is None:
        known = cluster.memo["policy.unread.namespaces"] = {}
        for policy in cluster.unread:
            for subject in policy.subjects:
                for name in () if subject.nodes else _namespaces(cluster, subject):
                    known.setdefault(name, []).append(UnreadSelection(policy, subject))
    return known.get(namespace, ())


def _namespaces(cluster: Cluster, subject: Subject) -> Sequence[str]:
    if subject.namespace:
        return [subject.namespace]
    return [name for name, labels in cluster.namespaces.items() if _may_match(subject.namespaces, labels)]


def _may_match(selector: LabelSelector, labels: Mapping[str, str]) -> bool:
    """Say whether a selector may match a namespace. If a namespace has only the label of its name, others are unknown.

    Such a namespace may be missing in the input.
    """
    if len(labels) > 1:
        return selector.matches(labels)
    return all(r.matches(labels) for r in selector.match_expressions if r.key == NAMESPACE_LABEL)
