"""Tables of all pairs give the evaluator's reasons where nodes or policies differ in what a reason names only."""

from __future__ import annotations

from dataclasses import replace

from builders import cluster, pod, policy, rule, topology
from settings.random_settings import by_expansion

from netlab.cluster.flows import FlowSelection
from netlab.modes.wiring import Wiring
from netlab.objects.topology import TopologyPolicy


def test_each_node_has_its_own_address_in_reasons() -> None:
    """Also where no ipBlock tells the addresses apart."""
    nodes = topology(["a", "b", "c"], mode="overlay")
    networks = tuple(replace(one, wiring=Wiring(remote_node_source="tunnel")) for one in nodes.networks)
    of = cluster(replace(nodes, networks=networks), pod("x/a", node="a"), policy("x/p", "", ingress=[]))

    assert [] == [*by_expansion(of, FlowSelection(nodes=True))]


def test_a_refused_policy_is_named_for_the_pods_that_it_selects() -> None:
    """Also where no other policy has an effect."""
    settings = replace(topology(), policy=TopologyPolicy(named_ports="refuse-policy"))
    refused = policy("x/p", "app=p", ingress=[rule(ports=["web"])])
    of = cluster(settings, pod("x/a", "app=p"), pod("x/b", "app=q"), refused)

    assert [] == [*by_expansion(of, FlowSelection())]
