"""Ingresses and IngressClasses: the API server's rules and messages, and rules between the two kinds.

Source: kubernetes pkg/apis/networking/validation, plugin/pkg/admission/network/defaultingressclass.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from name_messages import LABEL, SUBDOMAIN

from netlab.errors import Problem
from netlab.objects import Objects
from netlab.objects.ingresses import IngressBackend, IngressPath, IngressRule, IngressTls

Read = Callable[[str], tuple[Objects, list[Problem]]]
Errors = Callable[[str], list[str]]

WEB = "{service: {name: web, port: {number: 80}}}"
DEFAULT = f"defaultBackend: {WEB}"
WILDCARD = (
    "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of "
    "lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', "
    "regex used for validation is '\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
NO_DNS = "must be a DNS name, not an IP address"
HTTP = "spec.rules[0].http.paths"


def ingress(spec: str, annotations: str = "", name: str = "i") -> str:
    return (
        "{apiVersion: networking.k8s.io/v1, kind: Ingress, "
        f"metadata: {{name: {name}, namespace: shop, annotations: {{{annotations}}}}}, spec: {{{spec}}}}}"
    )


def rule(path: str, kind: str = "Prefix", backend: str = WEB) -> str:
    return f"rules: [{{http: {{paths: [{{path: '{path}', pathType: {kind}, backend: {backend}}}]}}}}]"


def ingress_class(name: str, default: str = "", spec: str = "controller: k8s.io/ingress-nginx") -> str:
    marks = f"ingressclass.kubernetes.io/is-default-class: {default}" if default else ""
    return (
        "{apiVersion: networking.k8s.io/v1, kind: IngressClass, "
        f"metadata: {{name: {name}, annotations: {{{marks}}}}}, spec: {{{spec}}}}}"
    )


WRONG = [
    ("", ["spec: Invalid value: null: either `defaultBackend` or `rules` must be specified"]),
    ("rules: [{host: 10.0.0.1}]", [f'spec.rules[0].host: Invalid value: "10.0.0.1": {NO_DNS}']),
    ("rules: [{host: A.b}]", [f'spec.rules[0].host: Invalid value: "A.b": {SUBDOMAIN}']),
    *(
        (f"rules: [{{host: '{host}'}}]", [f'spec.rules[0].host: Invalid value: "{host}": {WILDCARD}'])
        for host in ("*", "*.*.b", "a.*.b", "*b.c", "*.A")
    ),
    ("rules: [{http: {}}]", [f"{HTTP}: Required value"]),
    ("rules: [{http: {paths: []}}]", [f"{HTTP}: Required value"]),
    (
        f"rules: [{{http: {{paths: [{{path: /, backend: {WEB}}}]}}}}]",
        [f"{HTTP}[0].pathType: Required value: pathType must be specified"],
    ),
    (
        rule("/", "Regex"),
        [
            f'{HTTP}[0].pathType: Unsupported value: "Regex": supported values: "Exact", "ImplementationSpecific", '
            '"Prefix"'
        ],
    ),
    *(
        (rule(path, kind), [f'{HTTP}[0].path: Invalid value: "{path}": must be an absolute path'])
        for path, kind in (("", "Exact"), ("", "Prefix"), ("a", "Exact"), ("a", "ImplementationSpecific"))
    ),
    *(
        (rule(f"/a{bad}b", kind), [f"{HTTP}[0].path: Invalid value: \"/a{bad}b\": must not contain '{bad}'"])
        for bad in ("//", "/./", "/../", "%2f", "%2F")
        for kind in ("Exact", "Prefix")
    ),
    *(
        (rule(f"/a{end}"), [f"{HTTP}[0].path: Invalid value: \"/a{end}\": cannot end with '{end}'"])
        for end in ("/..", "/.")
    ),
    (
        "defaultBackend: {service: {name: a, port: {number: 80}}, resource: {kind: A, name: b}}",
        ['spec.defaultBackend: Invalid value: "": cannot set both resource and service backends'],
    ),
    (
        "defaultBackend: {serviceName: a, servicePort: 80}",
        [
            'spec.defaultBackend: Invalid value: "": resource or service backend is required; service.name and '
            "service.port are what serviceName and servicePort were in retired versions"
        ],
    ),
    ("defaultBackend: {}", ['spec.defaultBackend: Invalid value: "": resource or service backend is required']),
    (
        "defaultBackend: {service: {port: {number: 80}}}",
        ["spec.defaultBackend.service.name: Required value"],
    ),
    (
        "defaultBackend: {service: {name: -a, port: {number: 80}}}",
        [f'spec.defaultBackend.service.name: Invalid value: "-a": {LABEL}'],
    ),
    (
        "defaultBackend: {service: {name: a}}",
        ["spec.defaultBackend: Required value: port name or number is required"],
    ),
    (
        "defaultBackend: {service: {name: a, port: {number: 80, name: b}}}",
        ['spec.defaultBackend: Invalid value: "": cannot set both port name & port number'],
    ),
    (
        "defaultBackend: {service: {name: a, port: {name: a--b}}}",
        ['spec.defaultBackend.service.port.name: Invalid value: "a--b": must not contain consecutive hyphens'],
    ),
    *(
        (
            f"defaultBackend: {{service: {{name: a, port: {{number: {number}}}}}}}",
            [
                f"spec.defaultBackend.service.port.number: Invalid value: {number}: "
                "must be between 1 and 65535, inclusive"
            ],
        )
        for number in (-1, 65536)
    ),
    (f"{DEFAULT}, tls: [{{hosts: [a_b]}}]", [f'spec.tls[0].hosts[0]: Invalid value: "a_b": {SUBDOMAIN}']),
    (f"{DEFAULT}, tls: [{{hosts: ['*']}}]", [f'spec.tls[0].hosts[0]: Invalid value: "*": {WILDCARD}']),
    (f"{DEFAULT}, ingressClassName: A", [f'spec.ingressClassName: Invalid value: "A": {SUBDOMAIN}']),
]


@pytest.mark.parametrize(("spec", "messages"), WRONG, ids=[spec or "empty" for spec, _ in WRONG])
def test_what_the_api_server_refuses_is_an_error(problems: Errors, spec: str, messages: list[str]) -> None:
    """The message is the API server's, with the path of the field."""
    assert messages == problems(ingress(spec))


