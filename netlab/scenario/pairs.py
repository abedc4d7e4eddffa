"""The flows of an expectation: its names and globs over the endpoints of a cluster."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from netlab.cluster.find import find, find_destination, literal
from netlab.cluster.flows import Flow, declared_ports
from netlab.cluster.types import Cluster, Endpoint, Host, address_of
from netlab.errors import UsageError
from netlab.objects.scenarios import Expectation
from netlab.objects.types import Address

DEFAULT_NAMESPACE = "default"
_GLOB = frozenset("*?[")


def flows_of(cluster: Cluster, expectation: Expectation, *, any_protocol: bool = False) -> list[Flow]:
    """Return the flows of an expectation, in a stable order.

    Without a port they go to the ports that the destination declares, with ``any_protocol`` those of every protocol. A
    glob never matches a pair of an endpoint with itself or of two outside hosts.

    Raises:
      UsageError: when a name does not exist or the expectation matches no pair.
    """
    sources = _matching(cluster, expectation.source)
    named = not (_is_glob(expectation.source) or _is_glob(expectation.destination))
    flows: list[Flow] = []
    for source in sources:
        for destination in _destinations(cluster, expectation.destination, source):
            if named or not _left_out(source, destination):
                flows += _of_pair(cluster, source, destination, expectation, any_protocol)
    if not flows:
        what = expectation.protocol if expectation.port is None else f"{expectation.port}/{expectation.protocol}"
        pair = f"{expectation.source!r} to {expectation.destination!r}"
        raise UsageError(f"matches no pair: nothing to ask from {pair} on {what}")
    return flows


def unknown_names(cluster: Cluster, expectation: Expectation) -> Iterator[tuple[str, str, str]]:
    """Yield the unknown names of an expectation: the field (``from`` or ``to``), the name and the message."""
    source, destination = expectation.source, expectation.destination
    for field, name, look in (("from", source, _matching), ("to", destination, _destinations)):
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
        if asked.family not in (None, family):
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
    if asked.port is not None:
        return [(asked.protocol, asked.port)]
    return [
        (protocol, port) for protocol, port in declared_ports(destination) if any_protocol or protocol == asked.protocol
    ]
