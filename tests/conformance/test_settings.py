"""The choices of ``spec.policy``, value by value: evaluator, ruleset and packets follow the same one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import pytest
from sizes import samples

from netlab.cluster.types import address_of
from netlab.conformance import random_cases
from netlab.conformance.base_cluster import base_cluster, topology
from netlab.conformance.cases import Cell, Stage, Verdict
from netlab.conformance.disagreements import disagreements
from netlab.conformance.judges import Judge, cluster_of, flow_of
from netlab.conformance.run import judges
from netlab.conformance.shorthand import block, document, peer, policy, rule
from netlab.lab.temporary import temporary
from netlab.objects import decode
from netlab.objects.types import Document
from netlab.ruleset.compile import compile_rulesets
from netlab.testing.tracer import Packet, Tracer

WITHOUT_KERNEL = ("evaluator", "tracer")
MEMBERS = ("x/a", "x/b", "y/a")
POLICY = policy(
    "x/p",
    "pod=a",
    ingress=[rule("ingress", [peer("pod=b")], ["80"]), rule("ingress", [block("10.244.0.0/16")], ["81"])],
    egress=[rule("egress", [block("0.0.0.0/0")], ["81"])],
)
USUAL: dict[Cell, Verdict] = {
    Cell("x/b", "x/a"): "allow",
    Cell("y/a", "x/a"): "deny",
    Cell("y/a", "x/a", "UDP", 80): "deny",
    Cell("y/a", "x/a", "TCP", 81): "allow",
    Cell("x/a", "y/a", "TCP", 81): "allow",
    Cell("x/a", "y/a"): "deny",
    Cell("x/a", "host:out", "TCP", 81): "allow",
    Cell("x/b", "x/a", "ICMP", None): "deny",
    Cell("x/a", "y/a", "ICMP", None): "deny",
    Cell("x/a", "node:node-1"): "allow",
    Cell("x/a", "node:node-1", "TCP", 81): "allow",
    Cell("x/a", "node:node-1", "ICMP", None): "allow",
    Cell("x/b", "node:node-1"): "allow",
    Cell("node:node-1", "x/a"): "allow",
}
"""The verdicts with all defaults; ``VALUES`` has the verdicts that differ."""

VALUES: list[tuple[str, str, Mapping[Cell, str]]] = [
    ("icmp", "rules-without-ports", {}),
    ("icmp", "allow", {Cell("x/b", "x/a", "ICMP", None): "allow", Cell("x/a", "y/a", "ICMP", None): "allow"}),
    ("deny", "drop", {}),
    ("deny", "reject", {}),
    ("ipBlockPods", "match", {}),
    ("ipBlockPods", "ignore", {Cell("y/a", "x/a", "TCP", 81): "deny", Cell("x/a", "y/a", "TCP", 81): "deny"}),
    ("ownNode", "allow", {}),
    ("ownNode", "enforce", {Cell("x/a", "node:node-1"): "deny", Cell("x/a", "node:node-1", "ICMP", None): "deny"}),
    ("established", "keep", {}),
    ("established", "reevaluate", {}),
]


def chosen(settings: Mapping[str, str], mode: str) -> Document:
    """Return the suite's topology with settings of ``spec.policy``."""
    usual = topology(mode)
    return replace(usual, data={**usual.data, "spec": {**usual.data["spec"], "policy": dict(settings)}})


def renamed(document: Document, name: str) -> Document:
    """Return the topology with another name."""
    return replace(document, data={**document.data, "metadata": {"name": name}})


def stage(settings: Mapping[str, str], differs: Mapping[Cell, Verdict], mode: str = "bridge") -> Stage:
    documents = (chosen(settings, mode), *base_cluster(members=MEMBERS, mode=mode)[1:], POLICY)
    return Stage(" ".join(f"{k}={v}" for k, v in settings.items()), documents, {**USUAL, **differs})


@pytest.fixture(scope="module", params=["bridge", "overlay", "routed"])
def packets(request: pytest.FixtureRequest) -> Iterator[tuple[str, dict[str, Judge]]]:
    """A running lab of one mode; tests change its settings."""
    with judges(("packets",), request.param) as panel:
        yield request.param, panel


@pytest.mark.parametrize(("name", "value", "differs"), VALUES, ids=lambda v: v if isinstance(v, str) else "")
def test_evaluator_and_ruleset_follow_the_setting(name: str, value: str, differs: Mapping[Cell, Verdict]) -> None:
    """A value changes the verdicts of its row, and no others."""
    with judges(WITHOUT_KERNEL) as panel:  # type: ignore[arg-type]
        assert [] == list(map(str, disagreements(stage({name: value}, differs), panel)))


@pytest.mark.kernel
@pytest.mark.parametrize(("name", "value", "differs"), VALUES, ids=lambda v: v if isinstance(v, str) else "")
def test_packets_follow_the_setting(
    packets: tuple[str, dict[str, Judge]], name: str, value: str, differs: Mapping[Cell, Verdict]
) -> None:
    """In every mode that enforces policy, also after a change from another value."""
    mode, panel = packets

    assert [] == list(map(str, disagreements(stage({name: value}, differs, mode), panel)))


