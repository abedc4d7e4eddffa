"""EndpointSlices of a cluster: those that the controllers would make, and those of the input.

Source: k8s.io/endpointslice (reconciler.go): a slice has the endpoints with one set of ports, in one IP family.
"""

from __future__ import annotations

from collections.abc import Iterator

from netlab.cluster.services.endpoints import ANY_PORT, HEADLESS_LABEL, ServiceEndpoint, endpoints, slices_of
from netlab.cluster.types import Cluster, Pod
from netlab.objects.meta import SERVICE_LABEL
from netlab.objects.services import EndpointSlice, Service, SliceEndpoint, SlicePort
from netlab.objects.types import Address, Meta

_MANAGED_LABEL = "endpointslice.kubernetes.io/managed-by"
_MANAGERS = {True: "endpointslice-controller.k8s.io", False: "endpointslicemirroring-controller.k8s.io"}


def made_slices(cluster: Cluster) -> Iterator[EndpointSlice]:
    """Yield the slices of every Service: one for each IP family and set of ports, named ``NAME-ipv4``, ``NAME-ipv4-2``.

    A Service without a selector has the slices of the input, else slices that mirror its Endpoints object.
    """
    for service in cluster.services:
        if service.type == "ExternalName":
            continue
        of_input = () if service.selector else slices_of(cluster, service)
        yield from of_input
        mirrored = any(one.meta.key == service.meta.key for one in cluster.endpoints)
        if service.selector or (mirrored and not of_input):
            for family in service.ip_families or cluster.families:
                yield from _slices(cluster, service, family)


def _slices(cluster: Cluster, service: Service, family: int) -> Iterator[EndpointSlice]:
    ports = service.ports or (ANY_PORT,)
    numbers: dict[Address, dict[int, int]] = {}
    examples: dict[Address, ServiceEndpoint] = {}
    for at, port in enumerate(ports):
        for endpoint in endpoints(cluster, service, port, family):
            numbers.setdefault(endpoint.address, {})[at] = endpoint.port
            examples.setdefault(endpoint.address, endpoint)
    groups: dict[tuple[tuple[int, int], ...], list[ServiceEndpoint]] = {}
    for address, by_port in numbers.items():
        groups.setdefault(tuple(sorted(by_port.items())), []).append(examples[address])
    # The controller keeps one empty slice for a Service without endpoints.
    for index, (port_set, members) in enumerate(groups.items() or [((), [])]):
        slice_ports = tuple(
            SlicePort(number, ports[at].protocol, ports[at].name, ports[at].app_protocol)
            for at, number in port_set
            if number
        )
        name = f"{service.meta.name}-ipv{family}{f'-{index + 1}' if index else ''}"
        labels = {SERVICE_LABEL: service.meta.name, _MANAGED_LABEL: _MANAGERS[bool(service.selector)]}
        if service.headless:
            labels[HEADLESS_LABEL] = ""
        meta = Meta(name, service.meta.namespace, labels)
        slice_endpoints = tuple(_endpoint(cluster, member) for member in members)
        yield EndpointSlice(meta, family, slice_endpoints, slice_ports, service.meta.name, service.source)


def _endpoint(cluster: Cluster, endpoint: ServiceEndpoint) -> SliceEndpoint:
    return SliceEndpoint(
        (endpoint.address,),
        endpoint.ready,
        endpoint.serving,
        endpoint.terminating,
        endpoint.hostname,
        endpoint.node,
        endpoint.zone,
        endpoint.zone_hints,
        endpoint.node_hints,
        endpoint.pod if isinstance(cluster.by_ref.get(endpoint.pod), Pod) else "",
    )
