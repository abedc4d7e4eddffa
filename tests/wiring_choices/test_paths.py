"""Paths and the evaluator under each choice of wiring: who reaches what, and which source address is seen."""

from __future__ import annotations

from typing import Any

import pytest
from wiring_choices.choices import Choice, topology_of

from netlab.cluster import Cluster
from netlab.cluster.paths import path
from netlab.conformance.cases import Cell
from netlab.conformance.judges import cluster_of, flow_of
from netlab.conformance.shorthand import block, document, pod, policy, rule
from netlab.errors import InputError
from netlab.objects.types import Document
from netlab.policy.evaluate import evaluate

A, B = "10.244.0.17", "10.244.1.17"
N1, N2 = "100.64.0.1", "100.64.0.2"


def lab(choice: Choice, *more: Document) -> Cluster:
    """Pod x/a on node-1, x/b and the host-network pod x/h on node-2, an outside host."""
    host = document("Pod", "x/h", {"nodeName": "node-2", "hostNetwork": True})
    pods = pod("x/a", "app=a", A, (), "node-1"), pod("x/b", "app=b", B, (), "node-2")
    return cluster_of([topology_of(choice), *pods, host, *more])


def seen(of: Cluster, source: str, destination: str) -> str:
    """Return the source address that the destination sees, "" without a path."""
    way = path(of, of.by_ref[source], of.by_ref[destination], 4)
    return str(way.seen_as) if way.connected else ""


MASQUERADED: list[tuple[str, dict[str, Any], str, str]] = [
    ("overlay", {}, N1, N1),
    ("overlay", {"masquerade": "outside-and-nodes"}, N1, N1),
    ("overlay", {"masquerade": "outside"}, A, N1),
    ("overlay", {"masquerade": "none", "outsideRoutes": True}, A, A),
    ("routed", {}, A, A),
    ("routed", {"masquerade": "outside"}, A, N1),
    ("routed", {"masquerade": "outside-and-nodes"}, N1, N1),
    ("bridge", {}, N1, N1),
    ("overlay", {"attachment": "routed", "masquerade": "outside"}, A, N1),
]


@pytest.mark.parametrize(("mode", "wiring", "at_node", "outside"), MASQUERADED)
def test_masquerade_says_who_sees_the_address_of_the_node(
    mode: str, wiring: dict[str, Any], at_node: str, outside: str
) -> None:
    """Another node and its host-network pod, and an outside host. The own node sees the pod."""
    of = lab(Choice(mode, wiring))

    assert [at_node, at_node] == [seen(of, "x/a", end) for end in ("node:node-2", "x/h")]
    assert outside == seen(of, "x/a", "host:out")
    assert A == seen(of, "x/a", "node:node-1")


@pytest.mark.parametrize("mode", ["bridge", "overlay", "routed"])
@pytest.mark.parametrize("routes", [True, False])
def test_outside_hosts_reach_pods_by_their_routes_in_every_mode(mode: str, routes: bool) -> None:
    """The reason names the choice where it is not the mode's own."""
    of = lab(Choice(mode, {"outsideRoutes": routes, "masquerade": "outside-and-nodes"}))
    decision = evaluate(of, flow_of(of, Cell("host:out", "x/b")))
    usual = mode == "routed"

    assert ("allow" if routes else "deny") == decision.verdict
    assert (routes != usual) == (f"(outsideRoutes: {str(routes).lower()})" in decision.reason) or not routes
    assert routes or "(outsideRoutes: false)" in decision.reason


SOURCES = [
    ("overlay", {}, N2),
    ("overlay", {"remoteNodeSource": "node"}, N2),
    ("overlay", {"remoteNodeSource": "tunnel"}, "10.244.1.0"),
    ("overlay", {"remoteNodeSource": "bridge"}, "10.244.1.1"),
    ("overlay", {"attachment": "routed", "remoteNodeSource": "tunnel"}, "10.244.1.0"),
    ("bridge", {"transport": "routes", "remoteNodeSource": "bridge"}, "10.244.1.1"),
    ("bridge", {"transport": "flat-vxlan", "remoteNodeSource": "bridge"}, "10.244.1.1"),
    ("overlay", {"attachment": "routed", "transport": "ipip", "remoteNodeSource": "tunnel"}, "10.244.1.0"),
]


@pytest.mark.parametrize(("mode", "wiring", "address"), SOURCES)
def test_a_pod_sees_another_node_by_the_chosen_address(mode: str, wiring: dict[str, Any], address: str) -> None:
    """And its host-network pods. The own node and other nodes see the node's own address."""
    of = lab(Choice(mode, wiring))

    assert [address, address] == [seen(of, source, "x/a") for source in ("node:node-2", "x/h")]
    assert [N2, N2] == [seen(of, "node:node-2", end) for end in ("node:node-1", "x/b")]


