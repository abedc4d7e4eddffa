"""The flows of an expectation: its names and globs over the endpoints of a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase

from netlab.cluster.find import find, find_destination, find_ports, find_service, is_service, literal
from netlab.cluster.flows import Flow, declared_ports, service_flow
from netlab.cluster.types import Cluster, Endpoint, Host, Pod, address_of
from netlab.errors import UsageError
from netlab.objects.scenarios import Active, Expectation
from netlab.objects.services import Service
from netlab.objects.types import Address

DEFAULT_NAMESPACE = "default"
_SERVICE = "service:"
_GLOB = frozenset("*?[")


def flows_of(cluster: Cluster, expectation: Expectation, *, any_protocol: bool = False) -> list[Flow]:
    """Return the flows of an expectation, in a stable order.

    Without a port they go to the ports that the destination declares, with ``any_protocol`` those of every protocol. A
    glob never matches a pair of an endpoint with itself or of two outside hosts.

    Raises:
      UsageError: when a name does not exist or the expectation matches no pair.
    """
    sources = sources_of(cluster, expectation.source)
    if is_service(expectation.destination):
        return _to_services(cluster, sources, expectation, any_protocol)
    named = not (_is_glob(expectation.source) or _is_glob(expectation.destination))
    flows: list[Flow] = []
    for source in sources:
        for destination in _destinations(cluster, expectation.destination, source):
            if named or not _left_out(source, destination):
                flows += _of_pair(cluster, source, destination, expectation, any_protocol)
    if not flows:
        raise _no_pair(expectation)
    return flows


def sources_of(cluster: Cluster, name: str) -> list[Endpoint]:
    """Return the endpoints that the ``from`` of an expectation matches; raises UsageError if there are none."""
    return _matching(cluster, name)


def services_of(cluster: Cluster, name: str) -> list[Service]:
    """Return the Services of ``service:NAMESPACE/NAME``; globs never match a Service that netlab added.

    Raises:
      UsageError: if there are none.
    """
    pattern = name.removeprefix(_SERVICE)
    if not _is_glob(pattern):
        return [find_service(cluster, name, DEFAULT_NAMESPACE)]
    namespace, _, own = pattern.rpartition("/")
    namespace = namespace or DEFAULT_NAMESPACE
    found = [
        one
        for one in cluster.services
        if not one.system and fnmatchcase(one.meta.namespace, namespace) and fnmatchcase(one.meta.name, own)
    ]
    if not found:
        raise UsageError(f"matches no pair: {name!r} matches no Service")
    return found


def _to_services(cluster: Cluster, sources: Sequence[Endpoint], asked: Expectation, any_protocol: bool) -> list[Flow]:
    """Return the flows to Services: to the port of a number or name, else to all ports."""
    flows = []
    services = services_of(cluster, asked.destination)
    for service in services:
        ports = [
            port
            for port in service.ports
            if asked.port in (None, port.port, port.name) and (any_protocol or port.protocol == asked.protocol)
        ]
        flows += [
            service_flow(source, service, port.protocol, port.port, family)
            for source in sources
            for family in [one.version for one in service.cluster_ips] or cluster.families
            if asked.family in (None, family) and _has(source, family)
            for port in ports
        ]
    if not flows:
        if len(services) == 1:
            port = None if asked.port is None else str(asked.port)
            find_ports(services[0], port, None if any_protocol else asked.protocol)
        raise _no_pair(asked)
    return flows


def _no_pair(asked: Expectation) -> UsageError:
    what = asked.protocol if asked.port is None else f"{asked.port}/{asked.protocol}"
    pair = f"{asked.source!r} to {asked.destination!r}"
    return UsageError(f"matches no pair: nothing to ask from {pair} on {what}")


def unknown_names(cluster: Cluster, expectation: Expectation | Active) -> Iterator[tuple[str, str, str]]:
    """Yield the unknown names of an expectation: the field (``from`` or ``to``), the name and the message."""
    looks: list[tuple[str, str, Callable[[Cluster, str], object]]] = [("from", expectation.source, sources_of)]
    if isinstance(expectation, Expectation):
        named = is_service(expectation.destination)
        looks.append(("to", expectation.destination, services_of if named else _destinations))
    for field, name, look in looks:
        try:
            look(cluster, name)
        except UsageError as error:
            yield field, name, str(error)


def _destinations(cluster: Cluster, name: str, source: Endpoint | None = None) -> Sequence[Endpoint | Address]:
    """Return the endpoints or the address of a destination, as a source sees it."""
    return _matching(cluster, name) if _is_glob(name) else [find_destination(cluster, name, source=source)]


def _left_out(source: Endpoint, destination: Endpoint | Address) -> bool:
    return source is destination or (isinstance(source, Host) and isinstance(destination, Host))


def _is_glob(pattern: str) -> bool:
    return not _GLOB.isdisjoint(pattern) and literal(pattern) is None


def _matching(cluster: Cluster, pattern: str) -> list[Endpoint]:
    """Return the endpoints of a name or glob; a glob matches namespace and name separately."""
    if not _is_glob(pattern):
        return [find(cluster, pattern)]
    for prefix, group in (("node:", cluster.nodes), ("host:", cluster.hosts)):
        if pattern.startswith(prefix):
            found: list[Endpoint] = [e for e in group if fnmatchcase(e.name, pattern.removeprefix(prefix))]
            break
    else:
        namespace, _, name = pattern.rpartition("/")
        namespace = namespace or DEFAULT_NAMESPACE
        found = [p for p in cluster.asked_pods() if fnmatchcase(p.namespace, namespace) and fnmatchcase(p.name, name)]
    if not found:
        hint = f", in namespace {DEFAULT_NAMESPACE!r}" if "/" not in pattern and ":" not in pattern else ""
        raise UsageError(f"matches no pair: {pattern!r} matches nothing{hint}")
    return found


def _of_pair(
    cluster: Cluster, source: Endpoint, destination: Endpoint | Address, asked: Expectation, any_protocol: bool
) -> list[Flow]:
    if not isinstance(destination, Endpoint):
        family = destination.version
        if asked.family not in (None, family) or isinstance(asked.port, str):
            return []
        protocol, port = (asked.protocol, asked.port or 80) if asked.protocol != "ICMP" else ("ICMP", None)
        return [Flow(source, None, family, protocol, port, destination)]
    address = literal(asked.destination)
    return [
        Flow(source, destination, family, protocol, port, address or address_of(destination, family))
        for family in (cluster.families if address is None else (address.version,))
        if asked.family in (None, family) and _has(source, family) and _has(destination, family)
        for protocol, port in _ports(destination, asked, any_protocol)
    ]


def _has(endpoint: Endpoint, family: int) -> bool:
    """Say whether to ask an endpoint in a family: an outside host has the families of its addresses only."""
    return not isinstance(endpoint, Host) or address_of(endpoint, family) is not None


def _ports(destination: Endpoint, asked: Expectation, any_protocol: bool) -> list[tuple[str, int | None]]:
    if asked.protocol == "ICMP":
        return [("ICMP", None)]
    if isinstance(asked.port, str):
        own = destination.ports if isinstance(destination, Pod) else ()
        named = [(one.protocol, one.port) for one in own if one.name == asked.port]
        return [one for one in named if any_protocol or one[0] == asked.protocol]
    if asked.port is not None:
        return [(asked.protocol, asked.port)]
    return [
        (protocol, port) for protocol, port in declared_ports(destination) if any_protocol or protocol == asked.protocol
    ]
