"""Endpoints: the older form of the endpoints of a Service without a selector."""

from __future__ import annotations

from netlab.errors import Problem
from netlab.objects.core_v1 import PROTOCOLS, addresses
from netlab.objects.field_types import Choice, Part, Parts, Root, Text, Whole
from netlab.objects.fields import Fields
from netlab.objects.kind import Column, Kind
from netlab.objects.kinds.endpointslice import Target, pod_of
from netlab.objects.meta import METADATA, object_meta, open_document
from netlab.objects.services import Endpoints, EndpointsSubset, SliceEndpoint, SlicePort
from netlab.objects.shapes import Shape
from netlab.objects.types import Document, Protocol


class _Address(Shape):
    """An endpoint."""

    ip = Text("ip", "The endpoint's address.", required=True)
    hostname = Text("hostname", "The endpoint's name in DNS, below that of the Service.")
    node = Text("nodeName", "The node of the endpoint.")
    target = Part("targetRef", "The pod that the endpoint is.", shape=Target)


class _Port(Shape):
    """A port of all endpoints of the subset."""

    name = Text("name", "The port's name, which is that of the Service's port.")
    port = Whole("port", "The port's number.", low=1, high=65535, required=True)
    protocol = Choice[Protocol]("protocol", "The protocol.", values=PROTOCOLS, default="TCP")
    app_protocol = Text("appProtocol", "The application's protocol, which nodes do not look at.")


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
    found = Endpoints(meta, tuple(_subset(item, meta.namespace) for item in _Root.subsets.read(root)), document.source)
    return found, root.report.problems


def _subset(fields: Fields, namespace: str) -> EndpointsSubset:
    return EndpointsSubset(
        tuple(_address(item, namespace, ready=True) for item in _Subset.addresses.read(fields)),
        tuple(_address(item, namespace, ready=False) for item in _Subset.not_ready.read(fields)),
        tuple(_port(item) for item in _Subset.ports.read(fields)),
    )


def _address(fields: Fields, namespace: str, *, ready: bool) -> SliceEndpoint:
    written = [(_Address.ip.at(fields), _Address.ip.read(fields))]
    return SliceEndpoint(
        tuple(address for _, address in addresses(fields, written)),
        ready,
        ready,
        hostname=_Address.hostname.read(fields),
        node=_Address.node.read(fields),
        pod=pod_of(_Address.target.read(fields), namespace),
    )


def _port(fields: Fields) -> SlicePort:
    return SlicePort(
        _Port.port.read(fields) or 0,
        _Port.protocol.read(fields),
        _Port.name.read(fields),
        _Port.app_protocol.read(fields),
    )


def _shown(one: Endpoints) -> str:
    return ",".join(
        f"{endpoint.addresses[0]}:{port.port}"
        for subset in one.subsets
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
