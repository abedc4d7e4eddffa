"""EndpointSlices of a cluster as objects: those that the controllers make, and those of the input that count.

Source: k8s.io/endpointslice (reconciler.go): a slice has the endpoints with one set of ports, in one IP family.
"""

from __future__ import annotations

from collections.abc import Iterator

from netlab.cluster.services.endpoints import ServiceEndpoint, endpoints, slices_of
from netlab.cluster.types import Cluster, Pod
from netlab.objects.services import EndpointSlice, Service, ServicePort, SliceEndpoint, SlicePort
from netlab.objects.types import Address, Meta

NAME_LABEL = "kubernetes.io/service-name"
_MANAGED_LABEL = "endpointslice.kubernetes.io/managed-by"
_HEADLESS_LABEL = "service.kubernetes.io/headless"
_MANAGERS = {True: "endpointslice-controller.k8s.io", False: "endpointslicemirroring-controller.k8s.io"}
_NO_PORT = ServicePort(0)


def made_slices(cluster: Cluster) -> Iterator[EndpointSlice]:
    """Yield the slices of every Service: one for each IP family and set of ports, named ``NAME-ipv4``.

    A further set of ports makes ``NAME-ipv4-2``. A Service without a selector has those of the input.
    """
    for service in cluster.services:
        if service.type == "ExternalName":
            continue
        given = () if service.selector else slices_of(cluster, service)
        yield from given
        mirrored = any(one.meta.key == service.meta.key for one in cluster.endpoints)
        if service.selector or (mirrored and not given):
            for family in service.ip_families or cluster.families:
                yield from _slices(cluster, service, family)


def _slices(cluster: Cluster, service: Service, family: int) -> Iterator[EndpointSlice]:
    ports = service.ports or (_NO_PORT,)
    numbers: dict[Address, dict[int, int]] = {}
    examples: dict[Address, ServiceEndpoint] = {}
    for at, port in enumerate(ports):
        for one in endpoints(cluster, service, port, family):
            numbers.setdefault(one.address, {})[at] = one.port
            examples.setdefault(one.address, one)
    groups: dict[tuple[tuple[int, int], ...], list[ServiceEndpoint]] = {}
    for address, of in numbers.items():
        groups.setdefault(tuple(sorted(of.items())), []).append(examples[address])
    # The controller keeps one empty slice for a Service without endpoints.
    for index, (own, members) in enumerate(groups.items() or [((), [])]):
        found = tuple(
            SlicePort(number, ports[at].protocol, ports[at].name, ports[at].app_protocol)
            for at, number in own
            if number
        )
        name = f"{service.meta.name}-ipv{family}{f'-{index + 1}' if index else ''}"
        labels = {NAME_LABEL: service.meta.name, _MANAGED_LABEL: _MANAGERS[bool(service.selector)]}
        if service.headless:
            labels[_HEADLESS_LABEL] = ""
        meta = Meta(name, service.meta.namespace, labels)
        slices = tuple(_endpoint(cluster, one) for one in members)
        yield EndpointSlice(meta, family, slices, found, service.meta.name, service.source)


def _endpoint(cluster: Cluster, one: ServiceEndpoint) -> SliceEndpoint:
    pod = one.pod if isinstance(cluster.by_ref.get(one.pod), Pod) else ""
    return SliceEndpoint(
        (one.address,),
        one.ready,
        one.serving,
        one.terminating,
        one.hostname,
        one.node,
        one.zone,
        one.zone_hints,
        one.node_hints,
        pod,
    )
