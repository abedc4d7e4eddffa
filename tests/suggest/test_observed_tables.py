"""``suggest --observed``: from the flows that pass today, the same pairs pass afterwards, and no others."""

from __future__ import annotations

import os
from dataclasses import replace
from random import Random

import pytest
from random_clusters import some_cluster

from netlab.cluster import Cluster, resolve
from netlab.cluster.flows import Flow, every_pair
from netlab.cluster.types import Pod, address_of
from netlab.conformance.random_cases import cases
from netlab.objects.flow_logs import FlowEnd, ObservedFlow
from netlab.objects.load import decode
from netlab.policy.evaluate import evaluate
from netlab.policy.suggest.results import Pairs
from netlab.policy.suggest.suggestion import from_needs

CLUSTERS = int(os.environ.get("NETLAB_CLUSTERS", "12"))


def told_apart(one: Cluster) -> Cluster:
    """Return the cluster with a label for each pod: without it, labels cannot tell some pods apart."""
    return replace(
        one, pods=tuple(replace(pod, labels={**pod.labels, "pod": f"{pod.namespace}-{pod.name}"}) for pod in one.pods)
    )


def allowed(one: Cluster) -> set[tuple[str, str, int, str, int | None]]:
    """Return the pairs that are allowed, on the ports that pods declare."""
    return {
        (flow.source.ref, flow.target, flow.family, flow.protocol, flow.port)
        for flow in every_pair(one)
        if evaluate(one, flow).verdict == "allow"
    }


def log_of(one: Cluster) -> list[ObservedFlow]:
    """Return a log of all flows that are allowed."""
    found: list[ObservedFlow] = []
    for flow in every_pair(one):
        if evaluate(one, flow).verdict == "allow":
            assert flow.destination is not None
            source, end = (
                FlowEnd(end.namespace, end.name)
                if isinstance(end, Pod)
                else FlowEnd(address=address_of(end, flow.family))
                for end in (flow.source, flow.destination)
            )
            found.append(ObservedFlow(source, end, flow.protocol, flow.port or 0, "passed", len(found) + 1))
    return found


def test_random_clusters_keep_the_table_that_their_flows_show() -> None:
    """Each flow that passes is observed once; the suggestion allows exactly these pairs."""
    for case in cases(CLUSTERS, 15):
        one = told_apart(resolve(decode(case.stages[0].documents)[0]))
        found = from_needs(one, (), log_of(one), "flows.jsonl")

        assert allowed(one) == allowed(found.suggested), case.name
        assert found.proof.holds, case.name
        assert () == found.unknown, case.name
        assert () == found.not_needed, case.name


def is_denied_today(one: Cluster, pairs: Pairs) -> bool:
    """Say whether a pair is one of the cluster's endpoints, and today's policies deny it."""
    if not {pairs.source.ref, pairs.destination.ref} <= one.by_ref.keys():
        return False
    address = address_of(pairs.destination, pairs.asked[0])
    return evaluate(one, Flow(pairs.source, pairs.destination, *pairs.asked, address)).verdict == "deny"


@pytest.mark.parametrize("seed", range(max(4, CLUSTERS // 3)))
def test_no_flow_is_lost_under_random_settings(seed: int) -> None:
    """Networks, modes, IP families, host-network pods and settings vary; what cannot be denied fails the proof.

    A need has no IP family, and a need of a host-network pod is one of its node's address. A cluster-wide policy may
    deny the other family, or another pod of the node. A suggestion cannot open these: the proof lists them.
    """
    one = told_apart(some_cluster(Random(seed)))  # noqa: S311
    found = from_needs(one, (), log_of(one), "flows.jsonl")

    assert allowed(one) <= allowed(found.suggested)
    assert not [pairs for pairs in found.proof.missing if not is_denied_today(one, pairs)]
