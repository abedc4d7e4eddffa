"""A suggestion: policies, the needs that they serve, what else is allowed or unknown, and the proof."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from netlab.cluster.flows import FlowSelection
from netlab.cluster.types import Cluster
from netlab.frozen import frozen
from netlab.objects.flow_logs import ObservedFlow
from netlab.objects.mentions import Mention, NotRead
from netlab.objects.services import Service
from netlab.objects.types import DIRECTIONS
from netlab.policy.differences import differences
from netlab.policy.suggest.declared import EndFinder, declared
from netlab.policy.suggest.drafts import PolicyDraft, RuleDraft, policies
from netlab.policy.suggest.keeping import kept
from netlab.policy.suggest.label_classes import LabelClasses
from netlab.policy.suggest.needs import End, Need, Pods, Unknown, merged
from netlab.policy.suggest.observed import observed
from netlab.policy.suggest.proof import NeedsCheck
from netlab.policy.suggest.results import Pairs, Proof
from netlab.policy.suggest.universe import asked_ports
from netlab.policy.suggest.writing import drafts_for, end_name, touched_namespaces
from netlab.quantity import few

# The most policies that a note names.
_FEW = 10


@frozen
class Connection:
    """One needed connection with all its reasons, and the number of its pairs by today's verdict."""

    source: str
    destination: str
    protocol: str
    port: int
    because: tuple[str, ...]
    allowed: int
    denied: int
    unknown: int

    def __str__(self) -> str:
        return f"{self.source} -> {self.destination} {self.port}/{self.protocol}"


@frozen
class Suggestion:
    """What netlab suggests for a cluster.

    ``suggested`` is the cluster with the policies of ``drafts``; they replace today's policies, ``replaced``.
    ``questions`` are those of the proof.
    """

    drafts: tuple[PolicyDraft, ...]
    suggested: Cluster
    replaced: tuple[str, ...]
    needed: tuple[Connection, ...]
    not_needed: tuple[Pairs, ...]
    unknown: tuple[Unknown, ...]
    notes: tuple[str, ...]
    proof: Proof
    questions: FlowSelection
    keep: bool = False

    @property
    def allowed(self) -> list[Connection]:
        """The needed connections that pass today."""
        return [one for one in self.needed if not one.denied and one.allowed]

    @property
    def missing(self) -> list[Connection]:
        """The needed connections that today's policies deny, in part or in whole."""
        return [one for one in self.needed if one.denied]


def from_needs(
    cluster: Cluster,
    texts: Iterable[Mention | NotRead] = (),
    flows: Sequence[ObservedFlow] = (),
    log: str = "",
    families: Sequence[int] = (),
    ports: Iterable[tuple[str, int | None]] = (),
    *,
    nodes: bool = False,
    system: bool = False,
) -> Suggestion:
    """Return the policies that allow what manifests declare and what a log shows; ``log`` is the name of its file.

    ``families`` narrows the IP families of the proof; ``ports`` are further ports that it asks. The proof asks about
    nodes and system pods in any case; ``nodes`` and ``system`` add them to the list of what is not needed.
    """
    classes = LabelClasses(cluster)
    finder = EndFinder(cluster, classes)
    needs, unknown = declared(finder, texts)
    more, unsure, notes = observed(finder, flows, log)
    needs += more
    unknown += unsure
    touched = touched_namespaces(cluster, classes, needs)
    needs = [
        need
        for need in needs
        if _touches(classes, need.source, touched) or _touches(classes, need.destination, touched)
    ]
    drafts = tuple(drafts_for(classes, needs, touched))
    notes += _assumed_ranges(drafts)
    suggested = replace(cluster, policies=policies(drafts))
    shown = FlowSelection(nodes=nodes, system=system)
    compared = NeedsCheck(cluster, suggested, classes, needs, families, ports, touched)
    return Suggestion(
        drafts,
        suggested,
        tuple(policy.meta.key for policy in cluster.policies),
        tuple(_connections(classes, needs, compared)),
        tuple(compared.not_needed(shown)),
        tuple(unknown),
        tuple(notes),
        compared.proof(shown),
        compared.questions,
    )


