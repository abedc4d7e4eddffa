"""``serviceEgress``: egress policies see a Service's address and port, or the endpoint's; all judges follow each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import pytest
from sizes import samples

from netlab.conformance import service_cases
from netlab.conformance.base_cluster import base_cluster, topology
from netlab.conformance.cases import Cell, Stage, Verdict
from netlab.conformance.disagreements import disagreements
from netlab.conformance.judges import Judge, cluster_of, flow_of
from netlab.conformance.run import judges
from netlab.conformance.shorthand import block, document, pairs, peer, policy, rule
from netlab.objects.types import Document
from netlab.policy.evaluate import evaluate
from netlab.policy.explain import explain
from netlab.ruleset.compile import compile_rulesets

WITHOUT_KERNEL = ("evaluator", "tracer")
MEMBERS = ("x/a", "x/b", "x/c", "y/a", "y/b", "z/a")
PORTS = {"y/a": ("web=80/TCP",), "y/b": ("web=80/TCP",)}
LABELS = {"y/a": "pod=a,tier=t"}
ADDRESS = "10.96.0.50"


def service(ref: str, selector: str, address: str, *ports: dict[str, object]) -> Document:
    """Return a Service with a cluster IP."""
    items = [{"name": f"p{i}", "protocol": "TCP", **port} for i, port in enumerate(ports)]
    return document("Service", ref, {"selector": pairs(selector), "clusterIP": address, "ports": items})


DOCUMENTS = (
    service("y/web", "pod=a", ADDRESS, {"port": 8080, "targetPort": 80}),
    service("y/named", "pod=b", "10.96.0.51", {"port": 81, "targetPort": "web"}),
    service("y/wide", "tier=t", "10.96.0.52", {"port": 80}),
    # a: the pods by selector and port; b: the cluster IP; c: the addresses of the pods.
    policy("x/a", "pod=a", egress=[rule("egress", [peer("pod=a", "ns=y")], ["80"])]),
    policy("x/b", "pod=b", egress=[rule("egress", [block(f"{ADDRESS}/32")], ["8080"])]),
    policy("x/c", "pod=c", egress=[rule("egress", [block("10.244.0.0/16")])]),
    policy("z/a", "", egress=[rule("egress", [peer("pod=b", "ns=y")], ["web"]), rule("egress", [peer(ns="ns=y")])]),
)
WEB, NAMED, WIDE = "service:y/web", "service:y/named", "service:y/wide"
USUAL: dict[Cell, Verdict] = {
    Cell("x/a", WEB, "TCP", 8080): "allow",
    Cell("x/a", "y/a"): "allow",
    Cell("x/a", WIDE): "allow",
    Cell("x/b", WEB, "TCP", 8080): "deny",
    Cell("x/b", "y/a"): "deny",
    Cell("x/c", WEB, "TCP", 8080): "allow",
    Cell("x/c", "y/a"): "allow",
    Cell("y/b", WEB, "TCP", 8080): "allow",
    Cell("z/a", NAMED, "TCP", 81): "allow",
    Cell("z/a", WEB, "TCP", 8080): "allow",
}
VALUES: list[tuple[str, Mapping[Cell, Verdict]]] = [
    ("post-dnat", {}),
    (
        "pre-dnat",
        {
            # The selector of Service y/wide lacks the label that the peer wants.
            Cell("x/a", WIDE): "deny",
            Cell("x/b", WEB, "TCP", 8080): "allow",
            Cell("x/c", WEB, "TCP", 8080): "deny",
        },
    ),
]


def chosen(value: str, mode: str) -> Document:
    """Return the suite's topology with the setting, and without DNS."""
    usual = topology(mode)
    return replace(
        usual, data={**usual.data, "spec": {**usual.data["spec"], "dns": False, "policy": {"serviceEgress": value}}}
    )


def stage(value: str, differs: Mapping[Cell, Verdict], mode: str = "bridge") -> Stage:
    documents = (chosen(value, mode), *base_cluster(LABELS, ports=PORTS, members=MEMBERS, mode=mode)[1:], *DOCUMENTS)
    return Stage(value, documents, {**USUAL, **differs})


@pytest.fixture(scope="module", params=["bridge", "overlay", "routed"])
def packets(request: pytest.FixtureRequest) -> Iterator[tuple[str, dict[str, Judge]]]:
    """A running lab of one mode; tests change its setting."""
    with judges(("packets",), request.param) as panel:
        yield request.param, panel