def test_a_secret_has_the_name_of_an_object(problems: Errors) -> None:
    """Without a name, the controller uses its own certificate."""
    assert [f'spec.tls[0].secretName: Invalid value: "a_b": {SUBDOMAIN}'] == problems(
        ingress(f"{DEFAULT}, tls: [{{secretName: a_b}}]")
    )
    assert [] == problems(ingress(f"{DEFAULT}, tls: [{{hosts: [a.b]}}]"))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("", "spec.controller: Required value"),
        (
            "controller: nginx",
            'spec.controller: Invalid value: "nginx": must be a domain-prefixed path (such as "acme.io/foo")',
        ),
        ("controller: a_b/c", f'spec.controller: Invalid value: "a_b": {SUBDOMAIN}'),
        (
            "controller: 'a.b/c d'",
            'spec.controller: Invalid value: "c d": Invalid path (regex used for validation is '
            "'[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+')",
        ),
        (f"controller: a.b/{'c' * 250}", "spec.controller: Too long: may not be more than 250 bytes"),
        (
            "controller: a.b/c, parameters: {scope: Namespace, kind: A, name: b}",
            "spec.parameters.namespace: Required value: `parameters.scope` is set to 'Namespace'",
        ),
        (
            "controller: a.b/c, parameters: {scope: Cluster, namespace: x, kind: A, name: b}",
            "spec.parameters.namespace: Forbidden: `parameters.scope` is set to 'Cluster'",
        ),
        (
            "controller: a.b/c, parameters: {scope: World, kind: A, name: b}",
            'spec.parameters.scope: Unsupported value: "World": supported values: "Cluster", "Namespace"',
        ),
    ],
)
def test_a_class_names_its_controller(problems: Errors, spec: str, message: str) -> None:
    """The name is a path with a domain."""
    assert [message] == problems(ingress_class("a", spec=spec))


def test_every_field_is_read(read_text: Read) -> None:
    """The fields are hosts, paths, backends by number and name, and certificates."""
    objects, problems = read_text(
        ingress(
            "ingressClassName: nginx, defaultBackend: {resource: {kind: Bucket, name: b}}, "
            "tls: [{hosts: [a.b, '*.a.b']}], "
            "rules: [{host: '*.a.b', http: {paths: ["
            f"{{path: /x, pathType: Exact, backend: {WEB}}}, "
            "{pathType: ImplementationSpecific, backend: {service: {name: api, port: {name: http}}}}]}}, {}]"
        )
    )
    (found,) = objects.ingresses

    assert [] == problems
    assert ("nginx", IngressBackend("")) == (found.class_name, found.default_backend)
    assert (IngressTls(("a.b", "*.a.b")),) == found.tls
    assert (
        IngressRule(
            "*.a.b",
            (
                IngressPath("/x", "Exact", IngressBackend("web", 80)),
                IngressPath("", "ImplementationSpecific", IngressBackend("api", "http")),
            ),
        ),
        IngressRule(""),
    ) == found.rules