@pytest.mark.kernel
@pytest.mark.parametrize(("value", "verdict"), [("ignore", "deny"), ("match", "allow")])
def test_selectors_match_host_network_pods_if_the_setting_says_so(
    packets: tuple[str, dict[str, Judge]], value: str, verdict: Verdict
) -> None:
    """They match the node's address, so they also match packets of the node and of its other host-network pods.

    In bridge mode it is the pod's own node, which always reaches its pods.
    """
    mode, panel = packets
    node = "node-1" if mode == "bridge" else "node-2"
    usual = stage({"hostNetworkPeers": value, "ownNode": "enforce"}, {}, mode)
    hosted = [document("Pod", f"y/{n}", {"hostNetwork": True, "nodeName": node}, labels=f"pod={n}") for n in "hi"]
    host_pod = peer("pod=h", "ns=y")
    opening = policy(
        "x/h", "pod=a", ingress=[rule("ingress", [host_pod], ["80"])], egress=[rule("egress", [host_pod], ["80"])]
    )
    there: dict[Cell, Verdict] = {
        Cell("x/a", end, "TCP", port): verdict if port == 80 else "deny"
        for end in ("y/h", "y/i", f"node:{node}")
        for port in (80, 82)
    }
    back: dict[Cell, Verdict] = {
        Cell(end, "x/a"): "allow" if mode == "bridge" else verdict for end in ("y/h", "y/i", f"node:{node}")
    }
    asked = Stage(usual.name, (*usual.documents, *hosted, opening), there | back | {Cell("y/a", "x/a"): "deny"})
    with judges(WITHOUT_KERNEL) as others:  # type: ignore[arg-type]
        assert [] == list(map(str, disagreements(asked, others | panel)))


@pytest.mark.parametrize("name", [*dict.fromkeys(name for name, _, _ in VALUES), "hostNetworkPeers"])
def test_the_first_value_is_the_default(name: str) -> None:
    """A Topology without ``spec.policy`` has the first value of each setting."""
    default = next((value for known, value, _ in VALUES if known == name), "ignore")
    written, _ = decode([chosen({name: default}, "bridge")])
    unwritten, _ = decode([topology("bridge")])

    assert written.topology is not None
    assert unwritten.topology is not None
    assert unwritten.topology.policy == written.topology.policy


OTHERWISE = {
    "icmp": "allow",
    "deny": "reject",
    "ipBlockPods": "ignore",
    "ownNode": "enforce",
    "hostNetworkPeers": "match",
    "established": "reevaluate",
}


@pytest.mark.parametrize("settings", [*({name: value} for name, value in OTHERWISE.items()), OTHERWISE], ids=len)
@pytest.mark.parametrize("mode", ["bridge", "overlay"])
def test_random_policies_under_every_setting(settings: dict[str, str], mode: str) -> None:
    """Evaluator and tracer agree on random clusters, with each setting and with all at once."""
    cases = list(random_cases.cases(samples(15), 7, mode))
    stages = [
        replace(s, documents=(chosen(settings, mode), *(d for d in s.documents if d.kind != "Topology")))
        for case in cases
        for s in case.stages
    ]
    with judges(WITHOUT_KERNEL) as panel:  # type: ignore[arg-type]
        assert [] == [str(wrong) for s in stages for wrong in disagreements(s, panel)]


@pytest.mark.kernel
@pytest.mark.parametrize(("value", "words"), [("drop", "never arrived"), ("reject", "rejected on the way")])
def test_a_denied_packet_is_dropped_or_rejected(value: str, words: str) -> None:
    """A dropped packet gets no answer. The node answers a rejected packet of any protocol."""
    documents = stage({"deny": value}, {}).documents
    objects, _ = decode([renamed(documents[0], value), *documents[1:]])
    cells = (Cell("y/a", "x/a"), Cell("y/a", "x/a", "UDP", 80), Cell("x/b", "x/a", "ICMP", None))
    with temporary(objects) as lab:
        measured = list(lab.probe([flow_of(lab.cluster, cell) for cell in cells]))

    assert ["deny"] * 3 == [m.verdict for m in measured]
    assert [True] * 3 == [m.reason.startswith(words) for m in measured]


@pytest.mark.parametrize(("value", "verdict"), [("keep", "accept"), ("reevaluate", "drop")])
def test_the_ruleset_judges_connections_again_with_reevaluate(value: str, verdict: str) -> None:
    """A packet of an established connection, which current policies deny."""
    cluster = cluster_of(stage({"established": value}, {}).documents)
    tracer = Tracer(compile_rulesets(cluster)["node-1"])
    source, destination = (address_of(cluster.by_ref[ref], 4) for ref in ("y/a", "x/a"))

    assert source is not None
    assert destination is not None
    assert verdict == tracer.verdict(Packet(source, destination, "TCP", 80, "established")).verdict
    assert "accept" == tracer.verdict(Packet(source, destination, "TCP", 81, "established")).verdict
