"""EndpointSlice: endpoints of a Service without a selector, or an export of those that a controller made."""

from __future__ import annotations

from typing import Literal

from netlab.errors import Problem
from netlab.objects import names
from netlab.objects.addresses import parse_address
from netlab.objects.core_v1 import PROTOCOLS, usual_addresses
from netlab.objects.field_types import Choice, Flag, Part, Parts, Root, Text, Texts, Whole
from netlab.objects.fields import Fields, duplicate, invalid, required, too_many
from netlab.objects.kind import Kind
from netlab.objects.meta import METADATA, object_meta, open_document
from netlab.objects.services import EndpointSlice, SliceEndpoint, SlicePort
from netlab.objects.shapes import Shape
from netlab.objects.types import Address, Document, Protocol
from netlab.objects.updates import immutable

SERVICE_LABEL = "kubernetes.io/service-name"
_FAMILIES = {"IPv4": 4, "IPv6": 6, "FQDN": 0}
_MOST_ENDPOINTS = 1_000
_MOST_ADDRESSES = 100
_MOST_PORTS = 20_000
_MOST_HINTS = 8


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
    hostname = Text("hostname", "The endpoint's name in DNS, below that of the Service.", check=names.dns_label)
    node = Text("nodeName", "The node of the endpoint.", check=names.dns_subdomain)
    zone = Text("zone", "The zone of the endpoint.")
    hints = Part("hints", "The clients that the endpoint is for.", shape=_Hints)
    target = Part("targetRef", "The pod that the endpoint is.", shape=Target)


class _Port(Shape):
    """A port of all endpoints of the slice."""

    name = Text("name", "The port's name, which is that of the Service's port.", check=names.dns_label)
    port = Whole("port", "The port's number.", low=1, high=65535)
    protocol = Choice[Protocol]("protocol", "The protocol.", values=PROTOCOLS, default="TCP")
    app_protocol = Text("appProtocol", "The application's protocol, which nodes do not look at.", check=names.label_key)


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
    kind = _Root.family.read(root)
    if _Root.family.missing(root):
        _Root.family.error(root, required())
    elif kind == "FQDN":
        root.report.warn(_Root.family.at(root), "FQDN endpoints are deprecated", "deprecated-field")
    family = _FAMILIES.get(kind, 0)
    found = EndpointSlice(
        meta,
        family,
        tuple(_endpoint(item, family, meta.namespace) for item in _bounded(root, _Root.endpoints, _MOST_ENDPOINTS)),
        ports(_bounded(root, _Root.ports, _MOST_PORTS)),
        meta.labels.get(SERVICE_LABEL, ""),
        document.source,
    )
    return found, root.report.problems


def _bounded(fields: Fields, field: Parts, most: int) -> list[Fields]:
    """Return the items of a list; report more than ``most``, and return none of them then."""
    items = field.read(fields)
    if len(items) <= most:
        return items
    field.error(fields, too_many(len(items), most))
    return []


def _endpoint(fields: Fields, family: int, namespace: str) -> SliceEndpoint:
    conditions = _Endpoint.conditions.read(fields)
    ready = _Conditions.ready.read(conditions) or not _Conditions.ready.has(conditions)
    serving = _Conditions.serving.read(conditions) if _Conditions.serving.has(conditions) else ready
    written = _Endpoint.addresses.read(fields)
    if _Endpoint.addresses.empty(fields):
        _Endpoint.addresses.error(fields, required("must contain at least 1 address"))
    elif len(written) > _MOST_ADDRESSES:
        _Endpoint.addresses.error(fields, too_many(len(written), _MOST_ADDRESSES))
        written = []
    hints = _Endpoint.hints.read(fields)
    return SliceEndpoint(
        _addresses_of(fields, written, family),
        ready,
        serving,
        _Conditions.terminating.read(conditions),
        _Endpoint.hostname.read(fields),
        _Endpoint.node.read(fields),
        _Endpoint.zone.read(fields),
        _hints(hints, _Hints.zones),
        _hints(hints, _Hints.nodes),
        pod_of(_Endpoint.target.read(fields), namespace),
    )


def _addresses_of(fields: Fields, written: list[tuple[str, str]], family: int) -> tuple[Address, ...]:
    """Return the addresses; report those of another IP family. Names are not checked, as nodes do not use them."""
    if not family:
        return ()
    usual = []
    for path, text in written:
        address = parse_address(text)
        if address is None or address.version != family:
            fields.report.error(path, invalid(text, f"must be a valid IPv{family} address"))
        else:
            usual.append((path, text))
    return tuple(address for _, address in usual_addresses(fields, usual))


def _hints(fields: Fields, field: Parts) -> tuple[str, ...]:
    found: list[str] = []
    for item in _bounded(fields, field, _MOST_HINTS):
        name = _Hint.name.read(item)
        if _Hint.name.missing(item):
            _Hint.name.error(item, required())
        elif name in found:
            _Hint.name.error(item, duplicate(name))
        found.append(name)
    return tuple(found)


def pod_of(target: Fields, namespace: str) -> str:
    """Return ``NAMESPACE/NAME`` of the pod that a ``targetRef`` names, "" if it names none."""
    name = Target.name.read(target)
    where = Target.namespace.read(target) or namespace
    return f"{where}/{name}" if Target.kind.read(target) == "Pod" and name else ""


def ports(items: list[Fields]) -> tuple[SlicePort, ...]:
    """Decode ports; report names that are written twice, the empty name too."""
    found: list[SlicePort] = []
    seen: set[str] = set()
    for item in items:
        port = _port(item)
        if port.name in seen:
            _Port.name.error(item, duplicate(port.name))
        seen.add(port.name)
        found.append(port)
    return tuple(found)


def _port(fields: Fields) -> SlicePort:
    return SlicePort(
        _Port.port.read(fields) or 0,
        _Port.protocol.read(fields),
        _Port.name.read(fields),
        _Port.app_protocol.read(fields),
    )


KIND = Kind(
    "EndpointSlice",
    "discovery.k8s.io/v1",
    EndpointSlice,
    endpoint_slice,
    retired=("discovery.k8s.io/v1beta1",),
    plural="endpointslices",
    columns=(),
    shape=_Root,
    update=immutable("addressType", lambda one: f"IPv{one.family}" if one.family else "FQDN"),
)
