"""Ingress: rules that lead HTTP requests to Services."""

from __future__ import annotations

from typing import get_args

from netlab.errors import Problem
from netlab.objects.field_types import Choice, Part, Parts, Root, Text, TextMap, Texts, Whole
from netlab.objects.fields import Fields
from netlab.objects.ingresses import Ingress, IngressBackend, IngressPath, IngressRule, IngressTls, PathType
from netlab.objects.kind import Column, Kind
from netlab.objects.meta import INGRESS_CLASS, METADATA, object_meta, open_document
from netlab.objects.shapes import Shape
from netlab.objects.types import Document


class _Port(Shape):
    """The port of a Service: its number or its name."""

    name = Text("name", "The port's name.")
    number = Whole("number", "The port's number.")


class _Service(Shape):
    """A Service of the Ingress's namespace."""

    name = Text("name", "The Service's name.", required=True)
    port = Part("port", "The Service's port.", shape=_Port)


class _Backend(Shape):
    """Where requests go to."""

    service = Part("service", "A Service.", shape=_Service)
    resource = TextMap("resource", "The kind and the name of another object, which netlab does not serve.")


class _Path(Shape):
    """A path, and where its requests go to."""

    path = Text("path", "The path of the request's URL.")
    type = Choice[PathType](
        "pathType",
        "Whether the path is the whole path of requests, or the beginning.",
        values=tuple(sorted(get_args(PathType))),
        default="ImplementationSpecific",
        required=True,
    )
    backend = Part("backend", "Where the requests go to.", shape=_Backend, required=True)


class _Http(Shape):
    """The paths of a host."""

    paths = Parts("paths", "The paths.", shape=_Path, required=True)


class _Rule(Shape):
    """The paths of one host."""

    host = Text("host", "The host; by default all hosts. `*.` at its beginning stands for one label.")
    http = Part("http", "The paths of the host.", shape=_Http)


class _Tls(Shape):
    """The certificate of some hosts."""

    hosts = Texts("hosts", "The hosts.")
    secret = Text("secretName", "The Secret of the Ingress's namespace that has the certificate and its key.")


class _Spec(Shape):
    """The spec of an Ingress."""

    class_name = Text("ingressClassName", "The IngressClass that serves it.")
    default_backend = Part("defaultBackend", "Where requests go to that no rule matches.", shape=_Backend)
    tls = Parts("tls", "The certificates.", shape=_Tls)
    rules = Parts("rules", "The rules.", shape=_Rule)


class _Root(Root):
    """Rules that lead HTTP requests to Services."""

    metadata = METADATA
    spec = Part("spec", "The rules.", shape=_Spec)


def ingress(document: Document) -> tuple[Ingress, list[Problem]]:
    """Decode an Ingress."""
    root = open_document(document)
    meta = object_meta(root)
    spec = _Root.spec.read(root)
    default = _Spec.default_backend.find(spec)
    found = Ingress(
        meta,
        tuple(_rule(item) for item in _Spec.rules.read(spec)),
        _backend(default) if default is not None else None,
        _Spec.class_name.read(spec) or meta.annotations.get(INGRESS_CLASS, ""),
        tuple(_tls(item) for item in _Spec.tls.read(spec)),
        document.source,
    )
    return found, root.report.problems


def _rule(fields: Fields) -> IngressRule:
    paths = _Http.paths.read(_Rule.http.read(fields))
    return IngressRule(_Rule.host.read(fields), tuple(_path(item) for item in paths), fields.path)


def _path(fields: Fields) -> IngressPath:
    backend = _backend(_Path.backend.read(fields))
    return IngressPath(_Path.path.read(fields), _Path.type.read(fields), backend, fields.path)


def _backend(fields: Fields) -> IngressBackend:
    _Backend.resource.read(fields)
    service = _Backend.service.read(fields)
    port = _Service.port.read(service)
    number, name = _Port.number.read(port) or 0, _Port.name.read(port)
    return IngressBackend(_Service.name.read(service), name or number, fields.path)


def _tls(fields: Fields) -> IngressTls:
    return IngressTls(tuple(host for _, host in _Tls.hosts.read(fields)), _Tls.secret.read(fields), fields.path)


def _hosts(one: Ingress) -> str:
    return ",".join(dict.fromkeys(rule.host or "*" for rule in one.rules)) or "*"


KIND = Kind(
    "Ingress",
    "networking.k8s.io/v1",
    Ingress,
    ingress,
    plural="ingresses",
    short=("ing",),
    columns=(
        Column("CLASS", lambda one: one.class_name or "<none>"),
        Column("HOSTS", _hosts),
        Column("PORTS", lambda one: "80, 443" if one.tls else "80"),
    ),
    shape=_Root,
)
