"""Packets through every front of random clusters have the expected verdicts; histories leave no traces.

``make verify-services`` runs more of them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from random import Random

import pytest
from services.random_clusters import MODES, documents

from netlab.cluster import Cluster
from netlab.cluster.flows import Flow, FlowSelection
from netlab.cluster.types import Endpoint, address_of
from netlab.conformance.shorthand import document
from netlab.lab.lab import Lab
from netlab.objects import Document, decode
from netlab.objects.meta import key_of
from netlab.objects.scenarios import LabelChange, ObjectRef
from netlab.policy.evaluate import evaluate

# Each takes a second or two: one in each mode.
SEEDS = [(seed, MODES[seed % 3]) for seed in range(int(os.environ.get("NETLAB_CLUSTERS", "3")))]


def of(seed: int, mode: str, name: str) -> list[Document]:
    """Return a random cluster as documents."""
    source = document("Pod", "x/y").source
    return [Document(data, source) for data in documents(seed, mode, name)]


def fronts(of: Cluster) -> Iterator[Flow]:
    """Yield flows from everywhere to each address and nodePort of each Service, and to a port that it does not have."""
    sources: list[Endpoint] = [*of.asked_pods(False), *of.hosts, *of.nodes]
    ends: dict[tuple[object, ...], Flow] = {}
    for one in of.services:
        balancers = [item.address for item in one.load_balancer if item.address is not None]
        asked = [("TCP", 9), *((port.protocol, port.port) for port in one.ports)]
        for address in (*one.cluster_ips, *one.external_ips, *balancers):
            for protocol, number in asked:
                end = of.by_address.get(address)
                ends[address, protocol, number] = Flow(of.nodes[0], end, address.version, protocol, number, address)
        for node in of.nodes:
            for port in one.ports:
                for family in of.families if port.node_port else ():
                    address_there = address_of(node, family)
                    key = (node.name, family, port.protocol, port.node_port)
                    ends[key] = Flow(of.nodes[0], node, family, port.protocol, port.node_port, address_there)
    for flow in ends.values():
        yield from (flow._replace(source=source) for source in sources)


def differences(lab: Lab) -> list[str]:
    """Return where packets differ from the evaluator, for each endpoint of a Service too."""
    cluster = lab.cluster
    pairs = FlowSelection(nodes=True, self_pairs=True, services=True).flows(cluster)
    found = []
    for one in lab.probe([*fronts(cluster), *pairs]):
        expected = evaluate(cluster, one.flow)
        wanted = [expected.verdict, *(each.verdict for each in expected.endpoints if one.backends)]
        if wanted != [one.verdict, *(each.verdict for each in one.backends)]:
            where = f"{one.flow.source.ref} {one.flow.target} {one.flow.protocol} {one.flow.port}"
            found.append(f"{where}: {wanted}, measured {one.verdict}: {one.reason}")
    return found


@pytest.mark.kernel
@pytest.mark.parametrize(("seed", "mode"), SEEDS)
def test_packets_agree_through_every_front(unique: Callable[[str], str], seed: int, mode: str) -> None:
    """From every pod, node and outside host; nothing is inconclusive."""
    objects, problems = decode(of(seed, mode, unique("fronts")))
    assert [] == [one for one in problems if one.severity == "error"]

    with Lab.temporary(objects) as lab:
        assert [] == differences(lab)


@pytest.mark.kernel
@pytest.mark.parametrize("mode", MODES)
def test_a_history_leaves_no_traces(unique: Callable[[str], str], mode: str) -> None:
    """After each change ``up`` has nothing to repair; at the end packets agree."""
    rng = Random(mode)  # noqa: S311
    given = of(1, mode, unique("history"))
    objects, _ = decode(given)

    with Lab.temporary(objects) as lab:
        for _ in range(2):
            some = rng.sample([one for one in given if one.kind not in ("Topology", "EndpointSlice")], 3)
            keys = [key_of(one) for one in some]
            lab.delete([ObjectRef(key.kind, key.name, key.namespace, api_version=key.api_version) for key in keys])
            assert [] == lab.drift()
            pod = rng.choice([one for one in lab.cluster.pods if not one.system])
            lab.label([LabelChange("pod", pod.ref, {"app": rng.choice("pq")})])
            lab.apply(some)
            assert [] == lab.drift()
        assert [] == differences(lab)
