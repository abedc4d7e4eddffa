"""The endpoints of Services: the pods of a selector, else those of EndpointSlices and Endpoints of the input.

Source: Kubernetes, Service and EndpointSlices; k8s.io/endpointslice (utils.go); the endpoint slice and the endpoint
slice mirroring controllers; kube-proxy's EndpointSliceCache (which ports and addresses of a slice count).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from netlab.cluster.nodes import ZONE_LABEL
from netlab.cluster.services.hints import with_hints
from netlab.cluster.services.pod_index import pods_of
from netlab.cluster.types import Cluster, Endpoint, Node, Pod, address_of
from netlab.frozen import frozen
from netlab.objects.services import Endpoints, EndpointSlice, Service, ServicePort, SliceEndpoint, SlicePort
from netlab.objects.types import Address

_SKIP_MIRROR_LABEL = "endpointslice.kubernetes.io/skip-mirror"
# The mirroring controller takes the first addresses of a subset only.
_MOST_MIRRORED = 1000

PROXY_NAME_LABEL, HEADLESS_LABEL = "service.kubernetes.io/service-proxy-name", "service.kubernetes.io/headless"
"""kube-proxy ignores a Service or an EndpointSlice with one of these labels, whatever the value is."""

ANY_PORT = ServicePort(0)
"""Stands for all ports of a headless Service, which may have none."""


@frozen
class ServiceEndpoint:
    """One endpoint of one port of a Service, in one IP family.

    ``pod`` is ``NAMESPACE/NAME`` of the pod, or the reference of the host or node that has the address, else "".
    ``node`` and ``zone`` are "" if a slice leaves them out. ``port`` is the endpoint's port, not the Service's.
    """

    address: Address
    port: int
    pod: str = ""
    node: str = ""
    zone: str = ""
    ready: bool = True
    serving: bool = True
    terminating: bool = False
    hostname: str = ""
    zone_hints: tuple[str, ...] = ()
    node_hints: tuple[str, ...] = ()


def endpoints(cluster: Cluster, service: Service, port: ServicePort, family: int) -> tuple[ServiceEndpoint, ...]:
    """Return all endpoints of a Service's port in an IP family (4 or 6), also those that are not ready, in order.

    With ``ANY_PORT``, for a headless Service, the endpoints have port 0, whatever ports they have.
    """
    known: _Known = cluster.memo.setdefault("services.endpoints", {})
    kept = known.get(id(service))
    # The entry holds the Service, as Python may give its identity to another object after its end.
    if kept is None or kept[0] is not service:
        kept = known[id(service)] = service, {}
    key = (port.name, port.protocol, port.port, port.target_port, family)
    if key not in kept[1]:
        kept[1][key] = _endpoints(cluster, service, port, family)
    return kept[1][key]


_Key = tuple[str, str, int, int | str, int]
_Known = dict[int, tuple[Service, dict[_Key, tuple[ServiceEndpoint, ...]]]]


def target_port(port: ServicePort, pod: Pod) -> int | None:
    """Return the port of a pod that a Service's port leads to, None if the pod has no port of the target's name."""
    if isinstance(port.target_port, int):
        return port.target_port or port.port
    names = (p.port for p in pod.ports if p.name == port.target_port and p.protocol == port.protocol)
    return next(names, None)


def ports_of(cluster: Cluster, service: Service) -> tuple[ServicePort, ...]:
    """Return the ports of the endpoints of a headless Service.

    Without a selector, they are those of the EndpointSlices and Endpoints of the input. The Service may have others.
    """
    if service.selector:
        return service.ports
    stated = [one for slice_ in slices_of(cluster, service) for one in slice_.ports]
    stated += [one for mirrored in _mirrored(cluster, service) for subset in mirrored.subsets for one in subset.ports]
    found = {(one.name, one.protocol): ServicePort(one.port, 0, one.protocol, one.name) for one in stated if one.port}
    return tuple(found.values())


def slices_of(cluster: Cluster, service: Service) -> tuple[EndpointSlice, ...]:
    """Return the EndpointSlices of a Service without a selector."""
    by_service: dict[str, list[EndpointSlice]] | None = cluster.memo.get("services.slices")
    if by_service is None:
        by_service = cluster.memo["services.slices"] = {}
        for slice_ in cluster.slices:
            if slice_.service:
                by_service.setdefault(slice_.service_key, []).append(slice_)
    return tuple(by_service.get(service.meta.key, ()))


def _endpoints(cluster: Cluster, service: Service, port: ServicePort, family: int) -> tuple[ServiceEndpoint, ...]:
    if service.type == "ExternalName":
        return ()
    if not service.selector:
        return tuple(_stated(cluster, service, port, family).values())
    if service.ip_families and family not in service.ip_families:
        return ()
    found = tuple(_of_pods(cluster, service, port, family))
    # Services with the same endpoints share them: a pod may be an endpoint of thousands of ports.
    lists: dict[tuple[int, ...], tuple[ServiceEndpoint, ...]] = cluster.memo.setdefault("services.endpoints.lists", {})
    return with_hints(cluster, service, lists.setdefault(tuple(map(id, found)), found))


def _of_pods(cluster: Cluster, service: Service, port: ServicePort, family: int) -> Iterator[ServiceEndpoint]:
    known: dict[tuple[int, int, int, bool, bool], ServiceEndpoint] = cluster.memo.setdefault(
        "services.endpoints.of", {}
    )
    for pod in pods_of(cluster, service):
        number = target_port(port, pod)
        if number is None:
            continue
        in_dns = bool(pod.hostname) and pod.subdomain == service.meta.name
        key = (id(pod), family, number, service.publish_not_ready, in_dns)
        endpoint = known.get(key)
        if endpoint is None:
            address = address_of(pod, family)
            if address is None:
                continue
            endpoint = known[key] = ServiceEndpoint(
                address,
                number,
                pod.ref,
                pod.node,
                cluster.node(pod.node).labels.get(ZONE_LABEL, ""),
                service.publish_not_ready or (pod.ready and not pod.terminating),
                pod.ready,
                pod.terminating,
                pod.hostname if in_dns else "",
            )
        yield endpoint


def _stated(
    cluster: Cluster, service: Service, port: ServicePort, family: int
) -> dict[tuple[Address, int], ServiceEndpoint]:
    """Return the endpoints that the input states. Of two with one address and port the later one counts."""
    found: dict[tuple[Address, int], ServiceEndpoint] = {}
    any_port = port == ANY_PORT
    for slice_ in slices_of(cluster, service):
        if slice_.family == family and (service.headless or not _ignored(slice_)):
            for number in [0] if any_port else _numbers(slice_.ports, port):
                for endpoint in slice_.endpoints:
                    _add(cluster, found, endpoint, number, family)
    for mirrored in _mirrored(cluster, service):
        for subset in mirrored.subsets:
            ready = subset.addresses[:_MOST_MIRRORED]
            for number in [0] if any_port else _numbers(subset.ports, port):
                for endpoint in ready:
                    _add(cluster, found, endpoint, number, family)
                for endpoint in subset.not_ready[: _MOST_MIRRORED - len(ready)]:
                    _add(cluster, found, endpoint, number, family, ready=False)
    return found


def _ignored(one: EndpointSlice) -> bool:
    """Say whether kube-proxy ignores a slice. DNS does not."""
    return PROXY_NAME_LABEL in one.meta.labels or HEADLESS_LABEL in one.meta.labels


def _numbers(ports: Iterable[SlicePort], port: ServicePort) -> Iterator[int]:
    """Yield the numbers of a slice's ports with the name and protocol of a Service's port."""
    for of_slice in ports:
        # kube-proxy ignores a port without a number.
        if of_slice.name == port.name and of_slice.protocol == port.protocol and of_slice.port:
            yield of_slice.port


def _add(
    cluster: Cluster,
    found: dict[tuple[Address, int], ServiceEndpoint],
    endpoint: SliceEndpoint,
    number: int,
    family: int,
    *,
    ready: bool = True,
) -> None:
    # kube-proxy uses the first address of an endpoint only.
    if not endpoint.addresses or endpoint.addresses[0].version != family:
        return
    address = endpoint.addresses[0]
    owner = cluster.by_address.get(address)
    zone = endpoint.zone
    if not zone and endpoint.node and any(node.name == endpoint.node for node in cluster.nodes):
        zone = cluster.node(endpoint.node).labels.get(ZONE_LABEL, "")
    found[address, number] = ServiceEndpoint(
        address,
        number,
        _name(cluster, owner, endpoint),
        endpoint.node,
        zone,
        ready and endpoint.ready,
        ready and endpoint.serving,
        endpoint.terminating,
        endpoint.hostname,
        endpoint.zone_hints,
        endpoint.node_hints,
    )


def _name(cluster: Cluster, owner: Endpoint | None, endpoint: SliceEndpoint) -> str:
    """Return the reference of the machine with an address; for a node, of the host-network pod that a slice names."""
    named = cluster.by_ref.get(endpoint.pod) if endpoint.pod else None
    if isinstance(owner, Node) and isinstance(named, Pod) and named.host_network and named.node == owner.name:
        return named.ref
    return owner.ref if owner is not None else ""


def _mirrored(cluster: Cluster, service: Service) -> list[Endpoints]:
    """Return the Endpoints object of a Service without a selector, unless a label says not to mirror it."""
    by_key: dict[str, Endpoints] | None = cluster.memo.get("services.mirrored")
    if by_key is None:
        by_key = cluster.memo["services.mirrored"] = {
            one.meta.key: one for one in cluster.endpoints if one.meta.labels.get(_SKIP_MIRROR_LABEL) != "true"
        }
    endpoints_object = by_key.get(service.meta.key)
    return [] if endpoints_object is None else [endpoints_object]
