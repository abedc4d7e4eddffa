"""The difference of two clusters: the pairs that a change of objects opens or closes, in groups.

Pairs of endpoints that both clusters have are compared. A destination is asked about the ports that it declares in
either of them. Endpoints that only one has are listed; ``one_sided`` compares their pairs as if no pair were allowed
where an end is missing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Literal

from netlab.cluster.flows import FlowSelection, ServiceQuestion, declared_ports, service_ref
from netlab.cluster.types import Cluster, Endpoint, Host
from netlab.frozen import frozen
from netlab.objects.services import Service
from netlab.policy.bitsets import members
from netlab.policy.differences import differences
from netlab.policy.groups import Group, groups
from netlab.policy.tiers.tier import AskedPort
from netlab.verdicts import Expected

ChangeKind = Literal["opened", "closed", "changed"]
KINDS: tuple[ChangeKind, ...] = ("opened", "closed", "changed")
"""The kinds of changes, the worst first."""

Ends = tuple[Endpoint, Endpoint | Service]


@frozen
class ChangedPairs:
    """Pairs of two groups with the same verdict in the old cluster, and another one in the new cluster.

    The members are endpoints of the cluster that has all of them, of the new one if both have. ``old`` or ``new`` is
    None if this cluster lacks an end of each pair. A pair has two different ends.
    """

    source: Group
    destination: Group | Service
    asked: AskedPort
    old: Expected | None
    new: Expected | None

    @property
    def kind(self) -> ChangeKind:
        """What the change does; a missing end counts as ``deny``."""
        if self.new == "allow" and self.old in (None, "deny"):
            return "opened"
        return "closed" if self.old == "allow" and self.new in (None, "deny") else "changed"

    @property
    def may_open(self) -> bool:
        """Whether a connection may pass that may not have passed before."""
        return self.old != "allow" and self.new not in (None, "deny")

    @property
    def may_close(self) -> bool:
        """Whether a connection may no longer pass that may have passed before."""
        return self.old not in (None, "deny") and self.new != "allow"

    @property
    def to_outside(self) -> bool:
        """Whether the destination is outside of the cluster."""
        return not isinstance(self.destination, Service) and isinstance(self.destination.members[0], Host)

    @property
    def from_outside(self) -> bool:
        """Whether the source is outside of the cluster."""
        return isinstance(self.source.members[0], Host)

    @property
    def opens_outside(self) -> bool:
        """Whether a connection to or from the outside is opened."""
        return self.kind == "opened" and (self.to_outside or self.from_outside)

    @property
    def pairs(self) -> int:
        """The number of pairs."""
        if isinstance(self.destination, Service):
            return len(self.source.members)
        own = {one.ref for one in self.source.members}
        both = sum(one.ref in own for one in self.destination.members)
        return len(self.source.members) * len(self.destination.members) - both

    def ends(self) -> Iterator[Ends]:
        """Yield every pair."""
        for source in self.source.members:
            if isinstance(self.destination, Service):
                yield source, self.destination
                continue
            yield from ((source, end) for end in self.destination.members if end.ref != source.ref)

    @property
    def example(self) -> Ends:
        """The first pair."""
        return next(self.ends())


@frozen
class ClusterDiff:
    """The pairs that differ between two clusters, and the endpoints that only one of them has.

    ``found`` begins with what is opened, and within each kind with pairs to the outside, then from the outside.
    ``unchanged`` is the number of compared pairs with the same verdict.
    """

    old: Cluster
    new: Cluster
    questions: FlowSelection
    found: tuple[ChangedPairs, ...]
    appeared: tuple[str, ...]
    vanished: tuple[str, ...]
    unchanged: int

    def tally(self) -> dict[ChangeKind, int]:
        """Return the number of changed pairs of each kind."""
        count = dict.fromkeys(KINDS, 0)
        for one in self.found:
            count[one.kind] += one.pairs
        return count


def cluster_diff(old: Cluster, new: Cluster, questions: FlowSelection, *, one_sided: bool = False) -> ClusterDiff:
    """Return the pairs whose verdict is not the same in both clusters; ``questions.self_pairs`` is not asked.

    Args:
      old: the cluster before the change.
      new: the cluster after it. Endpoints are the same if they have the same name.
      questions: which flows are asked about.
      one_sided: also return the pairs with an end that only one cluster has, unless they are denied.
    """
    questions = replace(questions, also={**questions.also, **_also(old, new, questions)}, self_pairs=False)
    found = differences({"new": new, "old": old}, questions)
    pairs = [
        ChangedPairs(one.source, one.destination, one.asked, one.verdicts[1], one.verdicts[0]) for one in found.found
    ]
    unchanged = found.compared - sum(one.pairs for one in pairs)
    before, after = ([one.ref for one in questions.endpoints(of)] for of in (old, new))
    appeared = tuple(sorted(set(after).difference(before)))
    vanished = tuple(sorted(set(before).difference(after)))
    if one_sided:
        pairs += _only_in(new, old, questions, appeared, came=True)
        pairs += _only_in(old, new, questions, vanished, came=False)
    pairs.sort(key=_place)
    return ClusterDiff(old, new, questions, tuple(pairs), appeared, vanished, unchanged)


def _place(one: ChangedPairs) -> tuple[int, bool, bool]:
    return KINDS.index(one.kind), not one.to_outside, not one.from_outside


def _also(old: Cluster, new: Cluster, questions: FlowSelection) -> Mapping[str, tuple[tuple[str, int | None], ...]]:
    """Return, by name, the ports of both clusters for each endpoint that does not declare the same in both."""
    if questions.ports:
        return {}
    before = old.by_ref
    found = {}
    for pod in new.pods:
        other = before.get(pod.ref)
        # Most pods have the same ports: their objects did not change.
        if other is not None and getattr(other, "ports", pod.ports) != pod.ports:
            found[pod.ref] = tuple(dict.fromkeys((*declared_ports(other), *declared_ports(pod))))
    return found


def _only_in(
    cluster: Cluster, other: Cluster, questions: FlowSelection, alone: tuple[str, ...], *, came: bool
) -> Iterator[ChangedPairs]:
    """Yield the pairs of a cluster that the other one lacks, unless they are denied.

    ``alone`` are the endpoints that only the cluster has.
    """
    asked = {_key(one) for one in questions.service_questions(other)}
    services = [one for one in questions.service_questions(cluster) if _key(one) not in asked]
    if not alone and not services:
        return
    found = groups(cluster, questions)
    own = set(alone)
    divided: list[tuple[Group | None, Group | None]] = []
    number = 0
    for group in found.groups:
        split = []
        for wanted in (False, True):
            part = tuple(one for one in group.members if (one.ref in own) == wanted)
            split.append(Group(number, part, group.services) if part else None)
            number += 1
        divided.append((split[0], split[1]))

    def changed(source: Group, end: Group | Service, asked: AskedPort, verdict: Expected) -> ChangedPairs:
        return ChangedPairs(source, end, asked, *((None, verdict) if came else (verdict, None)))

    for answer in found.answers():
        if answer.verdict == "deny" or answer.alone:
            continue
        for source in divided[answer.source.number]:
            for end in divided[answer.destination.number]:
                if source is None or end is None or not (source.members[0].ref in own or end.members[0].ref in own):
                    continue
                one = changed(source, end, answer.service, answer.verdict)
                if one.pairs:
                    yield one
    for to_service in found.to_services:
        question = to_service.question
        lacking = _key(question) not in asked
        for verdict, sources in to_service.having.items():
            for place in members(sources) if verdict != "deny" else ():
                for source in divided[place]:
                    if source is not None and (lacking or source.members[0].ref in own):
                        yield changed(source, question.service, question[1:], verdict)


def _key(one: ServiceQuestion) -> tuple[str, int, str, int]:
    return (service_ref(one.service), *one[1:])
