"""The rows about Services that sources share are those of the evaluator, one by one."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest
from builders import cluster, meta, peer, pod, policy, rule, topology

from netlab.cluster import Cluster, resolve
from netlab.cluster.flows import FlowSelection, service_ref
from netlab.conformance import service_cases
from netlab.objects import input_of
from netlab.objects.services import Service, ServicePort
from netlab.policy.bitsets import members
from netlab.policy.evaluate import evaluate
from netlab.policy.expand import Expansion
from netlab.policy.expand_services import ServiceExpansion
from netlab.policy.groups import groups
from netlab.report import expanded, formats
from netlab.report.expected import Expected
from netlab.report.groups import ReachabilityGroups
from netlab.report.reachability import Reachability
from netlab.report.rows import Row, Tally, endpoints_of, row_of
from netlab.report.table_of_groups import truth_table
from netlab.report.truth_table import TruthTable

ASKED = FlowSelection((), (), nodes=True, services=True, self_pairs=True)


def service(ref: str, text: str, last: int, *ports: ServicePort, **more: Any) -> Service:
    ips = (ip_address(f"10.96.0.{last}"), ip_address(f"fd00:10:96::{last}"))
    fields = {"selector": dict(one.split("=") for one in text.split(",")) if text else {}, "ports": ports, **more}
    return Service(meta(ref), cluster_ips=ips, ip_families=(4, 6), ip_family_policy="RequireDualStack", **fields)


def lab(mode: str, *extra: object) -> Cluster:
    """Policies of both directions, Services with two endpoints, one, none and no local one, on two nodes."""
    return cluster(
        topology(
            ["a", "b"],
            mode=mode,
            cidrs=("10.244.0.0/16", "fd00:10:244::/56"),
            hosts={"client": ["192.0.2.10"], "dual": ["192.0.2.11", "2001:db8::11"]},
        ),
        pod("x/client-a", "app=client", node="a"),
        pod("x/client-b", "app=client", node="b"),
        pod("x/other", "app=other", node="b"),
        pod("x/agent", host=True, node="a"),
        pod("shop/db-a", "app=db", node="a", ports=["sql=5432"]),
        pod("shop/db-b", "app=db,closed=yes", node="b", ports=["sql=15432"]),
        service("shop/db", "app=db", 50, ServicePort(80, "sql", name="s"), ServicePort(53, protocol="UDP", name="d")),
        service("shop/one", "closed=yes", 51, ServicePort(443, 8443)),
        service("shop/none", "app=none", 52, ServicePort(80)),
        service("shop/local", "app=db", 53, ServicePort(80), internal_traffic_policy="Local"),
        service("shop/agent", "app=db", 54, ServicePort(80), type="NodePort"),
        policy("shop/closed", "closed=yes", ingress=[rule(peer("app=client", ""), ports=["15432", "53/UDP"])]),
        policy("x/out", "app=client", egress=[rule(peer("app=db", ""), ports=["5432", "15432"])]),
        *extra,
    )


def one_by_one(of: Cluster, asked: FlowSelection = ASKED) -> Iterator[Row]:
    for flow in asked.flows(of):
        found = evaluate(of, flow)
        yield row_of(flow, found.verdict, None, found.reason, endpoints_of(found.endpoints))


@pytest.mark.parametrize("hairpin", ["subject", "exempt", "unwired"])
@pytest.mark.parametrize("mode", ["bridge", "overlay", "routed", "macvlan"])
def test_rows_and_json_agree_with_the_evaluator(mode: str, hairpin: Any) -> None:
    """In every mode, with and without policy on a pod that reaches itself."""
    of = lab(mode)
    of = replace(of, policy=replace(of.policy, hairpin=hairpin))
    wanted = list(one_by_one(of))
    result, tally = Reachability("lab", wanted, "reach"), Tally("reach")
    texts = expanded.json_rows(Expansion(of, ASKED), tally, ServiceExpansion(of, ASKED))

    assert wanted == list(expanded.rows(Expansion(of, ASKED), ServiceExpansion(of, ASKED)))
    assert json.loads("".join(formats.lines(result, "json")))["rows"] == json.loads(f"[{','.join(texts)}]")
    assert str(result.tally) == str(tally)
    assert len(wanted) == ASKED.count(of)
    if mode == "overlay":
        assert {"allow", "deny", "some"} == {row.expected for row in wanted}


def test_a_row_has_its_service_and_each_endpoint() -> None:
    of = lab("overlay")
    (row,) = [r for r in one_by_one(of) if r[:5] == ("x/client-a", "service:shop/db", 4, "TCP", 80)]

    assert "allow" == row.expected
    assert [
        {"pod": "shop/db-a", "address": "10.244.0.2", "port": 5432, "verdict": "allow"},
        {"pod": "shop/db-b", "address": "10.244.1.2", "port": 15432, "verdict": "allow"},
    ] == row.data()["endpoints"]


def test_ports_narrow_services_to_those_that_have_them() -> None:
    """A Service that netlab adds has rows only with --system, and one without a cluster IP has none."""
    of = lab("overlay")

    def asked(**more: Any) -> list[tuple[str, int]]:
        return [
            (q.service.meta.key, q.port)
            for q in FlowSelection(services=True, families=(4,), **more).service_questions(of)
        ]

    assert [("shop/one", 443)] == asked(ports=(("TCP", 443),))
    assert [] == asked(ports=(("UDP", 443),))
    assert "default/kubernetes" not in dict(asked())
    assert "default/kubernetes" in dict(asked(system=True))


def test_without_the_option_there_are_no_rows_of_services() -> None:
    of = lab("overlay")

    assert not any(row.destination.startswith("service:") for row in expanded.rows(Expansion(of, FlowSelection())))


@pytest.mark.parametrize("hairpin", ["subject", "exempt", "unwired"])
@pytest.mark.parametrize("mode", ["bridge", "overlay", "routed", "macvlan"])
def test_groups_have_one_verdict_towards_each_service(mode: str, hairpin: Any) -> None:
    """All members of a group have it, and the counts and tables are those of all pairs."""
    of = lab(mode)
    of = replace(of, policy=replace(of.policy, hairpin=hairpin))
    found = groups(of, ASKED)
    rows = list(one_by_one(of))
    wanted = {row[:5]: row.expected for row in rows}

    assert wanted.keys() >= {
        (member.ref, service_ref(one.question.service), *one.question[1:])
        for one in found.to_services
        for group in found.groups
        if one.asked >> group.number & 1
        for member in group.members
    }
    for one in found.to_services:
        for verdict, having in one.having.items():
            for number in members(having):
                for member in found.groups[number].members:
                    assert verdict == wanted[member.ref, service_ref(one.question.service), *one.question[1:]]
    assert Counter(row.expected for row in rows) == Counter(found.tally())
    assert list(TruthTable(rows).lines(80)) == list(truth_table(found, ASKED.endpoints(of)).lines(80))


def test_lists_and_the_document_of_groups_have_services() -> None:
    """A block for each Service, and an item for each of its ports."""
    of = lab("overlay")
    result = ReachabilityGroups(groups(of, FlowSelection(services=True, families=(4,))))
    document = json.loads("".join(formats.lines(result, "json")))
    text = "\n".join(formats.lines(result, "wide"))

    assert "service:shop/none, asked 80/TCP\n  from  none\n" in text
    assert "service:shop/one, asked 443/TCP\n  from  none\n" in text
    assert ["service:shop/db"] * 2 == [one["destination"] for one in document["services"]][1:3]
    asked = [one for one in document["services"] if one["destination"] == "service:shop/none"]
    assert [{"deny"}] == [set(one["sources"]) for one in asked]


def test_a_table_of_few_pairs_has_a_column_for_each_service() -> None:
    of = lab("overlay")
    lines = list(formats.lines(Expected(of, FlowSelection(services=True, families=(4,))), "table"))

    assert any("service:shop/db" in line for line in lines)


@pytest.mark.parametrize("hairpin", ["subject", "exempt", "unwired"])
@pytest.mark.parametrize("mode", ["bridge", "overlay", "routed"])
def test_random_clusters_have_the_rows_of_the_evaluator(mode: str, hairpin: Any) -> None:
    """The table of groups has their verdicts too."""
    ports = (("TCP", 80), ("TCP", 30100), ("UDP", 53), ("SCTP", 80), ("TCP", 443))
    asked = replace(ASKED, ports=ports, system=True)
    for case in service_cases.cases(8, 1, mode):
        of = resolve(input_of(case.stages[0].documents).objects)
        of = replace(of, policy=replace(of.policy, hairpin=hairpin))
        wanted = list(one_by_one(of, asked))

        assert wanted == list(expanded.rows(Expansion(of, asked), ServiceExpansion(of, asked)))
        table = truth_table(groups(of, asked), asked.endpoints(of))
        assert list(TruthTable(wanted).lines(80)) == list(table.lines(80))
