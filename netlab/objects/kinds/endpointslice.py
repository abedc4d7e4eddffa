"""EndpointSlice: endpoints of a Service without a selector, or exported endpoints of a cluster."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from netlab.errors import Problem
from netlab.objects import names
from netlab.objects.addresses import parse_address, strict_address_message
from netlab.objects.core_v1 import PROTOCOLS, endpoint_addresses
from netlab.objects.field_types import Choice, Flag, Part, Parts, Root, Text, Texts, Whole
from netlab.objects.fields import Fields, duplicate, invalid, required, too_many
from netlab.objects.kind import Kind
from netlab.objects.meta import METADATA, SERVICE_LABEL, object_meta, open_document
from netlab.objects.services import EndpointSlice, SliceEndpoint, SlicePort
from netlab.objects.shapes import Shape
from netlab.objects.types import Address, Document, Protocol
from netlab.objects.updates import immutable
from netlab.objects.versions import STRICT_ADDRESSES

_FAMILIES = {"IPv4": 4, "IPv6": 6, "FQDN": 0}
_MOST_ENDPOINTS = 1_000
_MOST_ADDRESSES = 100
_MOST_PORTS = 20_000
_MOST_HINTS = 8
_IPV6 = 6


class _Conditions(Shape):
    """The state of an endpoint."""

    ready = Flag("ready", "Whether it takes connections; by default true.")
    serving = Flag("serving", "Whether it answers, also while it terminates; by default as `ready`.")
    terminating = Flag("terminating", "Whether it terminates.")


class _Hint(Shape):
    """A zone or a node."""

    name = Text("name", "The name of the zone or node.")


class _Hints(Shape):
    """The clients that should use an endpoint."""

    zones = Parts("forZones", "The zones of these clients.", shape=_Hint)
    nodes = Parts("forNodes", "The nodes of these clients.", shape=_Hint)


class TargetShape(Shape):
    """The object behind an endpoint."""

    kind = Text("kind", "The object's kind; only a Pod counts.")
    namespace = Text("namespace", "The object's namespace; by default that of the endpoint.")
    name = Text("name", "The object's name.")


class _Endpoint(Shape):
    """An endpoint."""

    addresses = Texts("addresses", "The endpoint's addresses; nodes use the first one.", required=True)
    conditions = Part("conditions", "The endpoint's state.", shape=_Conditions)
    hostname = Text(
        "hostname", "The endpoint's name in DNS, below that of the Service.", check=names.dns_label, checks_blank=True
    )
    node = Text("nodeName", "The node of the endpoint.", check=names.dns_subdomain, checks_blank=True)
    zone = Text("zone", "The zone of the endpoint.")
    hints = Part("hints", "The clients that should use the endpoint.", shape=_Hints)
    target = Part("targetRef", "The pod behind the endpoint.", shape=TargetShape)


class SlicePortShape(Shape):
    """A port of all endpoints of the slice."""

    name = Text("name", "The name of the Service's port.", check=names.dns_label)
    port = Whole("port", "The port's number.", low=1, high=65535)
    protocol = Choice[Protocol]("protocol", "The protocol.", values=PROTOCOLS, default="TCP")
    app_protocol = Text(
        "appProtocol",
        "The application's protocol, which nodes do not look at.",
        check=names.label_key,
        checks_blank=True,
    )


class _Root(Root):
    """Endpoints of a Service, of one IP family."""

    metadata = METADATA
    family = Choice[Literal["", "IPv4", "IPv6", "FQDN"]](
        "addressType",
        "The type of the addresses.",
        values=("FQDN", "IPv4", "IPv6"),
        default="",
        required=True,
        blank=True,
    )
    endpoints = Parts("endpoints", "The endpoints.", shape=_Endpoint)
    ports = Parts("ports", "The ports.", shape=SlicePortShape)


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
        _ports(_bounded(root, _Root.ports, _MOST_PORTS)),
        meta.labels.get(SERVICE_LABEL, ""),
        document.source,
    )
    return found, root.report.problems


def _bounded(fields: Fields, field: Parts, most: int) -> list[Fields]:
    """Return the items of a list; if there are more than ``most``, report that and return no item."""
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
        _Endpoint.addresses.error(fields, required())
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
        _hints(hints, _Hints.zones, names.label_value),
        _hints(hints, _Hints.nodes, names.dns_subdomain),
        pod_of(_Endpoint.target.read(fields), namespace),
    )


def _addresses_of(fields: Fields, written: list[tuple[str, str]], family: int) -> tuple[Address, ...]:
    """Return the addresses; report those of another IP family. Names are ignored, as nodes do not use them."""
    if not family:
        return ()
    valid, wrong = [], False
    for path, text in written:
        # IPv6 addresses are checked strictly by all servers.
        unusual = _unusual(text) if family == _IPV6 else ""
        if unusual:
            fields.report.error(path, invalid(text, unusual))
            continue
        address = parse_address(text)
        if address is not None and address.version != family:
            message = invalid(text, f"must be an IPv{family} address")
            if strict_address_message(text):
                fields.report.refuse(_Endpoint.addresses.at(fields), message, until=STRICT_ADDRESSES - 1)
            else:
                _Endpoint.addresses.error(fields, message)
            wrong = True
        valid.append((path, text))
    found = endpoint_addresses(fields, valid)
    return () if wrong else tuple(address for _, address in found)


def _unusual(text: str) -> str:
    """Return what is wrong with the form of an address, "" for the usual form and for what is no address."""
    address = parse_address(text)
    if address is None:
        return ""
    if strict := strict_address_message(text):
        return strict
    return f'must be in canonical form ("{address}")' if text != str(address) else ""


def _hints(fields: Fields, field: Parts, check: Callable[[str], tuple[str, ...]]) -> tuple[str, ...]:
    found: list[str] = []
    for item in _bounded(fields, field, _MOST_HINTS):
        name = _Hint.name.read(item)
        if name in found:
            _Hint.name.error(item, duplicate(name))
        for message in check(name):
            _Hint.name.error(item, invalid(name, message))
        found.append(name)
    return tuple(found)


def pod_of(target: Fields, namespace: str) -> str:
    """Return ``NAMESPACE/NAME`` of the pod that a ``targetRef`` names, "" if it names none."""
    name = TargetShape.name.read(target)
    where = TargetShape.namespace.read(target) or namespace
    return f"{where}/{name}" if TargetShape.kind.read(target) == "Pod" and name else ""


def _ports(items: list[Fields]) -> tuple[SlicePort, ...]:
    """Decode ports; report names that are written twice, the empty name too."""
    ports: list[SlicePort] = []
    names_seen: set[str] = set()
    for item in items:
        port = slice_port(item)
        if port.name in names_seen:
            SlicePortShape.name.error(item, duplicate(port.name))
        names_seen.add(port.name)
        ports.append(port)
    return tuple(ports)


def slice_port(fields: Fields, protocol: Choice[Protocol] = SlicePortShape.protocol) -> SlicePort:
    """Decode a port of an EndpointSlice or of Endpoints."""
    return SlicePort(
        SlicePortShape.port.read(fields) or 0,
        protocol.read(fields),
        SlicePortShape.name.read(fields),
        SlicePortShape.app_protocol.read(fields),
    )


def _address_type(endpoint_slice: EndpointSlice) -> str:
    return f"IPv{endpoint_slice.family}" if endpoint_slice.family else "FQDN"


KIND = Kind(
    "EndpointSlice",
    "discovery.k8s.io/v1",
    EndpointSlice,
    endpoint_slice,
    retired=("discovery.k8s.io/v1beta1",),
    plural="endpointslices",
    columns=(),
    shape=_Root,
    update=immutable("addressType", _address_type),
)