@pytest.mark.parametrize(("value", "differs"), VALUES, ids=lambda v: v if isinstance(v, str) else "")
def test_evaluator_and_ruleset_follow_the_setting(value: str, differs: Mapping[Cell, Verdict]) -> None:
    """A value changes the verdicts of its row, and no others."""
    with judges(WITHOUT_KERNEL) as panel:  # type: ignore[arg-type]
        assert [] == list(map(str, disagreements(stage(value, differs), panel)))


@pytest.mark.kernel
@pytest.mark.parametrize(("value", "differs"), VALUES, ids=lambda v: v if isinstance(v, str) else "")
def test_packets_follow_the_setting(
    packets: tuple[str, dict[str, Judge]], value: str, differs: Mapping[Cell, Verdict]
) -> None:
    """In every mode that enforces policy."""
    mode, panel = packets

    assert [] == list(map(str, disagreements(stage(value, differs, mode), panel)))


def test_reasons_name_the_setting_where_it_decided() -> None:
    """The endpoint's address would have another verdict."""
    cluster = cluster_of(stage("pre-dnat", {}).documents)
    for cell in (Cell("x/b", WEB, "TCP", 8080), Cell("x/c", WEB, "TCP", 8080)):
        assert "(serviceEgress: pre-dnat)" in evaluate(cluster, flow_of(cluster, cell)).reason
    for cell in (Cell("x/a", WEB, "TCP", 8080), Cell("x/a", "y/a")):
        assert "serviceEgress" not in evaluate(cluster, flow_of(cluster, cell)).reason


def test_an_explanation_says_why_a_rule_does_not_allow_a_service() -> None:
    """By its selectors and ports."""
    cluster = cluster_of(stage("pre-dnat", {}).documents)
    text = str(explain(cluster, flow_of(cluster, Cell("x/a", WIDE))))

    assert "it does not allow Service y/wide (serviceEgress: pre-dnat)" in text


def test_the_ruleset_is_as_before_without_the_setting() -> None:
    """No set, chain or lookup is added."""
    usual = "\n".join(one.text() for one in compile_rulesets(cluster_of(stage("post-dnat", {}).documents)).values())

    assert "eg_services" not in usual
    assert "egress_before_dnat" not in usual


@pytest.mark.parametrize("mode", ["bridge", "overlay"])
def test_random_services_have_one_verdict(mode: str) -> None:
    """Evaluator and tracer agree on random policies and Services."""
    with judges(WITHOUT_KERNEL) as panel:  # type: ignore[arg-type]
        for case in service_cases.cases(samples(8), 5, mode):
            for one in case.stages:
                made = replace(one, documents=(chosen("pre-dnat", mode), *one.documents[1:]))
                assert [] == list(map(str, disagreements(made, panel)))


@pytest.mark.kernel
def test_packets_to_random_services_have_the_verdicts(packets: tuple[str, dict[str, Judge]]) -> None:
    """All three judges agree."""
    mode, panel = packets
    with judges(WITHOUT_KERNEL) as others:  # type: ignore[arg-type]
        for case in service_cases.cases(3, 5, mode):
            for one in case.stages:
                made = replace(one, documents=(chosen("pre-dnat", mode), *one.documents[1:]))
                assert [] == list(map(str, disagreements(made, others | panel)))


def test_each_family_has_its_sets_and_lookups() -> None:
    """The chain is before the DNAT of Services, and the forward hook judges ingress only."""
    dual = [*stage("pre-dnat", {}).documents]
    network = {"name": "default", "mode": "bridge", "podCIDRs": ["10.244.0.0/16", "fd00:10:244::/56"]}
    dual[0] = replace(dual[0], data={**dual[0].data, "spec": {**dual[0].data["spec"], "networks": [network]}})
    text = compile_rulesets(cluster_of(dual))["node-1"].text()

    assert "type filter hook prerouting priority mangle" in text
    for family, word in ((4, "ip"), (6, "ip6")):
        assert f"meta priority . {word} daddr . meta l4proto . th dport @eg_services{family} return" in text
    forward = text.partition("chain forward {")[2].partition("\n\t}\n")[0]
    assert "egress_class" not in forward
    assert "ingress_class" in forward


def test_the_ruleset_loses_hairpins_that_are_unwired() -> None:
    """Of pods of the node, of Services only, and no answer."""
    documents = [*stage("post-dnat", {}).documents]
    spec = {**documents[0].data["spec"], "policy": {"hairpin": "unwired"}}
    documents[0] = replace(documents[0], data={**documents[0].data, "spec": spec})
    text = compile_rulesets(cluster_of(documents))["node-1"].text()

    own = 'iifname != "underlay0" ct direction original meta mark != 0x0'
    lost = f"{own} ip saddr . ip daddr @service_hairpins4 counter drop"
    assert lost in text
