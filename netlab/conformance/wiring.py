"""The judge of the wiring, without a kernel: the wanted state has the paths of ``cluster.paths``, and no others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product

from netlab.cluster.paths import Path, path
from netlab.cluster.types import Cluster, Endpoint, Pod, address_of
from netlab.dataplane import names
from netlab.dataplane.graph import Graph, Way
from netlab.dataplane.wanted import wanted
from netlab.kernel.state import Namespace
from netlab.objects.types import Address


def disagreements(cluster: Cluster, namespaces: Mapping[str, Namespace] | None = None) -> Iterator[str]:
    """Yield a line for each pair of endpoints and IP family whose packets take another way than ``path`` says.

    Args:
      cluster: the cluster; its policies do not matter.
      namespaces: the state to judge; by default ``wanted(cluster)``.
    """
    graph = Graph(wanted(cluster) if namespaces is None else namespaces)
    for source, destination in product(cluster.by_ref.values(), repeat=2):
        for family in (4, 6):
            for wrong in _judge(cluster, graph, source, destination, family):
                yield f"{source.ref} to {destination.ref}, IPv{family}: {wrong}"


def _judge(cluster: Cluster, graph: Graph, source: Endpoint, destination: Endpoint, family: int) -> Iterator[str]:
    stated = path(cluster, source, destination, family)
    own, to = address_of(source, family), address_of(destination, family)
    here, there = (names.endpoint_namespace(cluster.name, end) for end in (source, destination))
    way = None if own is None or to is None else graph.way(here, to)
    if way is None or way.namespaces[-1] != there:
        if stated.connected:
            yield f"no way, but it is said to be connected{f' (it ends in {way.namespaces[-1]})' if way else ''}"
        return
    if stated.dropped or (not stated.connected and _kept_apart(cluster, way, source, destination)):
        # Rules drop what routes bring.
        return
    if not stated.connected:
        yield f"a way by {', '.join(way.namespaces)}, but it is said that {stated.reason}"
        return
    if stated.local != (way.namespaces == (there,)):
        yield f"a way by {', '.join(way.namespaces)}, but it is said to be{' ' if stated.local else ' not '}local"
    yield from _too_large(way)
    yield from _hooks(cluster, way, stated, source, destination, masqueraded=stated.seen_as != own)
    yield from _answer(cluster, graph, stated, source, destination, masqueraded=stated.seen_as != own)


def _kept_apart(cluster: Cluster, way: Way, source: Endpoint, destination: Endpoint) -> bool:
    """Say whether the ruleset of a node on the way separates two networks; routes do not separate them."""
    if not (isinstance(source, Pod) and isinstance(destination, Pod) and source.network and destination.network):
        return False
    nodes = {names.node_namespace(cluster.name, node) for node in (source.node, destination.node)}
    return source.network != destination.network and not nodes.isdisjoint(way.hooked)


def _too_large(way: Way) -> Iterator[str]:
    if way.lost_above:
        yield f"packets of {way.first_mtu} bytes are sent, but those of more than {way.lost_above} do not get through"


def _hooks(
    cluster: Cluster, way: Way, stated: Path, source: Endpoint, destination: Endpoint, *, masqueraded: bool
) -> Iterator[str]:
    """Yield what a node should do with packets that do not pass its hooks."""
    for end, does, what in (
        (source, stated.egress_enforced, "egress is enforced"),
        (source, masqueraded, "it is masqueraded"),
        (destination, stated.ingress_enforced, "ingress is enforced"),
    ):
        if does and isinstance(end, Pod) and names.node_namespace(cluster.name, end.node) not in way.hooked:
            yield f"it does not pass node {end.node}, where {what}"


def _answer(
    cluster: Cluster, graph: Graph, stated: Path, source: Endpoint, destination: Endpoint, *, masqueraded: bool
) -> Iterator[str]:
    """Yield errors in the way of the answer: to the source, or to the node that masqueraded the packet."""
    if stated.seen_as is None:
        return
    start, home = (names.endpoint_namespace(cluster.name, end) for end in (destination, source))
    if not (masqueraded and isinstance(source, Pod)):
        yield from _back(graph, start, stated.seen_as, home)
        return
    node = names.node_namespace(cluster.name, source.node)
    yield from _back(graph, start, stated.seen_as, node)
    if (own := address_of(source, stated.seen_as.version)) is not None:
        yield from _back(graph, node, own, home, forwarded=True)


def _back(graph: Graph, start: str, address: Address, home: str, *, forwarded: bool = False) -> Iterator[str]:
    way = graph.way(start, address, forwarded=forwarded)
    if way is None or way.namespaces[-1] != home:
        yield f"the answer does not get from {start} to {address}"
    else:
        yield from (f"in the answer {wrong}" for wrong in _too_large(way))
