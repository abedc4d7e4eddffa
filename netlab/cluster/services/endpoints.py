"""The endpoints of Services, as the endpoint slice controller makes them.

Source: Kubernetes, Service and EndpointSlices; k8s.io/endpointslice (utils.go).
"""

from __future__ import annotations

from netlab.cluster.types import Cluster, Pod, address_of
from netlab.frozen import frozen
from netlab.objects.services import Service, ServicePort
from netlab.objects.types import Address

ZONE_LABEL = "topology.kubernetes.io/zone"


@frozen
class ServiceEndpoint:
    """One endpoint of one port of a Service, in one IP family.

    ``pod`` is ``NAMESPACE/NAME`` of the pod, or the reference of the host or node that has the address, else "".
    ``node`` and ``zone`` are "" if they are not known. ``port`` is the pod's port.
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
    """Return all endpoints of a Service's port in an IP family (4 or 6), also those that are not ready, in order."""
    known: dict[tuple[int, int, int], tuple[ServiceEndpoint, ...]] = cluster.memo.setdefault("services.endpoints", {})
    key = (id(service), id(port), family)
    if key not in known:
        known[key] = tuple(_of_pods(cluster, service, port, family)) if service.selector else ()
    return known[key]


def target_port(port: ServicePort, pod: Pod) -> int | None:
    """Return the number of the pod's port that a Service's port leads to, None if the pod has no port of that name."""
    if isinstance(port.target_port, int):
        return port.target_port or port.port
    names = (p.port for p in pod.ports if p.name == port.target_port and p.protocol == port.protocol)
    return next(names, None)


def _of_pods(cluster: Cluster, service: Service, port: ServicePort, family: int) -> list[ServiceEndpoint]:
    found = []
    for pod in cluster.pods:
        if pod.namespace != service.meta.namespace or not service.selector.items() <= pod.labels.items():
            continue
        address, number = address_of(pod, family), target_port(port, pod)
        if address is None or number is None:
            continue
        ready = service.publish_not_ready or (pod.ready and not pod.terminating)
        named = bool(pod.hostname) and pod.subdomain == service.meta.name
        found.append(
            ServiceEndpoint(
                address,
                number,
                pod.ref,
                pod.node,
                cluster.node(pod.node).labels.get(ZONE_LABEL, ""),
                ready,
                pod.ready,
                pod.terminating,
                pod.hostname if named else "",
            )
        )
    return found
