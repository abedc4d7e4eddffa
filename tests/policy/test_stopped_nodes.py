"""Stopped nodes: nothing reaches them, and evaluator, sets and tracer agree."""

from __future__ import annotations

from collections import Counter
from functools import partial

import pytest
from failing import Failing, pod, service, topology, workload

from netlab.cluster.flows import Flow, FlowSelection
from netlab.cluster.replacement import stop
from netlab.cluster.services.endpoints import endpoints
from netlab.cluster.services.routes import balancer_node
from netlab.cluster.types import Cluster
from netlab.conformance import judges
from netlab.policy.evaluate import evaluate
from netlab.policy.groups import groups

ALL = FlowSelection(nodes=True, self_pairs=True, system=True, services=True)
HOSTS = [{"name": "client", "addresses": ["192.0.2.10"]}]


def stopped(mode: str = "overlay") -> Cluster:
    """Return a cluster of three nodes with pods of all sorts, whose node n2 is stopped."""
    published = {"hostNetwork": True}
    state = Failing(
        topology("n1", "n2", "n3", mode=mode, hosts=HOSTS),
        workload("Deployment", "web", 3),
        workload("StatefulSet", "db", 6),
        workload("DaemonSet", "agent", of_pods=published),
        {**service("web"), "spec": {**service("web")["spec"], "type": "LoadBalancer", "externalIPs": ["198.51.100.1"]}},
        service("db"),
        pod("alone", "n2"),
    )
    return state.go(partial(stop, node="n2")).cluster


@pytest.mark.parametrize("mode", ["bridge", "overlay", "routed", "macvlan"])
def test_nothing_passes_a_stopped_node(mode: str) -> None:
    """Not even from one of its pods to itself, or to another one of them; and the reason names the node."""
    cluster = stopped(mode)
    decisions = [evaluate(cluster, flow) for flow in ALL.flows(cluster) if flow.service is None]
    ends = [{getattr(end, "node", end.name) for end in (d.flow.source, d.flow.destination) if end} for d in decisions]

    touching = [decision for decision, of in zip(decisions, ends, strict=True) if "n2" in of]

    assert touching
    assert {("deny", "node n2 is stopped")} == {(one.verdict, one.reason) for one in touching}
    assert not any("stopped" in one.reason for one in decisions if one not in touching)


def test_the_endpoints_of_a_stopped_node_leave_their_services() -> None:
    """They are not ready, and nodes send them nothing."""
    cluster = stopped()
    db = next(one for one in cluster.services if one.meta.name == "db")

    ready = {(one.node == "n2", one.ready) for one in endpoints(cluster, db, db.ports[0], 4)}

    assert {(True, False), (False, True)} == ready


def test_a_node_port_of_a_stopped_node_is_denied() -> None:
    """The Service has endpoints on other nodes, but the node does not translate."""
    cluster = stopped()
    web = next(one for one in cluster.services if one.meta.name == "web")
    client, node = cluster.by_ref["host:client"], cluster.by_ref["node:n2"]
    flow = next(f for f in ALL.flows(cluster) if f.source is client and f.destination is node)

    decision = evaluate(cluster, flow._replace(port=web.ports[0].node_port))

    assert ("deny", "node n2 is stopped") == (decision.verdict, decision.reason)


def test_a_load_balancer_leads_to_a_running_node() -> None:
    """Whichever node its address chose before."""
    cluster = stopped()
    (address,) = next(one for one in cluster.services if one.meta.name == "web").external_ips
    client = cluster.by_ref["host:client"]
    node = balancer_node(cluster, address)

    assert node is not None
    assert not node.stopped
    assert "allow" == evaluate(cluster, Flow(client, None, 4, "TCP", 80, address)).verdict


@pytest.mark.parametrize("mode", ["bridge", "overlay", "routed", "macvlan"])
def test_all_judges_without_packets_agree(mode: str) -> None:
    """The evaluator pair by pair, the evaluator over sets, and the tracer of the rulesets."""
    cluster = stopped(mode)
    flows = list(ALL.flows(cluster))

    one_by_one = judges.evaluator([], cluster, flows)
    traced = judges.tracer()([], cluster, flows)
    questions = FlowSelection(nodes=True, system=True)
    over_sets = groups(cluster, questions).tally()

    assert one_by_one == traced
    assert Counter(evaluate(cluster, flow).verdict for flow in questions.flows(cluster)) == Counter(over_sets)
