"""The connections that a change of Services leaves behind: UDP and SCTP to endpoints that are gone.

Each packet of such a client would go to the old endpoint for as long as the client sends. TCP ends by itself.
"""

from __future__ import annotations

from collections.abc import Iterator

from netlab.cluster import Cluster
from netlab.cluster.services.changes import changed_services
from netlab.cluster.services.routes import outer_addresses, proxied
from netlab.cluster.services.selection import node_endpoints
from netlab.cluster.types import address_of
from netlab.dataplane import names
from netlab.kernel.machine import Front, Machine
from netlab.objects.services import Service, ServicePort
from netlab.objects.types import Address

_Door = tuple[Address, str, int]


def forget(machine: Machine, before: Cluster, after: Cluster) -> None:
    """Delete them on every node of a lab whose rules are in force."""
    changed = changed_services(before, after)
    old = [one for one in before.services if one.meta.key in changed and _datagrams(one)]
    new = [one for one in after.services if one.meta.key in changed and _datagrams(one)]
    if not old and not new:
        return
    known = {node.name for node in before.nodes}
    for node in after.nodes:
        if node.name not in known:
            continue
        doors = {door: frozenset[tuple[Address, int]]() for one in old for door, _ in _doors(before, one, node.name)}
        for one in new:
            for door, port in _doors(after, one, node.name):
                found = node_endpoints(after, one, port, door[0].version, node.name)
                doors[door] = frozenset((e.address, e.port) for e in (*found.cluster, *found.local))
        fronts = [Front(*door, endpoints) for door, endpoints in doors.items()]
        if fronts:
            machine.forget(names.node_namespace(after.name, node.name), fronts)


def _datagrams(service: Service) -> bool:
    return proxied(service) and any(port.protocol != "TCP" for port in service.ports)


def _doors(cluster: Cluster, service: Service, node: str) -> Iterator[tuple[_Door, ServicePort]]:
    """Yield every address and port of a node that leads to a port of the Service."""
    for port in service.ports:
        if port.protocol == "TCP":
            continue
        for address in (*service.cluster_ips, *outer_addresses(service)):
            yield (address, port.protocol, port.port), port
        for address in service.cluster_ips if port.node_port else ():
            if (own := address_of(cluster.node(node), address.version)) is not None:
                yield (own, port.protocol, port.node_port), port
