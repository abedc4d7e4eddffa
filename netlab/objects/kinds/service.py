"""Service: the fields that netlab reads."""

from __future__ import annotations

from netlab.errors import Problem
from netlab.objects import names
from netlab.objects.core_v1 import PROTOCOLS
from netlab.objects.field_types import Choice, Part, Parts, Raw, Root, Text, TextMap, Whole, int_or_text
from netlab.objects.fields import Fields, invalid, required
from netlab.objects.kind import Column, Kind
from netlab.objects.meta import METADATA, object_meta, open_document
from netlab.objects.shapes import Shape
from netlab.objects.types import Document, Protocol, Service, ServicePort


class _Port(Shape):
    """A port of a Service."""

    port = Whole("port", "The Service's port.", low=1, high=65535, required=True)
    target_port = Raw(
        "targetPort", "The port of the pods, a number or the name of a container port.", type=int_or_text(1, 65535)
    )
    protocol = Choice[Protocol]("protocol", "The protocol.", values=PROTOCOLS, default="TCP")
    name = Text("name", "The port's name.")


_TARGET_NUMBER = Whole(_Port.target_port.name, _Port.target_port.about, low=1, high=65535)


class _Spec(Shape):
    """The spec of a Service."""

    selector = TextMap("selector", "Labels of the pods behind the Service.")
    ports = Parts("ports", "The Service's ports.", shape=_Port)
    cluster_ip = Text("clusterIP", "The Service's address.")
    type = Text("type", "The type of the Service.", default="ClusterIP")


class _Root(Root):
    """The fields of a Service that netlab reads."""

    metadata = METADATA
    spec = Part("spec", "Which pods are behind the Service, and its ports.", shape=_Spec)


def service(document: Document) -> tuple[Service, list[Problem]]:
    """Decode a Service."""
    root = open_document(document)
    meta = object_meta(root, names.dns1035_label)
    spec = _Root.spec.read(root)
    found = Service(
        meta,
        _Spec.selector.read(spec),
        tuple(_service_port(item) for item in _Spec.ports.read(spec)),
        _Spec.cluster_ip.read(spec),
        _Spec.type.read(spec),
        document.source,
    )
    return found, root.report.problems


def _service_port(fields: Fields) -> ServicePort:
    if not _Port.port.has(fields):
        _Port.port.error(fields, required())
    port = _Port.port.read(fields) or 0
    target = _Port.target_port.read(fields)
    if isinstance(target, str):
        for message in names.port_name(target):
            _Port.target_port.error(fields, invalid(target, message))
    elif target is not None:
        target = _TARGET_NUMBER.read(fields)
    return ServicePort(port, target or 0, _Port.protocol.read(fields), _Port.name.read(fields))


def _ports(service: Service) -> str:
    return ",".join(f"{port.port}/{port.protocol}" for port in service.ports)


def _selector(service: Service) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted(service.selector.items()))


KIND = Kind(
    "Service",
    "v1",
    Service,
    service,
    plural="services",
    short=("svc",),
    columns=(
        Column("TYPE", lambda service: service.type),
        Column("CLUSTER-IP", lambda service: service.cluster_ip),
        Column("PORT(S)", _ports),
        Column("SELECTOR", _selector, wide=True),
    ),
    shape=_Root,
)
