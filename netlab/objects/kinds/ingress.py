"""Ingress: rules that lead HTTP requests to Services."""

from __future__ import annotations

from typing import get_args

from netlab.errors import Problem
from netlab.objects import names
from netlab.objects.addresses import parse_address
from netlab.objects.field_types import Choice, Part, Parts, Root, Text, Texts, Whole
from netlab.objects.fields import Fields, invalid, required, too_many
from netlab.objects.ingresses import Ingress, IngressBackend, IngressPath, IngressRule, IngressTls, PathType
from netlab.objects.kind import Kind
from netlab.objects.meta import INGRESS_CLASS, METADATA, TemplateMeta, object_meta, open_document
from netlab.objects.shapes import Shape
from netlab.objects.types import Document, Meta
from netlab.objects.versions import RELAXED_SERVICE_NAMES

# A lab's web server has a rule for each path. An object on a cluster has at most 1.5 MB, so it has fewer paths.
MOST_PATHS = 5_000
MOST_TLS = 1_000
_SEQUENCES = ("//", "/./", "/../", "%2f", "%2F")
# The fields of a backend in networking.k8s.io/v1beta1 and extensions/v1beta1.
_RETIRED = ("serviceName", "servicePort")
_MOST_PORT = 65535
_LONGEST_PATH = 4096
_ENDS = ("/..", "/.")
_CONTROLLER_ANNOTATIONS = "nginx.ingress.kubernetes.io/"


class _Port(Shape):
    """The port of a Service: its number or its name."""

    name = Text("name", "The port's name.")
    number = Whole("number", "The port's number.")


class _Service(Shape):
    """A Service of the Ingress's namespace."""

    name = Text("name", "The Service's name.", required=True)
    port = Part("port", "The Service's port.", shape=_Port)


class _Resource(Shape):
    """Another object of the Ingress's namespace."""

    group = Text("apiGroup", "The object's API group.")
    kind = Text("kind", "The object's kind.", required=True)
    name = Text("name", "The object's name.", required=True)


class _Backend(Shape):
    """The target of requests."""

    service = Part("service", "A Service.", shape=_Service)
    resource = Part("resource", "Another object, which netlab does not serve.", shape=_Resource)


class _Path(Shape):
    """A path, and the target of its requests."""

    path = Text("path", "The path of the request's URL.")
    type = Choice[PathType](
        "pathType",
        "Whether the path is the whole path of requests, or the beginning.",
        values=tuple(sorted(get_args(PathType))),
        default="ImplementationSpecific",
        required=True,
    )
    backend = Part("backend", "The target of the requests.", shape=_Backend, required=True)


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
    secret = Text(
        "secretName",
        "The Secret of the Ingress's namespace that has the certificate and its key.",
        check=names.dns_subdomain,
    )


class _Spec(Shape):
    """The spec of an Ingress."""

    class_name = Text(
        "ingressClassName", "The IngressClass that serves it.", check=names.dns_subdomain, checks_blank=True
    )
    default_backend = Part("defaultBackend", "The target of requests that no rule matches.", shape=_Backend)
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
    rules = tuple(_rule(item) for item in _Spec.rules.read(spec))
    if not rules and default is None:
        message = "either `defaultBackend` or `rules` must be specified"
        _Root.spec.error(root, invalid(_Spec.rules.written(spec), message))
    paths = sum(len(rule.paths) for rule in rules)
    if paths > MOST_PATHS:
        _Spec.rules.error(spec, f"Too many: {paths}: an Ingress of a lab has at most {MOST_PATHS} paths")
    certificates = _Spec.tls.read(spec)
    if len(certificates) > MOST_TLS:
        _Spec.tls.error(spec, too_many(len(certificates), MOST_TLS))
        certificates = []
    found = Ingress(
        meta,
        rules,
        _backend(default) if default is not None else None,
        _class_name(spec, meta),
        tuple(_tls(item) for item in certificates),
        document.source,
    )
    _warn_of_annotations(root)
    return found, root.report.problems


def _class_name(spec: Fields, meta: Meta) -> str:
    name, annotated = _Spec.class_name.read(spec), meta.annotations.get(INGRESS_CLASS)
    if annotated is not None:
        # The API server's path begins with ``annotations``.
        path, at = f"annotations.{INGRESS_CLASS}", f"metadata.annotations.{INGRESS_CLASS}"
        message = f"annotation \"{INGRESS_CLASS}\" is deprecated, please use 'spec.ingressClassName' instead"
        spec.report.warn(at, message, "deprecated-field")
        if _Spec.class_name.has(spec) and annotated != name:
            spec.report.error(path, invalid(annotated, "must match `ingressClassName` when both are specified"), at=at)
    return name or annotated or ""


def _warn_of_annotations(root: Fields) -> None:
    """Warn of annotations for ingress-nginx: they may change where a request goes, and netlab ignores them."""
    written = TemplateMeta.annotations.names(METADATA.read(root))
    if ignored := sorted(key for key in written if key.startswith(_CONTROLLER_ANNOTATIONS)):
        path = f"metadata.annotations.{ignored[0]}"
        root.report.warn(path, f"netlab does not obey {', '.join(ignored)}", "annotation-not-read")


