"""Endpoints: the older form of the endpoints of a Service without a selector."""

from __future__ import annotations

from netlab.errors import Problem
from netlab.objects import names
from netlab.objects.addresses import parse_address
from netlab.objects.core_v1 import PROTOCOLS, endpoint_addresses
from netlab.objects.field_types import Choice, Part, Parts, Root, Text, Whole
from netlab.objects.fields import PORT_RANGE, Fields, invalid, required, too_many
from netlab.objects.kind import Column, Kind
from netlab.objects.kinds.endpointslice import SlicePortShape, TargetShape, pod_of, slice_port
from netlab.objects.meta import METADATA, object_meta, open_document
from netlab.objects.services import Endpoints, EndpointsSubset, SliceEndpoint, SlicePort
from netlab.objects.shapes import Shape
from netlab.objects.types import Document, Protocol

# A cluster mirrors no more than these to EndpointSlices.
_MOST_ADDRESSES = 1_000
# Labels of exported objects that the endpoints controller made.
_MADE = ("endpoints.kubernetes.io/managed-by", "service.kubernetes.io/headless")


class _Address(Shape):
    """An endpoint."""

    ip = Text("ip", "The endpoint's address.", required=True)
    hostname = Text("hostname", "The endpoint's name in DNS, below that of the Service.", check=names.dns_label)
    node = Text("nodeName", "The node of the endpoint.", check=names.dns_subdomain, checks_blank=True)
    target = Part("targetRef", "The pod behind the endpoint.", shape=TargetShape)


class _Port(SlicePortShape):
    """A port of all endpoints of the subset."""

    port = Whole("port", "The port's number.", low=1, high=65535, required=True)
    protocol = Choice[Protocol]("protocol", "The protocol.", values=PROTOCOLS, default="TCP", blank=True)


class _Subset(Shape):
    """Endpoints with the same ports."""

    addresses = Parts("addresses", "Endpoints that are ready.", shape=_Address)
    not_ready = Parts("notReadyAddresses", "Endpoints that are not ready.", shape=_Address)
    ports = Parts("ports", "The ports.", shape=_Port)


class _Root(Root):
    """The endpoints of the Service of the same name."""

    metadata = METADATA
    subsets = Parts("subsets", "The endpoints.", shape=_Subset)


def endpoints(document: Document) -> tuple[Endpoints, list[Problem]]:
    """Decode an Endpoints object."""
    root = open_document(document)
    meta = object_meta(root)
    subsets = tuple(_subset(item, meta.namespace) for item in _Root.subsets.read(root))
    count = sum(len(subset.addresses) + len(subset.not_ready) for subset in subsets)
    if count > _MOST_ADDRESSES:
        _Root.subsets.error(root, too_many(count, _MOST_ADDRESSES))
    if not any(key in meta.labels for key in _MADE):
        message = "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"
        root.report.warn("apiVersion", message, "deprecated-field")
    return Endpoints(meta, subsets, document.source), root.report.problems


def _subset(fields: Fields, namespace: str) -> EndpointsSubset:
    if _Subset.addresses.empty(fields) and _Subset.not_ready.empty(fields):
        fields.report.error(fields.path, required("must specify `addresses` or `notReadyAddresses`"))
    ports = _Subset.ports.read(fields)
    for item in ports if len(ports) > 1 else ():
        if _Port.name.missing(item):
            _Port.name.error(item, required())
    return EndpointsSubset(
        tuple(_address(item, namespace, ready=True) for item in _Subset.addresses.read(fields)),
        tuple(_address(item, namespace, ready=False) for item in _Subset.not_ready.read(fields)),
        tuple(_port(item) for item in ports),
    )


def _address(fields: Fields, namespace: str, *, ready: bool) -> SliceEndpoint:
    path, text = _Address.ip.at(fields), _Address.ip.read(fields)
    if parse_address(text) is None and isinstance(_Address.ip.written(fields), str | None):
        # The API server has two checks, and both report it.
        fields.report.error(path, invalid(text, "must be a valid IP address"))
    written = [(path, text)]
    return SliceEndpoint(
        tuple(address for _, address in endpoint_addresses(fields, written)),
        ready,
        ready,
        hostname=_Address.hostname.read(fields),
        node=_Address.node.read(fields),
        pod=pod_of(_Address.target.read(fields), namespace),
    )


def _port(fields: Fields) -> SlicePort:
    if not _Port.port.has(fields):
        _Port.port.error(fields, invalid(0, PORT_RANGE))
    return slice_port(fields, _Port.protocol)


def _shown(endpoints: Endpoints) -> str:
    return ",".join(
        f"{endpoint.addresses[0]}:{port.port}"
        for subset in endpoints.subsets
        for port in subset.ports
        for endpoint in subset.addresses
        if endpoint.addresses
    )


KIND = Kind(
    "Endpoints",
    "v1",
    Endpoints,
    endpoints,
    plural="endpoints",
    short=("ep",),
    columns=(Column("ENDPOINTS", _shown),),
    shape=_Root,
)
