"""Updates of objects in a running lab: what may not change, and what stays though the new document leaves it out.

Source: kubernetes pkg/registry/core/service (``patchAllocatedValues``), and the validation of the API groups.
"""

from __future__ import annotations

from typing import Any

import pytest

from netlab.errors import InputError
from netlab.objects import apply, decode
from netlab.objects.documents import parse

SERVICE = "{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {%s}}"
SLICE = "{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: a}, addressType: %s}"
CLASS = "{apiVersion: networking.k8s.io/v1, kind: IngressClass, metadata: {name: a}, spec: {controller: %s}}"
PORTS = "ports: [{port: 80}]"
BALANCED = "type: LoadBalancer, externalTrafficPolicy: Local, ports: [{port: 80}]"
NINTH = "clusterIP: 10.96.0.9"
SIXTH = "ipFamilies: [IPv6]"
ONCE = "may not change once set"


def updated(before: str, after: str) -> Any:
    """Return the object after an update."""
    (old,), (new,) = (parse(text, "x.yaml")[0] for text in (before, after))
    objects, problems = decode(apply([old], [new]))

    assert [] == [p for p in problems if p.severity == "error"]
    return next(one for kind, some in objects.found.items() if kind.__name__ != "Namespace" for one in some)


def refused(before: str, after: str) -> list[str]:
    """Return the errors of an update."""
    (old,), (new,) = (parse(text, "x.yaml")[0] for text in (before, after))
    with pytest.raises(InputError) as error:
        apply([old], [new])
    return [f"{p.path}: {p.message}" for p in error.value.problems]


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (f"{NINTH}, {PORTS}", f"clusterIP: 10.96.0.8, {PORTS}", f'clusterIPs[0]: Invalid value: ["10.96.0.8"]: {ONCE}'),
        (f"clusterIP: 10.96.0.9, {PORTS}", "clusterIP: None", f'clusterIPs[0]: Invalid value: ["None"]: {ONCE}'),
        (PORTS, "clusterIP: None", f'clusterIPs[0]: Invalid value: ["None"]: {ONCE}'),
        ("clusterIP: None", f"clusterIP: 10.96.0.8, {PORTS}", f'clusterIPs[0]: Invalid value: ["10.96.0.8"]: {ONCE}'),
        (f"ipFamilies: [IPv4], {PORTS}", f"{SIXTH}, {PORTS}", f'ipFamilies[0]: Invalid value: "IPv6": {ONCE}'),
        (
            f"{BALANCED}, loadBalancerClass: a.example/b",
            BALANCED,
            f"loadBalancerClass: Invalid value: null: {ONCE}",
        ),
        (
            f"{BALANCED}, healthCheckNodePort: 30001",
            f"{BALANCED}, healthCheckNodePort: 30002",
            "healthCheckNodePort: Forbidden: field is immutable",
        ),
    ],
)  # fmt: skip
def test_what_may_not_change_is_an_error(before: str, after: str, message: str) -> None:
    """In the API server's words."""
    assert [f"spec.{message}"] == refused(SERVICE % before, SERVICE % after)


def test_the_addresses_of_a_slice_and_the_controller_of_a_class_stay() -> None:
    """Both are immutable."""
    assert ['addressType: Invalid value: "IPv6": field is immutable'] == refused(SLICE % "IPv4", SLICE % "IPv6")
    assert ['spec.controller: Invalid value: "b.c/e": field is immutable'] == refused(CLASS % "b.c/d", CLASS % "b.c/e")
    assert "b.c/d" == updated(CLASS % "b.c/d", CLASS % "b.c/d").controller


@pytest.mark.parametrize(
    ("before", "after", "cluster_ip", "families"),
    [
        (f"clusterIP: 10.96.0.9, {PORTS}", PORTS, ["10.96.0.9"], ()),
        (f"clusterIP: 10.96.0.9, {PORTS}", f'clusterIP: "", {PORTS}', ["10.96.0.9"], ()),
        ("clusterIP: None", PORTS, [], ()),
        (
            f'clusterIP: 10.96.0.9, clusterIPs: [10.96.0.9, "fd00::9"], ipFamilies: [IPv4, IPv6], '
            f"ipFamilyPolicy: PreferDualStack, {PORTS}",
            PORTS,
            ["10.96.0.9", "fd00::9"],
            (4, 6),
        ),
        (
            f'clusterIP: 10.96.0.9, clusterIPs: [10.96.0.9, "fd00::9"], ipFamilyPolicy: PreferDualStack, {PORTS}',
            f"ipFamilyPolicy: SingleStack, {PORTS}",
            ["10.96.0.9"],
            (),
        ),
        (f"clusterIP: 10.96.0.9, {PORTS}", "type: ExternalName, externalName: a.example", [], ()),
        (PORTS, f"clusterIP: 10.96.0.9, {PORTS}", ["10.96.0.9"], ()),
    ],
)
def test_a_service_keeps_its_addresses(
    before: str, after: str, cluster_ip: list[str], families: tuple[int, ...]
) -> None:
    """If the new document leaves them out."""
    found = updated(SERVICE % before, SERVICE % after)

    assert cluster_ip == [str(ip) for ip in found.cluster_ips]
    assert found.headless == (before == "clusterIP: None")
    assert families == found.ip_families


def test_a_service_keeps_its_node_ports() -> None:
    """Each port of the same number and protocol, unless another port has it now."""
    before = "type: NodePort, ports: [{name: a, port: 80, nodePort: 30080}, {name: b, port: 81, nodePort: 30081}]"
    after = (
        "type: LoadBalancer, ports: [{name: a, port: 80}, {name: b, port: 81}, {name: c, port: 82, nodePort: 30081}]"
    )

    assert [30080, 0, 30081] == [port.node_port for port in updated(SERVICE % before, SERVICE % after).ports]
    assert [0] == [port.node_port for port in updated(SERVICE % before, SERVICE % PORTS).ports]


def test_a_service_keeps_the_port_of_its_health_checks() -> None:
    """While it is a LoadBalancer with the policy Local."""
    assert (
        30001 == updated(SERVICE % f"{BALANCED}, healthCheckNodePort: 30001", SERVICE % BALANCED).health_check_node_port
    )


def test_a_document_with_errors_changes_nothing() -> None:
    """Its own errors are reported, and no other."""
    (old,), (new,) = (parse(SERVICE % spec, "x.yaml")[0] for spec in (f"clusterIP: 10.96.0.9, {PORTS}", "clusterIP: x"))

    assert new.data == apply([old], [new])[0].data


def test_a_scenario_may_not_change_it_either() -> None:
    """The error is found before anything is built."""
    first, second = (SERVICE % f"clusterIP: 10.96.0.{n}, {PORTS}" for n in (8, 9))
    text = (
        "{apiVersion: netlab/v1alpha1, kind: Scenario, metadata: {name: s}, "
        f"spec: {{steps: [{{name: a, apply: [{first}]}}, {{name: b, apply: [{second}]}}]}}}}"
    )
    _, (problem,) = decode(parse(text, "x.yaml")[0])

    assert ("spec.clusterIPs[0]", f'Invalid value: ["10.96.0.9"]: {ONCE}') == (problem.path, problem.message)
