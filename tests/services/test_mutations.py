"""Faults in the translation, the selection of endpoints and the fragment of Services are found.

Two parties read the shared selection, so the table of kube-proxy judges it. The others are judged by each other: the
evaluator and the tracer, on random clusters.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from ipaddress import ip_address
from typing import Any

import pytest
from builders import cluster, flow, meta, node, pod, topology
from services import objects
from services.test_table import POLICIES, TABLE

from netlab.cluster import Cluster
from netlab.cluster.services import selection
from netlab.cluster.services.selection import NodeEndpoints
from netlab.cluster.translate import services as translation
from netlab.cluster.translate import translate
from netlab.cluster.types import address_of
from netlab.conformance import service_cases, shorthand
from netlab.conformance.cases import Case, Cell, Stage
from netlab.conformance.run import judges, run
from netlab.objects.services import LoadBalancerIngress, Service, ServicePort
from netlab.ruleset import service_elements
from netlab.ruleset.service_words import LOCAL_FROM_OUTSIDE, LOCAL_LIST, MASQUERADE

Fault = Callable[..., Any]
"""Takes what it replaces and returns what stands in for it."""

# --- the table --------------------------------------------------------------------------------------------------------

SOURCES = {"pod": "s/client", "node": "node:n1", "outside": "host:out"}
ZONES = {"n1": "a", "n2": "b", "n3": "a"}


def lab(*services: Service) -> Cluster:
    """Two nodes with endpoints, of which some end or are not ready, and one without."""
    pods = [
        pod("s/client", node="n1"),
        pod("s/other", node="n3"),
        pod("s/local", "app=s", node="n1"),
        pod("s/remote", "app=s", node="n2"),
        pod("s/leaves", "app=t", node="n1"),
        pod("s/ready", "app=t", node="n2"),
        pod("s/unready", "app=s,also=t", node="n1"),
    ]
    found = cluster(
        topology(["n1", "n2", "n3"], mode="overlay", hosts={"out": ["192.0.2.10"]}),
        *(node(name, f"topology.kubernetes.io/zone={zone}") for name, zone in ZONES.items()),
        *pods,
        *services,
    )
    states: dict[str, Any] = {"s/leaves": {"terminating": True}, "s/unready": {"ready": False}}
    return replace(found, pods=tuple(replace(one, **states.get(one.ref, {})) for one in found.pods))


def service(name: str, selector: str = "app=s", **more: Any) -> Service:
    number = 1 + (*POLICIES, "ending", "near").index(name)
    labels = dict(part.split("=") for part in selector.split(","))
    balancer = (LoadBalancerIngress(ip_address(f"198.18.0.{number}")),)
    port = (ServicePort(80, 8080, node_port=30000 + number),)
    return Service(meta(f"s/{name}"), labels, port, type="LoadBalancer", load_balancer=balancer, **more)


def used(of: Cluster, source: str, name: str, to: str) -> tuple[set[str], str]:
    """Return the endpoints of a connection, and whether they see the source of the client."""
    one = next(one for one in of.services if one.meta.name == name)
    own = {"ClusterIP": one.cluster_ips[0], "LoadBalancer": one.load_balancer[0].address}
    end, port = str(own.get(to) or address_of(of.node("n1"), 4)), 80 if to in own else one.ports[0].node_port
    asked = flow(of, source, "node:n1" if to == "NodePort" else end, f"{port}/TCP")
    found = translate(of, asked)
    assert found is not None
    return {way.backend.name for way in found.flows}, "M" if found.target.masqueraded else "-"


def wrong() -> list[str]:
    """Return the cells of the tables that the translation does not fill right."""
    of = lab(
        service("both"),
        service("external", external_traffic_policy="Local"),
        service("internal", internal_traffic_policy="Local"),
        service("ending", "app=t", external_traffic_policy="Local"),
        service("near", traffic_distribution="PreferClose"),
    )
    found = []
    for source, to, *cells in (line.split() for line in TABLE.strip().splitlines()):
        for i, policy in enumerate(POLICIES):
            which, seen = cells[2 * i : 2 * i + 2]
            if (source, to) == ("outside", "ClusterIP"):
                continue  # The range is not routed outside of the nodes.
            wanted = {"s/local", "s/remote"} if which == "all" else {"s/local"}
            if used(of, SOURCES[source], policy, to) != (wanted, seen):
                found.append(f"{source} to {to}, {policy}")
    for source, to, name, wanted in (
        ("s/client", "ClusterIP", "ending", {"s/ready"}),
        ("host:out", "NodePort", "ending", {"s/leaves"}),
        ("s/client", "ClusterIP", "near", {"s/local"}),
        ("s/other", "ClusterIP", "near", {"s/local"}),
    ):
        if used(of, source, name, to)[0] != wanted:
            found.append(f"{source} to {to}, {name}")
    return found


def test_the_tables_are_filled_right() -> None:
    """Without a fault: all cells but those of a ClusterIP from outside."""
    assert [] == wrong()


def local_is_everywhere(right: Fault) -> Fault:
    def found(*arguments: Any) -> NodeEndpoints:
        usual = right(*arguments)
        return replace(usual, local=usual.cluster)  # type: ignore[no-any-return]

    return found


def lists_change_places(right: Fault) -> Fault:
    def found(*arguments: Any) -> NodeEndpoints:
        usual = right(*arguments)
        return replace(usual, local=usual.cluster, cluster=usual.local)  # type: ignore[no-any-return]

    return found


def readiness_does_not_count(right: Fault) -> Fault:
    return lambda *arguments: tuple(replace(one, ready=True) for one in right(*arguments))


def hints_do_not_count(_: Fault) -> Fault:
    return lambda of, ready, name: ready


def none_leaves(_: Fault) -> Fault:
    return lambda one: False


def external_policy_does_not_count(right: Fault) -> Fault:
    return lambda face, source, internal, external: right(face, source, internal, "Cluster")


def internal_policy_is_for_all_faces(right: Fault) -> Fault:
    return lambda face, source, internal, external: right(face, source, internal, internal)


def pods_are_outside(right: Fault) -> Fault:
    return lambda face, source, *policies: right(face, "outside" if source == "pod" else source, *policies)


def nothing_is_masqueraded(right: Fault) -> Fault:
    return lambda *arguments: right(*arguments)._replace(masqueraded=False)


TABLE_FAULTS: list[tuple[Any, str, Fault]] = [
    (translation, "node_endpoints", local_is_everywhere),
    (translation, "node_endpoints", lists_change_places),
    (selection, "endpoints", readiness_does_not_count),
    (selection, "_near", hints_do_not_count),
    (selection, "_leaves", none_leaves),
    (translation, "handling", external_policy_does_not_count),
    (translation, "handling", internal_policy_is_for_all_faces),
    (translation, "handling", pods_are_outside),
    (translation, "handling", nothing_is_masqueraded),
]


@pytest.mark.parametrize(("where", "name", "fault"), TABLE_FAULTS, ids=[one[2].__name__ for one in TABLE_FAULTS])
def test_a_fault_of_the_evaluator_is_in_the_tables(
    monkeypatch: pytest.MonkeyPatch, where: Any, name: str, fault: Fault
) -> None:
    """A cell is filled wrong."""
    monkeypatch.setattr(where, name, fault(getattr(where, name)))

    assert wrong()


# --- the fragment -----------------------------------------------------------------------------------------------------


@cache
def cases() -> tuple[Case, ...]:
    return (_masquerade(), *service_cases.cases(60, 1, "overlay"))


def _masquerade() -> Case:
    """A policy allows the client, and the endpoint of another node sees the node that translates."""
    documents = (
        objects.topology("masquerade"),
        objects.pod("s/client", "app=client"),
        objects.pod("s/far", "app=s", "n2"),
        objects.service("s/s", "app=s", ("80@30100",), type="NodePort"),
        shorthand.policy("s/p", "app=s", ingress=[shorthand.rule("ingress", [shorthand.peer("app=client")])]),
    )
    cells = {Cell("s/client", "node:n1", "TCP", 30100): None}
    return Case("masquerade", "random", (Stage("in force", documents, cells),))


def differ() -> bool:
    """Say whether the evaluator and the tracer differ on a case."""
    with judges(("evaluator", "tracer"), "overlay") as panel:
        return any(not result.passed for result in run((replace(one, feature="") for one in cases()), panel))


def without_bits(bits: int) -> Fault:
    def fault(right: Fault) -> Fault:
        return lambda *arguments: ((place, word & ~bits) for place, word in right(*arguments))

    return fault


def every_policy_is_cluster(_: Fault) -> Fault:
    return lambda one: "Cluster"


def endpoints_in_another_order(right: Fault) -> Fault:
    def found(*arguments: Any) -> NodeEndpoints:
        usual = right(*arguments)
        return replace(usual, cluster=usual.cluster[::-1])  # type: ignore[no-any-return]

    return found


def the_service_port_is_the_target(right: Fault) -> Fault:
    def found(of: Any, service: Any, port: Any, *rest: Any) -> NodeEndpoints:
        usual = right(of, service, port, *rest)
        return replace(usual, cluster=tuple(replace(one, port=port.port) for one in usual.cluster))  # type: ignore[no-any-return]

    return found


def one_endpoint_is_lost(right: Fault) -> Fault:
    def found(*arguments: Any) -> NodeEndpoints:
        usual = right(*arguments)
        return replace(usual, cluster=usual.cluster[1:] or usual.cluster)  # type: ignore[no-any-return]

    return found


def all_ranges_hold_nothing(_: Fault) -> Fault:
    return lambda ranges, family: []


def no_source_is_a_pod(_: Fault) -> Fault:
    return lambda layout: iter(())


FRAGMENT_FAULTS: list[tuple[str, Fault, str]] = [
    ("_words", without_bits(MASQUERADE), "nothing is masqueraded"),
    ("_words", without_bits(LOCAL_LIST), "internal policy Local is not known"),
    ("_words", without_bits(LOCAL_FROM_OUTSIDE), "external policy Local is not known"),
    ("_external_policy", every_policy_is_cluster, "external policies are Cluster"),
    ("node_endpoints", endpoints_in_another_order, "another order of endpoints"),
    ("node_endpoints", the_service_port_is_the_target, "the Service's port in place of the pod's"),
    ("node_endpoints", one_endpoint_is_lost, "an endpoint is lost"),
    ("node_endpoints", local_is_everywhere, "local endpoints are those of all nodes"),
    ("_collapsed", all_ranges_hold_nothing, "source ranges are lost"),
    ("_pods_of", no_source_is_a_pod, "pods are taken for outsiders"),
]


@pytest.mark.parametrize(
    ("name", "fault"), [one[:2] for one in FRAGMENT_FAULTS], ids=[one[2] for one in FRAGMENT_FAULTS]
)
def test_a_fault_of_the_fragment_is_found(monkeypatch: pytest.MonkeyPatch, name: str, fault: Fault) -> None:
    """The tracer differs from the evaluator."""
    monkeypatch.setattr(service_elements, name, fault(getattr(service_elements, name)))

    assert differ()


@pytest.mark.parametrize("fault", [external_policy_does_not_count, nothing_is_masqueraded])
def test_a_fault_of_the_translation_is_found(monkeypatch: pytest.MonkeyPatch, fault: Fault) -> None:
    """The evaluator differs from the tracer."""
    monkeypatch.setattr(translation, "handling", fault(translation.handling))

    assert differ()


def test_without_a_fault_nothing_differs() -> None:
    """So a difference comes from the fault."""
    assert not differ()
