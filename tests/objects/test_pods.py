"""Pods and their ports."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from ipaddress import ip_address

import pytest

from netlab.errors import Problem
from netlab.objects import Objects
from netlab.objects.types import ContainerPort

Read = Callable[[str], tuple[Objects, list[Problem]]]


def pod(spec: str) -> str:
    return f"apiVersion: v1\nkind: Pod\nmetadata: {{name: a}}\nspec:\n{textwrap.indent(textwrap.dedent(spec), '  ')}"


def test_ports_are_those_of_all_containers_then_sidecars_in_order(read_text: Read) -> None:
    """An init container with restartPolicy Always is a sidecar. Ports of the others do not count."""
    objects, problems = read_text(
        pod("""\
        initContainers:
        - {name: init, ports: [{containerPort: 1}]}
        - {name: proxy, restartPolicy: Always, ports: [{containerPort: 15001, name: proxy}]}
        containers:
        - ports: [{containerPort: 80, name: http}, {containerPort: 53, protocol: UDP}]
        - {name: none}
        - ports: [{containerPort: 443, hostPort: 0}]
        """)
    )
    path = "spec.containers"

    assert [] == problems
    assert (
        ContainerPort(80, "TCP", "http", path=f"{path}[0].ports[0]"),
        ContainerPort(53, "UDP", path=f"{path}[0].ports[1]"),
        ContainerPort(443, path=f"{path}[2].ports[0]"),
        ContainerPort(15001, "TCP", "proxy", path="spec.initContainers[1].ports[0]"),
    ) == objects.pods[0].spec.ports


def test_where_a_pod_may_run_is_read(read_text: Read) -> None:
    """nodeName, nodeSelector and hostNetwork."""
    objects, problems = read_text(pod("nodeName: n-1\nnodeSelector: {zone: a}\nhostNetwork: true\n"))
    spec = objects.pods[0].spec

    assert [] == problems
    assert ("n-1", {"zone": "a"}, True) == (spec.node_name, spec.node_selector, spec.host_network)


def test_a_pod_needs_no_spec(read_text: Read) -> None:
    """A pod without a spec is valid."""
    objects, problems = read_text("{apiVersion: v1, kind: Pod, metadata: {name: a}}")

    assert [] == problems
    assert ("default", "a", ()) == (
        objects.pods[0].meta.namespace,
        objects.pods[0].meta.name,
        objects.pods[0].spec.ports,
    )


@pytest.mark.parametrize(
    ("status", "addresses"),
    [
        ("podIP: 10.0.0.1", ["10.0.0.1"]),
        ("podIP: 10.0.0.1, podIPs: [{ip: 10.0.0.1}, {ip: 'fd00::1'}]", ["10.0.0.1", "fd00::1"]),
        ("podIPs: [{ip: 'fd00::1'}]", ["fd00::1"]),
        ("", []),
    ],
)
def test_an_exported_pod_keeps_phase_and_addresses(read_text: Read, status: str, addresses: list[str]) -> None:
    """Also an address of a family that the lab does not have."""
    objects, problems = read_text(
        f"{{apiVersion: v1, kind: Pod, metadata: {{name: a}}, status: {{phase: Running, {status}}}}}"
    )

    assert [] == problems
    assert "Running" == objects.pods[0].phase
    assert [ip_address(a) for a in addresses] == list(objects.pods[0].addresses)


def test_an_exported_host_network_pod_is_accepted(problems: Callable[[str], list[str]]) -> None:
    """The API server adds a hostPort to each of its containerPorts."""
    assert [] == problems(pod("hostNetwork: true\ncontainers: [{ports: [{containerPort: 80, hostPort: 80}]}]"))


PORT = "spec.containers[0].ports[0]"
RANGE = "must be between 1 and 65535, inclusive"
WRONG = [
    ("no port", "{}", [f"{PORT}.containerPort: Required value"]),
    ("port 0", "{containerPort: 0}", [f"{PORT}.containerPort: Required value"]),
    ("port", "{containerPort: 65536}", [f"{PORT}.containerPort: Invalid value: 65536: {RANGE}"]),
    ("port a string", "{containerPort: '80'}", [f'{PORT}.containerPort: Invalid value: "80": must be an integer']),
    (
        "hostPort",
        "{containerPort: 80, hostPort: 65536}",
        [f"{PORT}.hostPort: Invalid value: 65536: must be between 1 and 65535, inclusive"],
    ),
    (
        "protocol",
        "{containerPort: 80, protocol: ICMP}",
        [f'{PORT}.protocol: Unsupported value: "ICMP": supported values: "SCTP", "TCP", "UDP"'],
    ),
    (
        "name",
        "{containerPort: 80, name: '80'}",
        [f'{PORT}.name: Invalid value: "80": must contain at least one letter (a-z)'],
    ),
]


@pytest.mark.parametrize(("port", "messages"), [w[1:] for w in WRONG], ids=[w[0] for w in WRONG])
def test_container_ports_are_checked(problems: Callable[[str], list[str]], port: str, messages: list[str]) -> None:
    """As in the API server."""
    assert messages == problems(pod(f"containers: [{{ports: [{port}]}}]"))


def test_a_containers_port_names_are_unique(problems: Callable[[str], list[str]]) -> None:
    """In one container. Two containers may share a name."""
    one, other = "{containerPort: 1, name: a}", "{containerPort: 2, name: a}"

    assert ['spec.containers[0].ports[1].name: Duplicate value: "a"'] == problems(
        pod(f"containers: [{{ports: [{one}, {other}]}}, {{ports: [{one}]}}]")
    )


def test_a_host_network_pods_host_port_is_its_container_port(problems: Callable[[str], list[str]]) -> None:
    """The pod has the node's ports."""
    assert [f"{PORT}.hostPort: Invalid value: 81: must match `containerPort` when `hostNetwork` is true"] == problems(
        pod("hostNetwork: true\ncontainers: [{ports: [{containerPort: 80, hostPort: 81}]}]")
    )


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("nodeName: A", 'spec.nodeName: Invalid value: "A": '),
        ("nodeSelector: {zone: 1}", "spec.nodeSelector.zone: Invalid value: 1: must be a string; put it in quotes"),
        ("hostNetwork: 'true'", 'spec.hostNetwork: Invalid value: "true": must be a boolean'),
        ("containers: {}", "spec.containers: Invalid value: {}: must be a list"),
        ("containers: [a]", 'spec.containers[0]: Invalid value: "a": must be a mapping'),
    ],
)
def test_what_netlab_reads_of_a_spec_is_checked(problems: Callable[[str], list[str]], spec: str, message: str) -> None:
    """Each error has its path."""
    (found,) = problems(pod(spec))

    assert found.startswith(message)


def test_an_exported_address_that_is_none_is_an_error(problems: Callable[[str], list[str]]) -> None:
    """netlab reads it, so it is checked."""
    assert [
        'status.podIP: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'
    ] == problems("{apiVersion: v1, kind: Pod, metadata: {name: a}, status: {podIP: x}}")


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("kind: Pod\nmetadata:\n  name: a\n  labels:\n    app: web\n    app: db\n", "metadata.labels.app"),
        (
            "kind: Pod\nmetadata: {name: a}\nspec:\n  nodeName: a\n\n  nodeName: b\n",
            "spec.nodeName",
        ),
    ],
)
def test_a_field_that_is_written_twice_is_a_warning(read_text: Read, text: str, path: str) -> None:
    """As with kubectl, for kinds without strict decoding: the last one counts."""
    (found,) = read_text(f"apiVersion: v1\n{text}")[1]

    assert (7, path, "duplicate field: the last one counts", "warning") == (
        found.line,
        found.path,
        found.message,
        found.severity,
    )
