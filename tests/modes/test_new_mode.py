"""A new mode of an existing attachment and transport is one file (``host_gw.py``) and one line (``known``)."""

from __future__ import annotations

import runpy
from itertools import islice
from pathlib import Path

import pytest
from builders import cluster, flow, peer, pod, policy, rule, topology

from netlab import modes
from netlab.cluster import Cluster
from netlab.cluster.paths import path
from netlab.cluster.types import address_of
from netlab.conformance import edges, product, random_cases, upstream
from netlab.conformance.run import judges, run
from netlab.dataplane.node_rulesets import rulesets
from netlab.dataplane.wanted import wanted
from netlab.kernel.state import Link, Route
from netlab.objects.documents import parse
from netlab.objects.load import decode
from netlab.policy.evaluate import evaluate

_FILE = Path(__file__).with_name("host_gw.py")
_TOPOLOGY = """
apiVersion: netlab/v1alpha1
kind: Topology
spec:
  networks: [{name: default, mode: host-gw}]
"""


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Add the mode to the registry for one test: the one line."""
    monkeypatch.setitem(modes.MODES, "host-gw", runpy.run_path(str(_FILE))["MODE"])


def lab() -> Cluster:
    return cluster(
        topology(["n1", "n2"], mode="host-gw", hosts={"client": ["192.0.2.10"]}),
        pod("x/a", "app=a", node="n1", ports=["8080:80"]),
        pod("x/b", "app=b", node="n1"),
        pod("x/c", "app=c", node="n2"),
        policy("x/only-b", "app=c", ingress=[rule(peer("app=b"))]),
    )


def problems(text: str) -> list[str]:
    documents, broken = parse(text, "topology.yaml")
    return [one.message for one in (*broken, *decode(documents)[1])]


def test_without_its_line_it_is_no_mode() -> None:
    """The error names the modes that exist."""
    (message,) = problems(_TOPOLOGY)

    assert '"host-gw"' in message
    assert "macvlan" in message


def test_with_its_line_it_is_read(known: None) -> None:
    """A Topology may use the mode."""
    assert [] == problems(_TOPOLOGY)


def test_it_is_wired(known: None) -> None:
    """Each node has a bridge with its own range, and a route by the other node's address. There is no tunnel."""
    of = lab()
    node = wanted(of)["netlab.default.node.n1"]
    (links, routes) = (sorted(map(str, node.of(kind))) for kind in (Link, Route))

    assert of.node("n1").pod_cidrs != of.node("n2").pod_cidrs
    assert any("br-default" in link for link in links)
    assert not any("vxlan" in link for link in links)
    assert [f"{of.node('n2').pod_cidrs['default'][0]} via {of.node('n2').addresses[0]}"] == [
        " ".join(route.split()[1:4]) for route in routes if "10.244" in route
    ]


def test_its_paths_follow_from_its_traits(known: None) -> None:
    """Nodes are joined, outside hosts have a route to pods, and packets to the outside are masqueraded."""
    of = lab()

    def way(source: str, destination: str) -> tuple[object, bool, bool]:
        found = path(of, of.by_ref[source], of.by_ref[destination], 4)
        return found.seen_as, found.egress_enforced, found.ingress_enforced

    own = {ref: address_of(end, 4) for ref, end in of.by_ref.items()}
    assert (own["x/a"], True, True) == way("x/a", "x/c")
    assert (own["host:client"], False, True) == way("host:client", "x/a")
    assert (own["node:n1"], True, False) == way("x/a", "host:client")


def test_its_policies_are_evaluated(known: None) -> None:
    """A policy isolates a pod from pods of another node, and outside hosts reach a published port."""
    of = lab()

    assert "deny" == evaluate(of, flow(of, "x/a", "x/c")).verdict
    assert "allow" == evaluate(of, flow(of, "x/b", "x/c")).verdict
    assert "allow" == evaluate(of, flow(of, "host:client", "node:n1", "8080/TCP")).verdict


def test_its_rulesets_guard_masquerade_and_need_no_tunnel(known: None) -> None:
    """There are guards for the bridge and masquerade for the network, and no table for tunnels."""
    text = rulesets(lab())["n1"].text()

    assert "table bridge netlab {" in text
    assert "netlab_tunnels" not in text
    assert "netlab_routed" not in text
    assert "10.244.0.0/16" in text.split("set masq4")[1].split("}")[0]


def test_evaluator_and_ruleset_agree_in_it(known: None) -> None:
    """The conformance cases have the same verdicts from the evaluator and from the tracer of rulesets."""
    cases = [
        *islice(upstream.cases("host-gw"), 12),
        *islice(edges.cases("host-gw"), 0, None, 5),
        *islice(product.cases("host-gw"), 0, None, 25),
        *random_cases.cases(8, 4, "host-gw"),
    ]
    with judges(("evaluator", "tracer"), "host-gw") as panel:
        assert [] == [result.name for result in run(cases, panel) if not result.passed]