OLD = "kubernetes.io/ingress.class: nginx"
OLD_PATH = "annotations.kubernetes.io/ingress.class"


def test_an_annotation_may_name_the_class(read_text: Read) -> None:
    """It has the API server's warning, and may not contradict the field."""
    objects, (warning,) = read_text(ingress(DEFAULT, OLD))
    _, problems = read_text(ingress(f"{DEFAULT}, ingressClassName: other", OLD))

    assert "nginx" == objects.ingresses[0].class_name
    assert ("warning", f"metadata.{OLD_PATH}") == (warning.severity, warning.path)
    assert (
        "annotation \"kubernetes.io/ingress.class\" is deprecated, please use 'spec.ingressClassName' instead"
        == warning.message
    )
    assert [f'{OLD_PATH}: Invalid value: "nginx": must match `ingressClassName` when both are specified'] == [
        f"{p.path}: {p.message}" for p in problems if p.severity == "error"
    ]


def test_annotations_of_a_controller_have_a_warning(read_text: Read) -> None:
    """netlab does not obey them. No message has their values."""
    _, (warning,) = read_text(ingress(DEFAULT, "nginx.ingress.kubernetes.io/rewrite-target: /hunter2"))

    assert "netlab does not obey nginx.ingress.kubernetes.io/rewrite-target" == warning.message


def test_the_default_class_is_filled_in(read_text: Read) -> None:
    """This happens if there is one default class and the Ingress has no class."""
    text = "\n---\n".join(
        (
            ingress_class("a"),
            ingress_class("b", '"true"'),
            ingress_class("c", '"false"'),
            ingress(DEFAULT),
            ingress(f"{DEFAULT}, ingressClassName: a", name="j"),
        )
    )
    objects, problems = read_text(text)

    assert [] == problems
    assert ["b", "a"] == [one.class_name for one in objects.ingresses]
    assert ["k8s.io/ingress-nginx"] * 3 == [one.controller for one in objects.ingress_classes]


def test_two_default_classes_refuse_an_ingress_without_a_class(read_text: Read) -> None:
    """The API server does so. If every Ingress has a class, it is a warning."""
    classes = (
        f"{ingress_class('a', 'yes').replace('yes', repr('true'))}\n---\n{ingress_class('b', repr('true'))}\n---\n"
    )
    _, (warning,) = read_text(classes + ingress(f"{DEFAULT}, ingressClassName: a"))
    _, problems = read_text(classes + ingress(DEFAULT))

    assert "a second default IngressClass beside a" == warning.message
    assert ["spec.ingressClassName: Forbidden: 2 default IngressClasses were found, only 1 allowed"] == [
        f"{p.path}: {p.message}" for p in problems if p.severity == "error"
    ]


def test_an_ingress_has_a_bounded_number_of_paths(problems: Errors) -> None:
    """A file of a stranger cannot make a lab's web server too large."""
    paths = ",".join(f"{{path: /{n}, pathType: Exact, backend: {WEB}}}" for n in range(5001))

    assert ["spec.rules: Too many: 5001: an Ingress of a lab has at most 5000 paths"] == problems(
        ingress(f"rules: [{{http: {{paths: [{paths}]}}}}]")
    )


@pytest.mark.parametrize("path", ["/a\\nb", "/a\\u0000", f"/{'a' * 4096}"], ids=["line", "null", "long"])
@pytest.mark.parametrize("kind", ["Exact", "Prefix", "ImplementationSpecific"])
def test_a_path_is_one_line(problems: Errors, path: str, kind: str) -> None:
    """A path becomes part of a web server's configuration."""
    (problem,) = problems(ingress(rule("PATH", kind).replace("'PATH'", f'"{path}"')))

    assert problem.startswith(f"{HTTP}[0].path: Invalid value: ")
    assert problem.endswith("must have at most 4096 characters, all of them printable")


@pytest.mark.parametrize("version", ["extensions/v1beta1", "networking.k8s.io/v1beta1"])
def test_retired_versions_are_errors(problems: Errors, version: str) -> None:
    """Their fields differ from those of the served version."""
    assert [f'apiVersion: Invalid value: "{version}": no Ingress that netlab reads; write "networking.k8s.io/v1"'] == (
        problems(ingress(DEFAULT).replace("networking.k8s.io/v1", version))
    )
