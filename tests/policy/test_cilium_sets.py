"""Random sets of Cilium's policies: a naive model, the evaluator, its groups, the ruleset and packets agree.

``make verify-cilium`` runs more of them.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import product
from random import Random

import cilium_model
import pytest
from sizes import samples

from netlab.cluster import Cluster
from netlab.cluster.flows import Flow, FlowSelection
from netlab.cluster.types import Endpoint, address_of
from netlab.conformance.judges import cluster_of, packets, tracer
from netlab.objects.types import Document
from netlab.policy.evaluate import evaluate
from netlab.policy.expand import Expansion
from netlab.policy.groups import groups
from netlab.report import expanded
from netlab.report.rows import row_of

SETS = int(os.environ.get("NETLAB_SETS", "0")) or samples(12)
PROBES = (("TCP", 80), ("TCP", 81), ("UDP", 80), ("UDP", 81), ("ICMP", None))


def documents(seed: int) -> list[Document]:
    return cilium_model.some_documents(Random(f"cilium {seed}"))  # noqa: S311  the same sets every time, not a secret


def asked(of: Cluster) -> list[Flow]:
    """Return the flows between pods, nodes and outside hosts with an end that is a pod, over IPv4 and IPv6."""
    ends: list[Endpoint] = [*of.pods, *of.nodes, *of.hosts]
    pods = {id(pod) for pod in of.pods if pod.selectable}
    return [
        Flow(source, to, family, protocol, port, address_of(to, family))
        for source, to in product(ends, ends)
        for protocol, port in PROBES
        for family in (4, 6)
        if source is not to and pods & {id(source), id(to)}
    ]


def wrong(of: Cluster, flows: Sequence[Flow], one: Sequence[str], other: Sequence[str]) -> list[str]:
    """Return the flows about which two judges disagree, as text."""
    return [
        f"{flow.source.ref} -> {flow.target} {flow.protocol} {flow.port}: {a}, {b}: {evaluate(of, flow).reason}"
        for flow, a, b in zip(flows, one, other, strict=True)
        if a != b
    ]


@pytest.mark.parametrize("part", range(4))
def test_judges_agree_on_random_sets(part: int) -> None:
    """The naive model, the evaluator and the tracer, for each pair and port; all policies are understood."""
    trace = tracer()
    for number in range(part, SETS, 4):
        given = documents(number)
        of = cluster_of(given)
        flows = asked(of)
        model = ["allow" if cilium_model.allows(given, of, flow) else "deny" for flow in flows]
        evaluated = [evaluate(of, flow).verdict for flow in flows]

        assert not of.unread
        assert [] == wrong(of, flows, model, evaluated), [one.data for one in given[9:]]
        assert [] == wrong(of, flows, trace(given, of, flows), evaluated), [one.data for one in given[9:]]


def test_groups_and_rows_agree_with_the_evaluator() -> None:
    """Reasons included."""
    selection = FlowSelection((("TCP", 80), ("UDP", 81), ("ICMP", None)), nodes=True, self_pairs=True)
    for seed in range(SETS):
        of = cluster_of(documents(seed))
        wanted = [row_of(one, (d := evaluate(of, one)).verdict, None, d.reason) for one in selection.flows(of)]
        found = {
            (source.ref, to.ref, *answer.service): answer.verdict
            for answer in groups(of, selection).answers()
            for source, to in product(answer.source.members, answer.destination.members)
            if (source is to) == answer.alone
        }

        assert {(r.source, r.destination, r.family, r.protocol, r.port): r.expected for r in wanted} == found
        assert wanted == list(expanded.rows(Expansion(of, selection)))


@pytest.mark.kernel
def test_packets_agree_on_random_sets() -> None:
    """Packets have the verdicts of the evaluator, in a lab that changes from set to set."""
    sets = [[*documents(0)[:9], *documents(seed)[9:]] for seed in range(SETS // 2)]
    with packets(sets[0]) as judge:
        for given in sets:
            of = cluster_of(given)
            flows = [one for one in asked(of) if one.protocol != "ICMP"]

            assert [] == wrong(of, flows, judge(given, of, flows), [evaluate(of, one).verdict for one in flows])