def _assumed_ranges(drafts: Iterable[PolicyDraft]) -> Iterator[str]:
    """Yield a note if ipBlocks leave out the pods' range and that is one that netlab takes by default."""
    from netlab.cluster.ranges import POD_DEFAULTS

    usual = {prefixes[0] for prefixes in POD_DEFAULTS.values()}
    rules = (rule for draft in drafts for direction in DIRECTIONS for rule in draft.rules(direction))
    holes = {hole for rule in rules for peer in rule.peers if peer.ip_block for hole in peer.ip_block.excepts}
    for hole in sorted(holes & usual, key=lambda prefix: prefix.version):
        yield (
            f"note: except {hole}: netlab takes this range for pods if the input states none; if your cluster has"
            " another one, write it into a Topology (spec.networks[].podCIDRs)"
        )


def from_today(
    cluster: Cluster, families: Sequence[int] = (), ports: Iterable[tuple[str, int | None]] = ()
) -> Suggestion:
    """Return the fewest rules of today's policies with which the same pairs pass."""
    questions = FlowSelection(
        tuple(dict.fromkeys((*_ports(cluster), *ports))), tuple(families), nodes=True, system=True
    )
    drafts = tuple(kept(cluster))
    suggested = replace(cluster, policies=policies(drafts))
    notes: list[str] = []
    found = differences({"today": cluster, "suggested": suggested}, questions)
    if found.found:
        # Settings of a CNI may read peers in a way that parts of a policy do not show. The policies stay as they are.
        drafts = tuple(_as_they_are(cluster))
        suggested = replace(cluster, policies=policies(drafts))
        found = differences({"today": cluster, "suggested": suggested}, questions)
        notes.append("the policies stay as they are: with fewer rules, other connections would pass")
    left = {f"{one.namespace}/{one.name}" for one in drafts}
    empty = [policy.meta.key for policy in cluster.policies if policy.meta.key not in left]
    if empty:
        notes.append(f"left out, as nothing changes without them: {few(empty, _FEW)}")
    tally = found.tallies["suggested"]
    changed = tuple(
        Pairs(source, end, one.asked, one.pairs, " became ".join(map(str, one.verdicts)))
        for one in found.found
        for source, end in [one.example]
        if not isinstance(end, Service)
    )
    return Suggestion(
        drafts,
        suggested,
        tuple(policy.meta.key for policy in cluster.policies),
        (),
        (),
        (),
        tuple(notes),
        Proof(tally["allow"], tally["deny"], 0, extra=changed),
        questions,
        keep=True,
    )


def _touches(classes: LabelClasses, end: End, touched: frozenset[str]) -> bool:
    return isinstance(end, Pods) and classes.all[end.number].namespace in touched


def _connections(classes: LabelClasses, needs: Iterable[Need], compared: NeedsCheck) -> Iterable[Connection]:
    for (source, destination, protocol, port), same in merged(needs).items():
        today = compared.today(same[0])
        yield Connection(
            *(end_name(classes, source), end_name(classes, destination), protocol, port),
            tuple(dict.fromkeys(str(need.why) for need in same)),
            *(today.get("allow", 0), today.get("deny", 0), today.get("unknown", 0)),
        )


def _ports(cluster: Cluster) -> dict[tuple[str, int | None], None]:
    """Return a port of each range that the policies of a cluster tell apart, those that pods declare, and ICMP."""
    return dict.fromkeys((*asked_ports(cluster), ("TCP", 80)))


def _as_they_are(cluster: Cluster) -> Iterable[PolicyDraft]:
    for policy in cluster.policies:
        rules = {
            direction: tuple(RuleDraft(rule.peers, rule.ports) for rule in policy.rules(direction))
            for direction in DIRECTIONS
        }
        types = tuple(direction for direction in DIRECTIONS if policy.isolates(direction))
        if types:
            yield PolicyDraft(
                *(policy.meta.namespace, policy.meta.name, policy.pod_selector, types),
                rules["ingress"],
                rules["egress"],
            )
