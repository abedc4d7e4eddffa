"""Namespace, Node and Service."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address, ip_network

import pytest

from netlab.errors import Problem
from netlab.objects import Objects
from netlab.objects.services import ServicePort

Read = Callable[[str], tuple[Objects, list[Problem]]]


def test_a_namespace_has_the_label_with_its_name(read_text: Read) -> None:
    """As every namespace of a cluster."""
    objects, problems = read_text("{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {team: a}}}")

    assert [] == problems
    assert {"team": "a", "kubernetes.io/metadata.name": "shop"} == objects.namespaces[0].meta.labels


def test_the_label_with_a_namespaces_name_cannot_be_another(read_text: Read) -> None:
    """The API server overwrites it, and a warning says so."""
    text = "{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {kubernetes.io/metadata.name: x, a: b}}}"
    objects, (problem,) = read_text(text)

    assert {"kubernetes.io/metadata.name": "shop", "a": "b"} == objects.namespaces[0].meta.labels
    assert ("warning", 1, "metadata.labels.kubernetes.io/metadata.name") == (
        problem.severity,
        problem.line,
        problem.path,
    )
    assert 'the API server sets it to the namespace\'s name: read as "shop"' == problem.message


def test_a_namespace_that_is_only_used_is_not_declared(read_text: Read) -> None:
    """Its labels are unknown, except its name."""
    objects, _ = read_text(
        "{apiVersion: v1, kind: Pod, metadata: {name: a}}\n---\n"
        "{apiVersion: v1, kind: Namespace, metadata: {name: shop}}"
    )

    assert {"default": False, "shop": True} == {n.meta.name: n.declared for n in objects.namespaces}


def test_a_namespaces_name_is_a_label(problems: Callable[[str], list[str]]) -> None:
    """It has no dots, unlike the names of most objects."""
    assert ['metadata.name: Invalid value: "a.b": must not contain dots'] == problems(
        "{apiVersion: v1, kind: Namespace, metadata: {name: a.b}}"
    )


def test_an_exported_node_has_pod_cidrs_and_internal_addresses(read_text: Read) -> None:
    """A node of a dual-stack cluster has both families of each."""
    objects, problems = read_text("""\
        apiVersion: v1
        kind: Node
        metadata: {name: ip-10-0-0-1.example.com, labels: {zone: a}}
        spec: {podCIDR: 10.244.1.0/24, podCIDRs: [10.244.1.0/24, "fd00::/64"]}
        status:
          addresses:
          - {type: ExternalIP, address: 192.0.2.1}
          - {type: InternalIP, address: 10.0.0.1}
          - {type: InternalIP, address: "fd00::1"}
          - {type: Hostname, address: ip-10-0-0-1}
        """)
    (node,) = objects.nodes

    assert [] == problems
    assert ("", {"zone": "a"}) == (node.meta.namespace, node.meta.labels)
    assert [ip_network("10.244.1.0/24"), ip_network("fd00::/64")] == list(node.pod_cidrs)
    assert [ip_address("10.0.0.1"), ip_address("fd00::1")] == list(node.addresses)


def test_a_nodes_single_pod_cidr_counts(read_text: Read) -> None:
    """If there are no podCIDRs, podCIDR is read."""
    objects, _ = read_text("{apiVersion: v1, kind: Node, metadata: {name: a}, spec: {podCIDR: 10.244.1.0/24}}")

    assert (ip_network("10.244.1.0/24"),) == objects.nodes[0].pod_cidrs


def test_services_are_decoded(read_text: Read) -> None:
    """Ports with numbers and names as targets."""
    objects, problems = read_text("""\
        apiVersion: v1
        kind: Service
        metadata: {name: web, namespace: shop}
        spec:
          selector: {app: web}
          clusterIP: None
          ports:
          - {port: 80, name: a}
          - {port: 53, protocol: UDP, targetPort: dns, name: dns}
          - {port: 1, targetPort: 8080, name: b}
        """)
    (service,) = objects.services

    assert [] == problems
    assert ({"app": "web"}, "None", "ClusterIP") == (service.selector, service.cluster_ip, service.type)
    assert (
        ServicePort(80, name="a"),
        ServicePort(53, "dns", "UDP", "dns"),
        ServicePort(1, 8080, name="b"),
    ) == service.ports


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{apiVersion: v1, kind: Node, metadata: {name: A}}", "metadata.name: Invalid value: "),
        (
            "{apiVersion: v1, kind: Node, metadata: {name: a}, spec: {podCIDRs: [x]}}",
            "spec.podCIDRs[0]: Invalid value: ",
        ),
        ("{apiVersion: v1, kind: Node, metadata: {name: a}, spec: {podCIDR: x}}", "spec.podCIDRs[0]: Invalid value: "),
        ("{apiVersion: v1, kind: Service, metadata: {name: -a}}", "metadata.name: Invalid value: "),
        (
            "{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {ports: [{}]}}",
            "spec.ports[0].port: Invalid value: 0: ",
        ),
        (
            "{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {ports: [{port: 1, targetPort: A-}]}}",
            "spec.ports[0].targetPort: Invalid value: ",
        ),
        (
            "{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {ports: [{port: 1, protocol: X}]}}",
            'spec.ports[0].protocol: Unsupported value: "X": supported values: "SCTP", "TCP", "UDP"',
        ),
        (
            "{apiVersion: v1, kind: Service, metadata: {name: a}, spec: []}",
            "spec: Invalid value: []: must be a mapping",
        ),
    ],
)
def test_what_netlab_reads_is_checked(problems: Callable[[str], list[str]], text: str, message: str) -> None:
    """Each error has its path."""
    assert any(found.startswith(message) for found in problems(text))


def test_fields_that_netlab_does_not_read_pass(problems: Callable[[str], list[str]]) -> None:
    """New fields of Kubernetes are no errors."""
    assert [] == problems("{apiVersion: v1, kind: Node, metadata: {name: a, new: 1}, spec: {taints: 5}, more: x}")
