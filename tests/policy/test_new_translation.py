"""A new translation is one value and one line: evaluator, groups, rows, probes and traces use it.

The translation here has two backend pods for port 30080/TCP of every node, and for port 80 of an address that no
machine has. The destination node translates the first and masquerades; the source's own node translates the second.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from ipaddress import ip_address
from itertools import product

import pytest
from builders import cluster, flow, pod, policy, rule, topology
from builders import peer as peer_of

from netlab.cluster import Cluster, translate
from netlab.cluster.flows import Flow, FlowSelection
from netlab.cluster.translate import Backend, Target, Translation
from netlab.cluster.types import Endpoint, Node, address_of
from netlab.conformance import judges
from netlab.lab import trace
from netlab.objects.types import Address
from netlab.policy.evaluate import evaluate
from netlab.policy.expand import Expansion
from netlab.policy.explain import explain
from netlab.policy.groups import groups
from netlab.policy.reachability import reachability
from netlab.probe.probes import Backends, Probe, ProbeMaker, Unsent
from netlab.probe.sockets import Sockets
from netlab.report import expanded, formats
from netlab.report.groups import lists, summary
from netlab.report.reachability import Reachability
from netlab.report.rows import Row, Tally, endpoints_of, row_of
from netlab.report.table_of_groups import truth_table
from netlab.report.truth_table import TruthTable
from netlab.testing import FakeKernel
from netlab.testing.tracer import Tracer  # noqa: F401  what the judge asks

VIRTUAL = ip_address("10.96.0.7")


def find(
    cluster: Cluster, destination: Endpoint | None, address: Address | None, protocol: str, port: int | None
) -> Target | None:
    node = destination if isinstance(destination, Node) else None
    if (protocol, port) != ("TCP", 30080 if node else 80) or not (node or address == VIRTUAL):
        return None
    pods = [one for one in cluster.pods if one.labels.get("app") == "web"]
    backends = tuple(Backend(one, own, 8080) for one in pods if (own := address_of(one, 4)) is not None)
    return Target(backends, node, "no pod has the label app=web", "served", masqueraded=node is not None)


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(translate, "TRANSLATIONS", (*translate.TRANSLATIONS, Translation("toy", find)))


def lab(*extra: object, mode: str = "overlay") -> Cluster:
    return cluster(
        topology(["a", "b"], mode=mode, hosts={"client": ["192.0.2.10"]}),
        pod("x/client", "app=client", node="a"),
        pod("x/far", "app=client", node="b"),
        pod("x/web-a", "app=web", node="a"),
        pod("x/web-b", "app=web", node="b"),
        *extra,
    )


CLOSED_ON_B = policy("x/p", "app=web", ingress=[rule(peer_of("app=client"))])
"""Selectors do not match a masqueraded source: a node always reaches its own pod, and not that of another node."""

ASKED = FlowSelection((("TCP", 30080), ("TCP", 80)), nodes=True, self_pairs=True)


def to_address(of: Cluster, source: str) -> Flow:
    return Flow(of.by_ref[source], None, 4, "TCP", 80, VIRTUAL)


def test_the_backends_and_the_source_that_each_hop_sees() -> None:
    """Egress sees the pod's address; ingress on another node sees the translating node's end of the tunnel."""
    of = lab()
    found = translate.translate(of, flow(of, "x/client", "node:a", "30080/TCP"))
    assert found is not None
    own, node = of.by_ref["x/client"].addresses[0], of.by_ref["node:a"].addresses[0]
    tunnel = of.node("a").pod_cidrs["default"][0][0]

    assert found.node is of.by_ref["node:a"]
    assert [("x/web-a", 8080), ("x/web-b", 8080)] == [(way.backend.name, way.backend.port) for way in found.flows]
    assert [(own, own, node), (own, tunnel, tunnel)] == [tuple(way.seen) for way in found.flows]


def test_a_source_translates_on_its_own_node() -> None:
    """The backend sees the source pod; an outside host has no node, so nothing translates."""
    of = lab()
    found = translate.translate(of, to_address(of, "x/client"))
    assert found is not None
    own = of.by_ref["x/client"].addresses[0]
    outside = evaluate(of, to_address(of, "host:client"))

    assert of.by_ref["node:a"] is found.node
    assert {(own, own, own)} == {tuple(way.seen) for way in found.flows}
    assert "deny" == outside.verdict
    assert "only nodes translate 10.96.0.7, and host:client is not a node" in outside.reason


def test_without_backends_the_verdict_is_deny_with_the_reason_of_the_translation() -> None:
    """No policy decides."""
    of = cluster(topology(["a"]), pod("x/client"))
    decision = evaluate(of, flow(of, "x/client", "node:a", "30080/TCP"))

    assert ("deny", "no pod has the label app=web") == (decision.verdict, decision.reason)
    assert "deny" == judges.tracer()([], of, [flow(of, "x/client", "node:a", "30080/TCP")])[0]


def test_backends_with_different_verdicts_are_some() -> None:
    """The reason names them; rows list each backend with its verdict."""
    of = lab(CLOSED_ON_B)
    decision = evaluate(of, flow(of, "x/client", "node:a", "30080/TCP"))
    row = row_of(decision.flow, decision.verdict, None, decision.reason, endpoints_of(decision.endpoints))

    assert "some" == decision.verdict
    assert (
        "1 of 2 endpoints allow (x/web-a): allowed by NetworkPolicy x/p spec.ingress[0].from[0]; 1 of 2 endpoints deny"
        " (x/web-b): ingress of x/web-b: NetworkPolicy x/p isolates it and no rule allows x/client, which comes as"
        " 10.244.0.0, on 8080/TCP, served as 30080/TCP" == decision.reason
    )
    assert [
        {"pod": "x/web-a", "address": "10.244.0.3", "port": 8080, "verdict": "allow"},
        {"pod": "x/web-b", "address": "10.244.1.3", "port": 8080, "verdict": "deny"},
    ] == row.data()["endpoints"]


@pytest.mark.parametrize("mode", ["bridge", "overlay", "routed", "macvlan"])
def test_groups_and_rows_agree_with_the_evaluator(mode: str) -> None:
    """For every pair, in numbers, rows, JSON and tables."""
    of = lab(CLOSED_ON_B, policy("x/out", "app=client", egress=[rule(peer_of("app=web"))]), mode=mode)
    found = groups(of, ASKED)
    wanted = [
        row_of(one, (d := evaluate(of, one)).verdict, None, d.reason, endpoints_of(d.endpoints))
        for one in ASKED.flows(of)
    ]
    tally, result = Tally("reach"), Reachability("lab", wanted, "reach")

    assert {(row.source, row.destination, row.port): row.expected for row in wanted} == dict(_expanded_groups(found))
    assert wanted == list(expanded.rows(Expansion(of, ASKED)))
    one_by_one, counted = "".join(formats.lines(result, "json")), result.tally
    assert json.loads(one_by_one) == json.loads(
        f'{{"apiVersion": "netlab/v1alpha1", "kind": "Reachability", "lab": "lab", "rows": ['
        f"{','.join(expanded.json_rows(Expansion(of, ASKED), tally))}]"
        f', "summary": {json.dumps(counted.data())}}}'
    )
    assert str(counted) == str(tally)
    assert list(TruthTable(wanted).lines(80)) == list(truth_table(found, ASKED.endpoints(of)).lines(80))
    if mode == "overlay":
        assert counted["some"] > 0
        assert f"{counted['some']} some" in summary(found)
        assert any("some endpoints: " in line for line in lists(found))


def _expanded_groups(found: object) -> Iterator[tuple[tuple[str, str, int | None], str]]:
    for answer in found.answers():  # type: ignore[attr-defined]
        for source, to in product(answer.source.members, answer.destination.members):
            if (source is to) == answer.alone:
                yield (source.ref, to.ref, answer.service[2]), answer.verdict


def test_explain_has_a_section_for_each_backend() -> None:
    """And the changes after which all backends allow."""
    of = lab(CLOSED_ON_B)
    text = str(explain(of, flow(of, "x/client", "node:a", "30080/TCP")))

    assert "By endpoint x/web-a, 10.244.0.3 on 8080/TCP: allow" in text
    assert "By endpoint x/web-b, 10.244.1.3 on 8080/TCP: deny" in text
    assert "To be allowed by all endpoints\n  x/web-b:\n    add a rule under spec.ingress" in text


def test_a_pair_that_some_backends_allow_is_no_edge_of_a_graph() -> None:
    """The graph's attribute ``some`` has it."""
    of = lab(CLOSED_ON_B)
    graph = reachability(of, [flow(of, "x/client", "node:a", "30080/TCP")])

    assert [] == list(graph.edges)
    assert {("x/client", "node:a"): [(4, "TCP", 30080)]} == graph.graph["some"]


