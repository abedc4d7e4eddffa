"""``namedPorts``, ``endPort``, ``except``, ``selectors`` and ``isolation``: all judges follow each value.

Each row of ``VALUES`` has the verdicts that the value changes; ``USUAL`` has those of the defaults.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import replace
from random import Random

import pytest
from sizes import samples

from netlab.cluster import Cluster
from netlab.cluster.flows import Flow, FlowSelection
from netlab.conformance import random_cases
from netlab.conformance.base_cluster import base_cluster, topology
from netlab.conformance.cases import Cell, Stage, Verdict
from netlab.conformance.disagreements import disagreements
from netlab.conformance.judges import Judge, cluster_of, flow_of
from netlab.conformance.run import judges
from netlab.conformance.shorthand import block, peer, policy, rule
from netlab.objects.types import Document
from netlab.policy.evaluate import evaluate
from netlab.policy.expand import Expansion
from netlab.policy.placeholders import DESTINATION, SOURCE

WITHOUT_KERNEL = ("evaluator", "tracer")
ANNOTATION = "net.beta.kubernetes.io/network-policy"
DENIED = '{"ingress": {"isolation": "DefaultDeny"}}'
PORTS = {"y/a": ("web=80/TCP",), "y/b": ("web=81/TCP",), "x/a": ("web=80/TCP", "other=81/TCP")}
MEMBERS = ("x/a", "x/b", "y/a", "y/b", "z/a")

POLICIES = (
    policy(
        "x/named",
        "pod=a",
        ingress=[rule("ingress", [peer("pod=b")], ["web"]), rule("ingress", [peer(ns="ns=y")], ["82-84"])],
        egress=[rule("egress", [peer(ns="ns=y")], ["web"]), rule("egress", [peer(ns="ns=z")], ["80"])],
    ),
    policy(
        "z/blocks",
        "",
        ingress=[
            rule(
                "ingress",
                [
                    block("10.244.0.0/16", "10.244.1.32/32", "10.244.0.16/28"),
                    block("10.244.1.32/31"),
                    block("10.244.0.16/30"),
                ],
            ),
        ],
    ),
    policy("y/segments", "pod=b,romana.io/segment=s", ingress=[rule("ingress", [peer("pod=b", "ns=x")], ["81"])]),
)
USUAL: dict[Cell, Verdict] = {
    Cell("x/b", "x/a"): "allow",
    Cell("x/b", "x/a", "TCP", 81): "deny",
    Cell("x/b", "x/a", "UDP", 80): "deny",
    Cell("y/a", "x/a", "TCP", 82): "allow",
    Cell("y/a", "x/a", "TCP", 83): "allow",
    Cell("y/a", "x/a", "TCP", 85): "deny",
    Cell("x/a", "y/a"): "allow",
    Cell("x/a", "y/b", "TCP", 81): "allow",
    Cell("x/a", "y/a", "TCP", 81): "deny",
    Cell("x/a", "z/a"): "allow",
    Cell("x/b", "z/a"): "allow",
    Cell("y/a", "z/a"): "allow",
    Cell("y/b", "z/a"): "allow",
    Cell("z/a", "y/b"): "allow",
    Cell("z/a", "y/a"): "allow",
}
VALUES: list[tuple[str, str, Mapping[Cell, Verdict]]] = [
    ("namedPorts", "resolve", {}),
    (
        "namedPorts",
        "refuse-policy",
        {
            Cell("x/b", "x/a", "TCP", 81): "allow",
            Cell("x/b", "x/a", "UDP", 80): "allow",
            Cell("y/a", "x/a", "TCP", 85): "allow",
            Cell("x/a", "y/a", "TCP", 81): "allow",
        },
    ),
    ("namedPorts", "whole-protocol", {Cell("x/b", "x/a", "TCP", 81): "allow", Cell("x/a", "y/a", "TCP", 81): "allow"}),
    ("namedPorts", "skip-on-conflict", {Cell("x/a", "y/a"): "deny", Cell("x/a", "y/b", "TCP", 81): "deny"}),
    ("endPort", "honour", {}),
    ("endPort", "first-only", {Cell("y/a", "x/a", "TCP", 83): "deny"}),
    ("except", "per-peer", {}),
    (
        "except",
        "per-rule",
        {Cell("y/a", "z/a"): "deny", Cell("x/a", "z/a"): "deny", Cell("x/b", "z/a"): "deny"},
    ),
    ("except", "longest-prefix", {Cell("y/a", "z/a"): "deny"}),
    ("selectors", "labels", {}),
    (
        "selectors",
        "segment-label",
        {
            # Policy x/named covers the namespace and its peers are the namespace; a named port matches nothing.
            Cell("x/b", "x/a"): "deny",
            Cell("y/a", "x/a", "TCP", 82): "deny",
            Cell("y/a", "x/a", "TCP", 83): "deny",
            Cell("x/a", "y/a"): "deny",
            Cell("x/a", "y/b", "TCP", 81): "deny",
            Cell("x/a", "z/a"): "deny",
            Cell("x/b", "z/a"): "deny",
            Cell("y/a", "z/a"): "deny",
            Cell("y/b", "z/a"): "deny",
        },
    ),
    ("isolation", "policies", {}),
    (
        "isolation",
        "annotated-namespaces",
        {
            Cell("x/b", "x/a", "TCP", 81): "allow",
            Cell("x/b", "x/a", "UDP", 80): "allow",
            Cell("y/a", "x/a", "TCP", 85): "allow",
            Cell("x/a", "y/a"): "deny",
            Cell("x/a", "y/b", "TCP", 81): "deny",
            Cell("z/a", "y/a"): "deny",
            Cell("z/a", "y/b"): "deny",
            Cell("x/a", "y/a", "TCP", 81): "deny",
        },
    ),
]


def chosen(settings: Mapping[str, str], mode: str) -> Document:
    """Return the suite's topology with settings of ``spec.policy``."""
    usual = topology(mode)
    return replace(usual, data={**usual.data, "spec": {**usual.data["spec"], "policy": dict(settings)}})


