"""A URL in a cluster: the addresses to connect to, and the endpoints that must answer."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from netlab.cluster.find import literal
from netlab.cluster.services import endpoints
from netlab.cluster.types import Cluster, Endpoint, Node, Pod
from netlab.objects.scenarios import HttpExpectation
from netlab.objects.services import Service, ServicePort
from netlab.objects.types import Address

CONTROLLER = "ingress-nginx/controller"

Place = tuple[Endpoint, int]
"""An endpoint, and the port on which a program there must listen."""


def connect_to(cluster: Cluster, asked: HttpExpectation) -> tuple[Address, ...]:
    """Return the addresses of the ingress controller if an Ingress has the URL's host, else none.

    In a real cluster, public DNS leads such a host to these addresses.
    """
    if not any(_is_of(rule.host, _host(asked.url)) for one in cluster.ingresses for rule in one.rules):
        return ()
    service = next((one for one in cluster.services if one.meta.key == CONTROLLER), None)
    found = [one.address for one in service.load_balancer if one.address is not None] if service is not None else []
    return tuple(one for one in found if asked.family in (None, one.version))


def listeners(cluster: Cluster, source: Endpoint, asked: HttpExpectation) -> list[Place]:
    """Return where a program must listen so that a URL can be answered, in order.

    A name means what cluster DNS answers the source. A place that no request reaches does no harm.
    """
    parts = urlsplit(asked.url)
    port = parts.port or (443 if parts.scheme.lower() == "https" else 80)
    found = _listeners(cluster, source, _host(asked.url), port)
    return list({(place.ref, number): (place, number) for place, number in found}.values())


def unknown_hosts(cluster: Cluster, asked: HttpExpectation) -> Iterator[str]:
    """Yield a message if a URL that must be answered names a Service that does not exist.

    A name certainly names a Service only if it ends in ``.svc`` or the cluster's domain.
    """
    host = _host(asked.url)
    domain = f".svc.{cluster.cluster_domain}"
    if not host.endswith((".svc", domain)) or not asked.answered:
        return
    labels = host.removesuffix(domain).removesuffix(".svc").split(".")
    if len(labels) == 2 and f"{labels[1]}/{labels[0]}" not in {one.meta.key for one in cluster.services}:
        yield f"no Service '{labels[1]}/{labels[0]}'"


def _listeners(cluster: Cluster, source: Endpoint, host: str, port: int) -> Iterator[Place]:
    yield from _behind_ingresses(cluster, host)
    address = literal(host)
    owner = cluster.by_address.get(address) if address is not None else None
    if isinstance(owner, Node):
        for service in cluster.services:
            for one in service.ports:
                if one.node_port == port:
                    yield from _of_port(cluster, service, one)
    elif owner is not None:
        yield owner, port
    keys = _keys(cluster, source, host) if address is None else ()
    for service in cluster.services:
        if service.meta.key in keys or address in _addresses(service):
            yield from _of_service(cluster, service, port)
    for machine in cluster.hosts:
        if host in machine.hostnames:
            yield machine, port


def _behind_ingresses(cluster: Cluster, host: str) -> Iterator[Place]:
    by_key = {one.meta.key: one for one in cluster.services}
    for ingress in cluster.ingresses:
        if ingress.default_backend is None and not any(_is_of(rule.host, host) for rule in ingress.rules):
            continue
        backends = [path.backend for rule in ingress.rules for path in rule.paths]
        for backend in filter(None, (ingress.default_backend, *backends)):
            service = by_key.get(f"{ingress.meta.namespace}/{backend.service}")
            for one in service.ports if service is not None else ():
                if service is not None and backend.port in (one.port, one.name):
                    yield from _of_port(cluster, service, one)


def _of_service(cluster: Cluster, service: Service, port: int) -> Iterator[Place]:
    for one in service.ports:
        if service.headless:
            yield from ((place, port) for place, _ in _of_port(cluster, service, one))
        elif one.port == port:
            yield from _of_port(cluster, service, one)


def _of_port(cluster: Cluster, service: Service, port: ServicePort) -> Iterator[Place]:
    for family in cluster.families:
        for one in endpoints(cluster, service, port, family):
            found = cluster.by_ref.get(one.pod)
            if found is not None and not (isinstance(found, Pod) and found.system):
                yield found, one.port


def _addresses(service: Service) -> list[Address | None]:
    found = [*service.cluster_ips, *(one.address for one in service.load_balancer), *service.external_ips]
    return [one for one in found if one is not None]


def _keys(cluster: Cluster, source: Endpoint, host: str) -> list[str]:
    """Return the keys of the Services (``NAMESPACE/NAME``) that a name may mean for a source."""
    name = host.removesuffix(f".svc.{cluster.cluster_domain}").removesuffix(".svc")
    labels = name.split(".")
    own = source.namespace if isinstance(source, Pod) else ""
    return [f"{own}/{labels[-1]}", *([f"{labels[-1]}/{labels[-2]}"] if len(labels) > 1 else [])]


def _host(url: str) -> str:
    return (urlsplit(url).hostname or "").removesuffix(".")


def _is_of(rule: str, host: str) -> bool:
    """Return whether a host matches the host of an Ingress's rule, which may begin with ``*.``."""
    if rule.startswith("*."):
        return host.partition(".")[2] == rule[2:]
    return bool(rule) and host == rule