def test_rows_agree_where_both_say_some() -> None:
    """And differ from any other verdict."""
    rows = [Row("a", "b", 4, "TCP", 80, "some", measured) for measured in ("some", "allow", "deny", "inconclusive")]

    assert ["agree", "differ", "differ", "inconclusive"] == [row.outcome for row in rows]


def test_the_tracer_of_conformance_agrees_with_the_evaluator() -> None:
    """It traces through each node's ruleset the packet that the node sees: translated, or not yet."""
    of = lab(CLOSED_ON_B)
    asked = [
        flow(of, source, to, "30080/TCP")
        for source in ("x/client", "x/far", "host:client")
        for to in ("node:a", "node:b")
    ]

    assert [evaluate(of, one).verdict for one in asked] == judges.tracer()([], of, asked)
    assert "some" in {evaluate(of, one).verdict for one in asked}


def test_there_is_a_probe_for_each_backend() -> None:
    """The packet goes to the destination address, and each backend must receive one of its own."""
    of = lab()
    sockets = Sockets(0, range(5000, 5004), FakeKernel().inside)
    maker = ProbeMaker(of, "some-lab", sockets)
    asked: dict[object, Probe] = {}
    try:
        by_node = maker.probe_of(flow(of, "x/client", "node:a", "30080/TCP"), asked)
        by_address = maker.probe_of(to_address(of, "x/client"), asked)
        again = maker.probe_of(to_address(of, "x/client"), asked)
    finally:
        sockets.close()
    assert isinstance(by_node, Backends)
    assert isinstance(by_address, Backends)
    questions = [question for _, question in (*by_node.probes, *by_address.probes)]
    assert all(isinstance(question, Probe) for question in questions)

    assert 4 == len(asked)
    assert again == by_address
    assert [
        ("x/web-a", "100.64.0.1", ["x/web-b"]),
        ("x/web-b", "100.64.0.1", ["x/web-a"]),
        ("x/web-a", "10.96.0.7", ["x/web-b"]),
        ("x/web-b", "10.96.0.7", ["x/web-a"]),
    ] == [
        (q.destination.endpoint.ref, q.sent_to.text, [other.endpoint.ref for other in q.others])
        for q in questions
        if isinstance(q, Probe)
    ]


def test_the_measured_verdict_of_backends_that_differ_is_some() -> None:
    """With an inconclusive backend it is inconclusive, unless others differ."""
    backend = Backend(None, VIRTUAL, 80)

    def measured(*verdicts: str) -> str:
        return Backends(tuple((backend, Unsent(verdict, "")) for verdict in verdicts)).verdict  # type: ignore[arg-type]

    assert ["some", "some", "inconclusive", "allow", "deny"] == [
        measured("allow", "deny"),
        measured("allow", "deny", "inconclusive"),
        measured("allow", "inconclusive"),
        measured("allow", "allow"),
        measured("deny"),
    ]


def test_trace_monitors_every_node_and_address_on_the_path() -> None:
    """The node that translates, and the nodes of all backends."""
    of = lab()
    asked = flow(of, "x/far", "node:a", "30080/TCP")
    match = trace._match(of, asked)
    assert match is not None

    assert ["b", "a"] == trace._nodes(of, asked)
    assert ["100.64.0.1", "10.244.0.3", "10.244.1.3"] == list(map(str, match.destinations))
    assert [30080, 8080] == list(match.ports)