def annotated(document: Document, name: str, text: str = DENIED) -> Document:
    """Return a document, with the annotation if it is a namespace of this name."""
    if document.kind != "Namespace" or document.data["metadata"]["name"] != name:
        return document
    metadata = {**document.data["metadata"], "annotations": {ANNOTATION: text}}
    return replace(document, data={**document.data, "metadata": metadata})


def stage(settings: Mapping[str, str], differs: Mapping[Cell, Verdict], mode: str = "bridge") -> Stage:
    base = base_cluster(ports=PORTS, members=MEMBERS, mode=mode)[1:]
    documents = (chosen(settings, mode), *(annotated(one, "y") for one in base), *POLICIES)
    return Stage(" ".join(f"{k}={v}" for k, v in settings.items()), documents, {**USUAL, **differs})


def disagreeing(cluster: Cluster, questions: FlowSelection) -> list[str]:
    """Return the pairs whose reason from the evaluator over sets differs from that of the plain evaluator."""
    expansion = Expansion(cluster, questions)
    wrong = []
    for source, line in expansion.lines():
        for question in line.questions:
            answer, end = line.answers[question.kind], question.destination
            if answer is None or end is source:
                continue
            asked = f"{source.ref} -> {end.ref} {question.port}/{question.protocol}"
            plain = evaluate(cluster, Flow(source, *question[:5]))
            reason = answer.reason.replace(SOURCE, source.ref).replace(DESTINATION, end.ref)
            if (plain.verdict, plain.reason) != (answer.verdict, reason):
                wrong.append(f"{asked}: {plain.verdict} {plain.reason} | {answer.verdict} {reason}")
    return wrong


def reason(settings: Mapping[str, str], cell: Cell) -> str:
    """Return the reason of a cell's verdict under settings."""
    cluster = cluster_of(stage(settings, {}).documents)
    return evaluate(cluster, flow_of(cluster, cell)).reason


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


@pytest.mark.parametrize(("name", "value", "differs"), VALUES, ids=lambda v: v if isinstance(v, str) else "")
def test_reasons_name_the_setting_that_decided(name: str, value: str, differs: Mapping[Cell, Verdict]) -> None:
    """The reason of a verdict has the setting if the verdict differs from that of the defaults.

    A policy without effect is named with every verdict of its pods, and segments with each side that they decide.
    """
    wide = value in ("refuse-policy", "segment-label", "annotated-namespaces")
    for cell in differs if wide else USUAL:
        assert (f"({name}: {value})" in reason({name: value}, cell)) == (cell in differs), cell


@pytest.mark.parametrize(("name", "value", "differs"), VALUES, ids=lambda v: v if isinstance(v, str) else "")
def test_the_evaluator_over_sets_gives_the_same_reasons(name: str, value: str, differs: Mapping[Cell, Verdict]) -> None:
    """Of all pairs and all ports in question."""
    cluster = cluster_of(stage({name: value}, {}).documents)
    ports = (("TCP", 80), ("TCP", 81), ("TCP", 83), ("UDP", 80), ("ICMP", None))

    assert [] == disagreeing(cluster, FlowSelection(ports=ports, nodes=True))


RANDOM = [(name, value) for name, value, differs in VALUES if differs]


@pytest.mark.parametrize(("name", "value"), RANDOM, ids=str)
@pytest.mark.parametrize("mode", ["bridge", "overlay"])
def test_random_policies_have_one_verdict(name: str, value: str, mode: str) -> None:
    """Evaluator, evaluator over sets and tracer agree on random policies."""
    with judges(WITHOUT_KERNEL) as panel:  # type: ignore[arg-type]
        for made in random_stages(samples(5), name, value, mode):
            assert [] == list(map(str, disagreements(made, panel)))
            assert [] == disagreeing(cluster_of(made.documents), FlowSelection(ports=(("TCP", 80), ("TCP", 81))))


@pytest.mark.kernel
@pytest.mark.parametrize(("name", "value"), RANDOM, ids=str)
def test_packets_have_the_verdicts_of_random_policies(
    packets: tuple[str, dict[str, Judge]], name: str, value: str
) -> None:
    """All three judges agree on random policies."""
    mode, panel = packets
    with judges(WITHOUT_KERNEL) as others:  # type: ignore[arg-type]
        for made in random_stages(1, name, value, mode):
            assert [] == list(map(str, disagreements(made, others | panel)))


def random_stages(count: int, name: str, value: str, mode: str) -> Iterator[Stage]:
    """Yield random stages under a setting; some namespaces and selectors have what the setting reads."""
    for number, case in enumerate(random_cases.cases(count, 12, mode)):
        rng = Random(number)  # noqa: S311
        for made in case.stages:
            documents = tuple(romana(annotated(d, rng.choice("xyz")), rng) for d in made.documents[1:])
            yield replace(made, documents=(chosen({name: value}, mode), *documents))


def romana(document: Document, rng: Random) -> Document:
    """Return a document in which labels ``tier`` are segments, and labels ``team`` of some selectors are tenants."""
    text = str(document.data).replace("'tier'", "'romana.io/segment'")
    if document.kind == "NetworkPolicy" and rng.random() < 0.5:
        text = text.replace("'team': '1'", "'namespace': 'y'")
    return replace(document, data=ast.literal_eval(text))