def _rule(fields: Fields) -> IngressRule:
    host = _Rule.host.read(fields)
    if host:
        if parse_address(host) is not None:
            _Rule.host.error(fields, invalid(host, "must be a DNS name, not an IP address"))
        for message in _host_messages(host):
            _Rule.host.error(fields, invalid(host, message))
    http = _Rule.http.find(fields)
    if http is not None and _Http.paths.empty(http):
        _Http.paths.error(http, required())
    paths = _Http.paths.read(http) if http is not None else []
    return IngressRule(host, tuple(_path(item) for item in paths), fields.path)


def _host_messages(host: str) -> tuple[str, ...]:
    return names.wildcard_subdomain(host) if "*" in host else names.dns_subdomain(host)


def _path(fields: Fields) -> IngressPath:
    path = _Path.path.read(fields)
    if not _Path.type.has(fields):
        _Path.type.error(fields, required("pathType must be specified"))
        return IngressPath(path, "ImplementationSpecific", IngressBackend(""), fields.path)
    kind = _Path.type.read(fields)
    known = _Path.type.known(fields)
    # The API server has no such rule. The path becomes a line of a web server's configuration.
    if not path.isprintable() or len(path) > _LONGEST_PATH:
        _Path.path.error(fields, invalid(path, f"must have at most {_LONGEST_PATH} characters, all of them printable"))
    unrestricted = kind == "ImplementationSpecific" or not known
    if known and not path.startswith("/") and (path or not unrestricted):
        _Path.path.error(fields, invalid(path, "must be an absolute path"))
    for sequence in () if unrestricted else _SEQUENCES:
        if sequence in path:
            _Path.path.error(fields, invalid(path, f"must not contain '{sequence}'"))
    for end in () if unrestricted else _ENDS:
        if path.endswith(end):
            _Path.path.error(fields, invalid(path, f"cannot end with '{end}'"))
    return IngressPath(path, kind, _backend(_Path.backend.read(fields)), fields.path)


def _backend(fields: Fields) -> IngressBackend:
    other = _Backend.resource.has(fields)
    service = _Backend.service.read(fields)
    name = _Service.name.read(service)
    port = _Service.port.read(service)
    number, port_name = _Port.number.read(port) or 0, _Port.name.read(port)
    both = other and _Backend.service.has(fields)
    if both or not (other or _Backend.service.has(fields)):
        message = "cannot set both resource and service backends" if both else "resource or service backend is required"
        if any(name in _RETIRED for name in fields.data):
            message += "; service.name and service.port are what serviceName and servicePort were in retired versions"
        fields.report.error(fields.path, invalid("", message))
    if other:
        _check_resource(_Backend.resource.read(fields), alone=not both)
    if other or not _Backend.service.has(fields):
        return IngressBackend("", 0, fields.path)
    if _Service.name.missing(service):
        _Service.name.error(service, required())
    _check_service_name(service, name)
    if port_name and number:
        fields.report.error(fields.path, invalid("", "cannot set both port name & port number"))
    elif port_name:
        for message in names.port_name(port_name):
            _Port.name.error(port, invalid(port_name, message))
    elif not number:
        fields.report.error(fields.path, required("port name or number is required"))
    elif not 1 <= number <= _MOST_PORT:
        _Port.number.error(port, invalid(number, f"must be between 1 and {_MOST_PORT}, inclusive"))
    return IngressBackend(name, port_name or number, fields.path)


def _check_resource(fields: Fields, *, alone: bool) -> None:
    """Check another object than a Service; only the types of its fields if there is a Service too (not ``alone``)."""
    group = _Resource.group.read(fields)
    if alone and _Resource.group.has(fields):
        for message in names.dns_subdomain(group):
            _Resource.group.error(fields, invalid(group, message))
    for field in (_Resource.kind, _Resource.name):
        text = field.read(fields)
        if alone and field.missing(fields):
            field.error(fields, required())
        for message in names.path_segment(text) if alone else ():
            field.error(fields, invalid(text, message))


def _check_service_name(fields: Fields, name: str) -> None:
    path = _Service.name.at(fields)
    for message in names.dns_label(name) if name else ():
        fields.report.refuse(path, invalid(name, message), since=RELAXED_SERVICE_NAMES)
    for message in names.dns1035_label(name) if name else ():
        fields.report.refuse(path, invalid(name, message), until=RELAXED_SERVICE_NAMES - 1)


def _tls(fields: Fields) -> IngressTls:
    hosts = _Tls.hosts.read(fields)
    for path, host in hosts:
        for message in _host_messages(host):
            fields.report.error(path, invalid(host, message))
    return IngressTls(tuple(host for _, host in hosts), _Tls.secret.read(fields), fields.path)


KIND = Kind(
    "Ingress",
    "networking.k8s.io/v1",
    Ingress,
    ingress,
    plural="ingresses",
    short=("ing",),
    columns=(),
    shape=_Root,
)
