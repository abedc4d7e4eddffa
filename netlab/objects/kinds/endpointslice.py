"""EndpointSlice: endpoints of a Service without a selector, or an export of those that a controller made."""

from __future__ import annotations

from typing import Literal

from netlab.errors import Problem
from netlab.objects.core_v1 import PROTOCOLS, addresses
from netlab.objects.field_types import Choice, Flag, Part, Parts, Root, Text, Texts, Whole
from netlab.objects.fields import Fields
from netlab.objects.kind import Column, Kind
from netlab.objects.meta import METADATA, object_meta, open_document
from netlab.objects.services import EndpointSlice, SliceEndpoint, SlicePort
from netlab.objects.shapes import Shape
from netlab.objects.types import Document, Protocol

SERVICE_LABEL = "kubernetes.io/service-name"
_FAMILIES = {"IPv4": 4, "IPv6": 6, "FQDN": 0}


class _Conditions(Shape):
    """What state an endpoint is in."""

    ready = Flag("ready", "Whether it takes connections; true if absent.")
    serving = Flag("serving", "Whether it answers, even while it ends; as `ready` if absent.")
    terminating = Flag("terminating", "Whether it is about to end.")


class _Hint(Shape):
    """A zone or a node."""

    name = Text("name", "Its name.")


class _Hints(Shape):
    """The clients that an endpoint is for."""

    zones = Parts("forZones", "The zones of these clients.", shape=_Hint)
    nodes = Parts("forNodes", "The nodes of these clients.", shape=_Hint)


class Target(Shape):
    """The object that an endpoint is."""

    kind = Text("kind", "The object's kind; only a Pod counts.")
    namespace = Text("namespace", "The object's namespace; by default that of the endpoint.")
    name = Text("name", "The object's name.")


class _Endpoint(Shape):
    """An endpoint."""

    addresses = Texts("addresses", "The endpoint's addresses; nodes use the first one.", required=True)
    conditions = Part("conditions", "The endpoint's state.", shape=_Conditions)
    hostname = Text("hostname", "The endpoint's name in DNS, below that of the Service.")
    node = Text("nodeName", "The node of the endpoint.")
    zone = Text("zone", "The zone of the endpoint.")
    hints = Part("hints", "The clients that the endpoint is for.", shape=_Hints)
    target = Part("targetRef", "The pod that the endpoint is.", shape=Target)


class _Port(Shape):
    """A port of all endpoints of the slice."""

    name = Text("name", "The port's name, which is that of the Service's port.")
    port = Whole("port", "The port's number.")
    protocol = Choice[Protocol]("protocol", "The protocol.", values=PROTOCOLS, default="TCP")
    app_protocol = Text("appProtocol", "The application's protocol, which nodes do not look at.")


class _Root(Root):
    """Endpoints of a Service, of one IP family."""

    metadata = METADATA
    family = Choice[Literal["", "IPv4", "IPv6", "FQDN"]](
        "addressType", "The type of the addresses.", values=("FQDN", "IPv4", "IPv6"), default="", required=True
    )
    endpoints = Parts("endpoints", "The endpoints.", shape=_Endpoint)
    ports = Parts("ports", "The ports.", shape=_Port)


def endpoint_slice(document: Document) -> tuple[EndpointSlice, list[Problem]]:
    """Decode an EndpointSlice."""
    root = open_document(document)
    meta = object_meta(root)
    family = _FAMILIES.get(_Root.family.read(root), 0)
    found = EndpointSlice(
        meta,
        family,
        tuple(_endpoint(item, family, meta.namespace) for item in _Root.endpoints.read(root)),
        tuple(_port(item) for item in _Root.ports.read(root)),
        meta.labels.get(SERVICE_LABEL, ""),
        document.source,
    )
    return found, root.report.problems


def _endpoint(fields: Fields, family: int, namespace: str) -> SliceEndpoint:
    conditions = _Endpoint.conditions.read(fields)
    ready = _Conditions.ready.read(conditions) or not _Conditions.ready.has(conditions)
    serving = _Conditions.serving.read(conditions) if _Conditions.serving.has(conditions) else ready
    written = _Endpoint.addresses.read(fields)
    hints = _Endpoint.hints.read(fields)
    return SliceEndpoint(
        tuple(address for _, address in addresses(fields, written)) if family else (),
        ready,
        serving,
        _Conditions.terminating.read(conditions),
        _Endpoint.hostname.read(fields),
        _Endpoint.node.read(fields),
        _Endpoint.zone.read(fields),
        tuple(_Hint.name.read(item) for item in _Hints.zones.read(hints)),
        tuple(_Hint.name.read(item) for item in _Hints.nodes.read(hints)),
        pod_of(_Endpoint.target.read(fields), namespace),
    )


def pod_of(target: Fields, namespace: str) -> str:
    """Return ``NAMESPACE/NAME`` of the pod that a ``targetRef`` names, "" if it names none."""
    name = Target.name.read(target)
    where = Target.namespace.read(target) or namespace
    return f"{where}/{name}" if Target.kind.read(target) == "Pod" and name else ""


def _port(fields: Fields) -> SlicePort:
    return SlicePort(
        _Port.port.read(fields) or 0,
        _Port.protocol.read(fields),
        _Port.name.read(fields),
        _Port.app_protocol.read(fields),
    )


def _ports(one: EndpointSlice) -> str:
    return ",".join(str(port.port) if port.port else "*" for port in one.ports)


def _addresses(one: EndpointSlice) -> str:
    return ",".join(str(endpoint.addresses[0]) for endpoint in one.endpoints if endpoint.addresses)


KIND = Kind(
    "EndpointSlice",
    "discovery.k8s.io/v1",
    EndpointSlice,
    endpoint_slice,
    retired=("discovery.k8s.io/v1beta1",),
    plural="endpointslices",
    columns=(
        Column("ADDRESSTYPE", lambda one: f"IPv{one.family}" if one.family else "FQDN"),
        Column("PORTS", _ports),
        Column("ENDPOINTS", _addresses),
    ),
    shape=_Root,
)
