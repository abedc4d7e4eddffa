"""Secrets: netlab reads those of type ``kubernetes.io/tls`` that an Ingress names, and no value is in a message."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable

import pytest

from netlab.errors import Problem
from netlab.objects import Objects, to_record
from netlab.objects.documents import parse
from netlab.objects.reduced import reduced

Read = Callable[[str], tuple[Objects, list[Problem]]]
Errors = Callable[[str], list[str]]


def ingress(spec: str, annotations: str = "", name: str = "i") -> str:
    return (
        "{apiVersion: networking.k8s.io/v1, kind: Ingress, "
        f"metadata: {{name: {name}, namespace: shop, annotations: {{{annotations}}}}}, spec: {{{spec}}}}}"
    )


DEFAULT = "defaultBackend: {service: {name: web, port: {number: 80}}}"
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nhunter1\n-----END CERTIFICATE-----\n"
KEY = "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\n"
TLS = ingress(f"{DEFAULT}, tls: [{{secretName: cert}}]")


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def secret(fields: str, name: str = "cert", kind: str = "kubernetes.io/tls") -> str:
    return f"{{apiVersion: v1, kind: Secret, metadata: {{name: {name}, namespace: shop}}, type: {kind}, {fields}}}"


NO_BASE64 = "data.tls.crt: Invalid value: must be text in base64"
DATA = f"data: {{tls.crt: {encoded(CERTIFICATE)}, tls.key: {encoded(KEY)}, ca.crt: {encoded('hunter3')}}}"
STRINGS = f"stringData: {{tls.crt: {json.dumps(CERTIFICATE)}, tls.key: {json.dumps(KEY)}}}"


@pytest.mark.parametrize("fields", [DATA, STRINGS, f"data: {{tls.crt: {encoded('x')}, tls.key: eA==}}, {STRINGS}"])
def test_a_secret_that_an_ingress_names_is_read(read_text: Read, fields: str) -> None:
    """``stringData`` has precedence over ``data``. ``repr`` hides the key."""
    objects, problems = read_text(f"{secret(fields)}\n---\n{TLS}")
    (found,) = objects.tls_secrets

    assert [] == problems
    assert (CERTIFICATE, KEY) == (found.certificate, found.key)
    assert "hunter2" not in repr(found)


@pytest.mark.parametrize(
    "text",
    [
        secret(DATA),
        f"{secret(DATA, 'other')}\n---\n{ingress(DEFAULT)}",
        secret("data: {password: aHVudGVyMg==}", kind="Opaque"),
        secret("data: {password: 7}", kind="Opaque"),
        secret("data: {tls.crt: hunter2}"),
        "{apiVersion: v1, kind: Secret, metadata: {name: a}}",
        "{apiVersion: v1, kind: Secret, metadata: [], type: []}",
    ],
)
def test_other_secrets_are_left_out_without_a_message(read_text: Read, text: str) -> None:
    """netlab neither checks nor keeps them."""
    objects, problems = read_text(text)
    kept = json.dumps(to_record(reduced(parse(text, "x.yaml")[0])))

    assert ([], (), {}) == (problems, objects.tls_secrets, objects.skipped)
    assert "Secret" not in kept
    assert "hunter" not in kept


def test_a_record_keeps_two_fields_of_a_secret(read_text: Read) -> None:
    """An Ingress must name the Secret. The order of the documents does not matter."""
    text = f"{secret(DATA)}\n---\n{secret(DATA, 'other')}\n---\n{TLS}"
    documents = reduced(parse(text, "x.yaml")[0])

    assert ["Secret", "Ingress"] == [document.kind for document in documents]
    assert {
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "data": {"tls.crt": encoded(CERTIFICATE), "tls.key": encoded(KEY)},
    } == {name: documents[0].data[name] for name in ("kind", "type", "data")}
    assert [] == read_text(text)[1]


@pytest.mark.parametrize(
    ("fields", "messages"),
    [
        ("data: {}", ["data[tls.crt]: Required value", "data[tls.key]: Required value"]),
        (f"data: {{tls.crt: 'hunter2!', tls.key: {encoded(KEY)}}}", [NO_BASE64]),
        (f"data: {{tls.crt: 7, tls.key: {encoded(KEY)}}}", [NO_BASE64]),
        (f"data: {{tls.crt: /w==, tls.key: {encoded(KEY)}}}", [NO_BASE64]),
        ("data: [hunter2], stringData: {tls.crt: 1, tls.key: 2}", [
            "data: Invalid value: must be a mapping",
            "stringData.tls.crt: Invalid value: must be a string",
            "stringData.tls.key: Invalid value: must be a string",
        ]),
        (
            f"stringData: {{tls.crt: {'a' * (1 << 20)}, tls.key: b}}",
            ["data: Too long: may not be more than 1048576 bytes"],
        ),
    ],
    ids=["missing", "no base64", "number", "no text", "lists", "too long"],
)  # fmt: skip
def test_no_message_has_a_value_of_a_secret(problems: Errors, fields: str, messages: list[str]) -> None:
    """Messages may end up in logs."""
    assert messages == problems(f"{secret(fields)}\n---\n{TLS}")


def test_a_secret_without_pem_has_a_warning(read_text: Read) -> None:
    """A web server would refuse it."""
    _, problems = read_text(f"{secret('stringData: {tls.crt: a, tls.key: b}')}\n---\n{TLS}")

    assert ["data[tls.crt]", "data[tls.key]"] == [p.path for p in problems]
    assert {("warning", "has no PEM block of this type")} == {(p.severity, p.message) for p in problems}


def test_a_secret_that_is_missing_has_a_warning(read_text: Read) -> None:
    """The controller then uses its own certificate. A Secret of another namespace does not count."""
    elsewhere = secret(DATA).replace("namespace: shop", "namespace: other")
    objects, (problem,) = read_text(f"{elsewhere}\n---\n{TLS}")

    assert () == objects.tls_secrets
    assert ("warning", "spec.tls[0].secretName") == (problem.severity, problem.path)
    assert problem.message.startswith("no Secret shop/cert of type kubernetes.io/tls in the input")


def test_a_step_of_a_scenario_may_name_a_secret_of_its_resources(read_text: Read) -> None:
    """The objects after the step count."""
    _, problems = read_text(
        "{apiVersion: netlab/v1alpha1, kind: Scenario, metadata: {name: s}, "
        f"spec: {{steps: [{{apply: [{secret(DATA)}, {TLS}]}}, {{apply: [{TLS}]}}]}}}}"
    )

    assert [] == problems
