"""Service, as far as netlab reads it."""

from __future__ import annotations

from netlab.errors import Problem
from netlab.objects import names
from netlab.objects.core import PROTOCOLS
from netlab.objects.fields import Fields, invalid, required
from netlab.objects.kind import Column, Kind
from netlab.objects.meta import object_meta, open_document
from netlab.objects.types import Document, Service, ServicePort


def service(document: Document) -> tuple[Service, list[Problem]]:
    """Decode a Service."""
    root = open_document(document)
    meta = object_meta(root, names.dns1035_label)
    spec = root.sub("spec")
    found = Service(
        meta,
        spec.string_map("selector"),
        tuple(_service_port(item) for item in spec.mappings("ports")),
        spec.string("clusterIP"),
        spec.string("type", "ClusterIP"),
        document.source,
    )
    return found, root.report.problems


def _service_port(fields: Fields) -> ServicePort:
    if not fields.has("port"):
        fields.error("port", required())
    port = fields.ranged("port", 1, 65535) or 0
    target = fields.data.get("targetPort")
    if isinstance(target, str):
        for message in names.port_name(target):
            fields.error("targetPort", invalid(target, message))
    elif target is not None:
        target = fields.ranged("targetPort", 1, 65535)
    return ServicePort(port, target or 0, fields.choice("protocol", PROTOCOLS, "TCP"), fields.string("name"))


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
)