def test_an_ip_block_matches_the_address_that_is_seen() -> None:
    """The reason names the address and the choice."""
    chosen = Choice("overlay", {"remoteNodeSource": "tunnel"})
    ports = {80: "10.244.0.0/16", 81: f"{N2}/32"}
    of = lab(chosen, policy("x/p", "app=a", ingress=[rule("ingress", [block(b)], [str(p)]) for p, b in ports.items()]))
    found = [evaluate(of, flow_of(of, Cell("node:node-2", "x/a", "TCP", port))) for port in (80, 81)]

    assert ["allow", "deny"] == [one.verdict for one in found]
    assert ["(remoteNodeSource: tunnel)"] * 2 == [one.reason[-26:] for one in found]
    assert "node:node-2, which comes as 10.244.1.0, on 81/TCP" in found[1].reason


@pytest.mark.parametrize("source", ["node:node-2", "x/h"])
def test_the_chosen_address_is_never_a_pods(source: str) -> None:
    """With ``ipBlockPods: ignore`` an ipBlock matches it, though it is in the range of pods."""
    chosen = Choice("overlay", {"remoteNodeSource": "tunnel"}, {"ipBlockPods": "ignore"})
    of = lab(chosen, policy("x/p", "app=a", ingress=[rule("ingress", [block("10.244.0.0/16")])]))

    assert ["allow", "deny"] == [evaluate(of, flow_of(of, Cell(end, "x/a"))).verdict for end in (source, "x/b")]


@pytest.mark.parametrize("source", ["node:node-2", "x/h"])
def test_the_chosen_address_is_the_nodes(source: str) -> None:
    """With ``ipBlockNodes: ignore`` no ipBlock matches it."""
    chosen = Choice("overlay", {"remoteNodeSource": "tunnel"}, {"ipBlockNodes": "ignore"})
    of = lab(chosen, policy("x/p", "app=a", ingress=[rule("ingress", [block("10.244.0.0/16")])]))

    assert ["deny", "allow"] == [evaluate(of, flow_of(of, Cell(end, "x/a"))).verdict for end in (source, "x/b")]


@pytest.mark.parametrize(("masquerade", "verdict"), [("outside", "deny"), ("outside-and-nodes", "allow")])
def test_the_reason_names_the_choice_where_another_node_translates(masquerade: str, verdict: str) -> None:
    """A policy behind a published port of another node sees the pod, or the pod's node."""
    port = {"name": "c", "ports": [{"containerPort": 80, "hostPort": 9090}]}
    published = document("Pod", "x/pub", {"nodeName": "node-2", "containers": [port]}, labels="app=pub")
    only_node = policy("x/p", "app=pub", ingress=[rule("ingress", [block(f"{N1}/32")])])
    of = lab(Choice("overlay", {"masquerade": masquerade}), published, only_node)
    decision = evaluate(of, flow_of(of, Cell("x/a", "node:node-2", "TCP", 9090)))

    assert verdict == decision.verdict
    assert decision.reason.endswith(f"(masquerade: {masquerade})")


@pytest.mark.parametrize("mode", ["bridge", "overlay", "routed"])
def test_what_comes_from_elsewhere_reaches_published_ports_only(mode: str) -> None:
    """With ``unpublished: drop``. The own node and pods beside it reach every port."""
    port = {"name": "c", "ports": [{"containerPort": 80, "hostPort": 9090}]}
    near = pod("x/c", "app=c", "10.244.0.18", (), "node-1")
    published = document("Pod", "x/pub", {"nodeName": "node-1", "containers": [port]})
    of = lab(Choice(mode, {"outsideRoutes": True}, {"unpublished": "drop"}), near, published)

    def verdict(source: str, destination: str, number: int = 80) -> str:
        return evaluate(of, flow_of(of, Cell(source, destination, "TCP", number))).verdict

    assert ["allow", "allow"] == [verdict(end, "x/a") for end in ("x/c", "node:node-1")]
    assert ["deny"] * 4 == [verdict(end, "x/a") for end in ("host:out", "node:node-2", "x/h", "x/b")]
    assert ["allow"] * 4 == [verdict(end, "node:node-1", 9090) for end in ("host:out", "node:node-2", "x/b", "x/c")]
    assert ["allow"] * 3 == [verdict("x/a", end) for end in ("host:out", "node:node-2", "x/h")]
    assert evaluate(of, flow_of(of, Cell("host:out", "x/a"))).reason.endswith("(unpublished: drop)")


@pytest.mark.parametrize(
    ("mode", "wiring", "place", "words"),
    [
        ("bridge", {"masquerade": "outside"}, ".masquerade", "nodes have no route to pods of other nodes"),
        ("bridge", {"masquerade": "none", "outsideRoutes": True}, ".masquerade", "use outside-and-nodes"),
        ("overlay", {"masquerade": "none"}, "", "outside hosts have no route to answer by"),
        ("routed", {"remoteNodeSource": "tunnel"}, "", "a node has no tunnel"),
        ("routed", {"remoteNodeSource": "bridge"}, "", "a node has no bridge"),
        ("bridge", {"remoteNodeSource": "bridge"}, "", "a node has no bridge"),
    ],
)
def test_choices_that_do_not_fit_are_errors(mode: str, wiring: dict[str, Any], place: str, words: str) -> None:
    """At the field of the Topology, before anything is built."""
    with pytest.raises(InputError) as raised:
        lab(Choice(mode, wiring))

    (problem,) = raised.value.problems
    assert f"spec.networks[0].wiring{place}" == problem.path
    assert words in problem.message
