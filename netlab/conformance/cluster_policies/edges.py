"""The edge cases of cluster-wide policies: what the API says, and what implementations differ in.

Cases whose name ends with ``(netlab's choice)`` are about what the API leaves open; ``docs/cluster-policies.md`` lists
the choices. ``UNJUDGED`` has the cases that no judge can answer, and why.
"""

from __future__ import annotations

from collections.abc import Iterator

from netlab.conformance.cases import Case, Stage, Unjudged, table
from netlab.conformance.cluster_policies.clusters import cluster
from netlab.conformance.cluster_policies.edge import CHOSEN, DENY_ALL_IN, ENDS, PODS_TO_A, admin
from netlab.conformance.cluster_policies.edges_of_reading import READING
from netlab.conformance.cluster_policies.edges_of_rules import PEERS, PORTS, SERVICES
from netlab.conformance.cluster_policies.edges_of_tiers import TIERS
from netlab.conformance.cluster_policies.refusals import refusals
from netlab.conformance.cluster_policies.shorthand import Policy

_NEW = "every probe is a new connection; spec.policy.established and its tests are about live ones"
_REASONS: tuple[tuple[int, str, str], ...] = (
    (36, "ICMP errors of an accepted connection pass", "probes provoke no such errors; a test with sockets shows it"),
    (70, "a policy changes under a live connection", _NEW),
    (71, "Deny drops, and does not reject", "both are deny; a test with sockets shows it"),
    (72, "GRE and ESP under Deny", "probes are TCP, UDP, SCTP and ICMP"),
)
UNJUDGED = tuple(Unjudged(f"edge/{number:02} {name}", why) for number, name, why in _REASONS)


def cases(mode: str) -> Iterator[Case]:
    """Yield every edge case that can be judged."""
    for edge in (*TIERS, *PORTS, *PEERS, *SERVICES, *READING):
        base = cluster(mode, edge.labels, ports=edge.ports)
        stages = []
        for number, (objects, denied) in enumerate(edge.states, start=1):
            found = [one.document(edge.version) if isinstance(one, Policy) else one for one in objects]
            stages.append(Stage(f"state {number}", (*base, *found), {**table(edge.ends, denied), **edge.cells}))
        name = f"edge/{edge.number:02} {edge.name}{CHOSEN if edge.chosen else ''}"
        yield Case(name, "edge", tuple(stages))
    yield from changes(mode)
    yield from refusals(cluster(mode))


def changes(mode: str) -> Iterator[Case]:
    """Yield the edge cases in which labels change."""
    on_tier, of_team = admin(DENY_ALL_IN, on="pods * / tier"), admin("Deny ns team")
    for name, given, (pods, spaces), denied in (
        ("a subject is relabelled", on_tier, ({"x/a": "pod=a,tier=1"}, {}), PODS_TO_A),
        ("a namespace is relabelled", of_team, ({}, {"y": "ns=y,team=1"}), "y/* > x/a"),
    ):
        states = ((cluster(mode), ""), (cluster(mode, pods, spaces), denied), (cluster(mode), ""))
        stages = (
            Stage(f"state {i}", (*documents, given.document()), table(ENDS, {"80": found}))
            for i, (documents, found) in enumerate(states, start=1)
        )
        yield Case(f"edge/69 {name}", "edge", tuple(stages))
