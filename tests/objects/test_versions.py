"""Where API servers of different versions judge one object differently, and the field that chooses the version."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from name_messages import DNS_1035_LABEL

from netlab.errors import Problem
from netlab.objects import Objects

Read = Callable[[str], tuple[Objects, list[Problem]]]
CIDR = "spec.ingress[0].from[0].ipBlock.cidr"
FUTURE = "will be considered invalid in a future Kubernetes release"


def policy(cidr: str, metadata: str = "") -> str:
    return (
        f"{{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {{name: p, namespace: x{metadata}}}, "
        f"spec: {{podSelector: {{}}, ingress: [{{from: [{{ipBlock: {{cidr: '{cidr}'}}}}]}}]}}}}"
    )


def topology(version: str) -> str:
    return f"{{apiVersion: netlab/v1alpha1, kind: Topology, spec: {{kubernetesVersion: {version}}}}}"


def said(read_text: Read, *texts: str) -> list[tuple[str, str]]:
    return [(one.severity, f"{one.path}: {one.message}") for one in read_text("\n---\n".join(texts))[1]]


@pytest.mark.parametrize(
    ("cidr", "message"),
    [
        ("10.0.0.0/08", "must not have leading 0s in IP or prefix length"),
        ("010.0.0.0/8", "must not have leading 0s in IP or prefix length"),
        ("10.0.0.1/8", "must not have bits set beyond the prefix length"),
        ("fd00::1/8", "must not have bits set beyond the prefix length"),
        ("::ffff:10.0.0.0/104", "must not have an IPv4-mapped IPv6 address"),
    ],
)
def test_an_unusual_cidr_is_refused_since_1_36(read_text: Read, cidr: str, message: str) -> None:
    """It is a warning for older servers. The newest version is the default."""
    error = [("error", f'{CIDR}: Invalid value: "{cidr}": {message}')]

    assert error == said(read_text, policy(cidr))
    assert error == said(read_text, policy(cidr), topology('"1.36"'))
    assert ["warning"] == [severity for severity, _ in said(read_text, policy(cidr), topology('"1.35"'))]


def test_an_object_that_a_server_has_stored_keeps_its_cidr(read_text: Read) -> None:
    """Servers refuse it in new objects only. Exports have the uid that the server gave."""
    text = f'{CIDR}: non-standard CIDR value "10.0.0.0/08" '

    assert [("warning", f'{text}is invalid: use "10.0.0.0/8"')] == said(read_text, policy("10.0.0.0/08", ", uid: a-b"))
    assert [("warning", f'{text}{FUTURE}: use "10.0.0.0/8"')] == said(
        read_text, policy("10.0.0.0/08", ", uid: a-b"), topology('"1.35"')
    )


@pytest.mark.parametrize(("version", "unit"), [("1.34", "characters"), ("1.35", "bytes"), ("1.37", "bytes")])
def test_lengths_of_labels_are_in_bytes_since_1_35(read_text: Read, version: str, unit: str) -> None:
    """Lengths of names are in characters in all versions."""
    long = "a" * 64
    one = f"{{apiVersion: v1, kind: Namespace, metadata: {{name: {long}, labels: {{b: {long}}}}}}}"

    assert [
        ("error", f'metadata.name: Invalid value: "{long}": must be no more than 63 characters'),
        ("error", f'metadata.labels: Invalid value: "{long}": must be no more than 63 {unit}'),
    ] == said(read_text, one, topology(f'"{version}"'))


def test_the_name_of_a_service_may_begin_with_a_digit_since_1_36(read_text: Read) -> None:
    """Older servers take labels of RFC 1035 only, in Services and in the backends of Ingresses."""
    service = "{apiVersion: v1, kind: Service, metadata: {name: 1a, namespace: x}, spec: {ports: [{port: 80}]}}"
    ingress = (
        "{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: i, namespace: x}, "
        "spec: {ingressClassName: a, defaultBackend: {service: {name: 1a, port: {number: 80}}}}}"
    )

    assert [] == [one for one in said(read_text, service, ingress) if one[0] == "error"]
    assert [
        ("error", f'metadata.name: Invalid value: "1a": {DNS_1035_LABEL}'),
        ("error", f'spec.defaultBackend.service.name: Invalid value: "1a": {DNS_1035_LABEL}'),
    ] == [one for one in said(read_text, service, ingress, topology('"1.35"')) if one[0] == "error"]


@pytest.mark.parametrize("version", ['"1.20"', '"1.38"', '"1.37.2"', '"v1.37"', '"1.370"', '"2.1"', '""', '"x"'])
def test_a_version_that_netlab_does_not_know_is_refused(read_text: Read, version: str) -> None:
    """What a newer server would refuse is not known."""
    assert [
        (
            "error",
            f"spec.kubernetesVersion: Invalid value: {version}: must be a version of Kubernetes from 1.21 to 1.37, "
            "such as 1.37",
        )
    ] == said(read_text, topology(version))


def test_a_version_is_a_string(read_text: Read) -> None:
    """Without quotes 1.30 is the number 1.3."""
    assert [("error", "spec.kubernetesVersion: Invalid value: 1.3: must be a string; put it in quotes")] == said(
        read_text, topology("1.30")
    )
