"""Stale connections after a change of Services: UDP and SCTP connections to endpoints that are gone.

While such a client sends, its packets would go to the old endpoint. TCP connections end by themselves.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from netlab.cluster import Cluster
from netlab.cluster.services.changes import changed_services
from netlab.cluster.services.routes import nodes_translate, outer_addresses
from netlab.cluster.services.selection import node_endpoints
from netlab.cluster.types import address_of
from netlab.dataplane import names
from netlab.kernel.machine import Frontend, Machine
from netlab.objects.services import Service, ServicePort
from netlab.objects.types import Address

_Key = tuple[Address, str, int]


def delete_stale(machine: Machine, before: Cluster, after: Cluster, here: Collection[str]) -> None:
    """Delete the stale connections on those nodes of a lab that are ``here``, when its new rules are in force."""
    changed = changed_services(before, after)
    old = [one for one in before.services if one.meta.key in changed and _datagrams(one)]
    new = [one for one in after.services if one.meta.key in changed and _datagrams(one)]
    if not old and not new:
        return
    known = {node.name for node in before.nodes}
    for node in after.nodes:
        if node.name not in known or node.name not in here:
            continue
        endpoints_of = {
            front: frozenset[tuple[Address, int]]() for one in old for front, _ in _fronts(before, one, node.name)
        }
        for one in new:
            for front, port in _fronts(after, one, node.name):
                found = node_endpoints(after, one, port, front[0].version, node.name)
                endpoints_of[front] = frozenset((e.address, e.port) for e in (*found.cluster, *found.local))
        fronts = [Frontend(*front, endpoints) for front, endpoints in endpoints_of.items()]
        if fronts:
            machine.delete_connections(names.node_namespace(after.name, node.name), fronts)


def _datagrams(service: Service) -> bool:
    return nodes_translate(service) and any(port.protocol != "TCP" for port in service.ports)


def _fronts(cluster: Cluster, service: Service, node: str) -> Iterator[tuple[_Key, ServicePort]]:
    """Yield every address, protocol and port that leads to a port of the Service on a node, except those of TCP."""
    for port in service.ports:
        if port.protocol == "TCP":
            continue
        for address in (*service.cluster_ips, *outer_addresses(service)):
            yield (address, port.protocol, port.port), port
        for address in service.cluster_ips if port.node_port else ():
            if (own := address_of(cluster.node(node), address.version)) is not None:
                yield (own, port.protocol, port.node_port), port
