"""The programs that answer at the healthCheckNodePorts of a lab: one for each node, where a Service has such a port.

kube-proxy counts the endpoints that are ready, so one that terminates does not count although it still serves.
"""

from __future__ import annotations

import json
from typing import Any

from netlab.cluster import Cluster
from netlab.cluster.services.endpoints import endpoints
from netlab.cluster.services.routes import nodes_translate
from netlab.dataplane import names
from netlab.kernel.program import OWN_FOLDER, Program
from netlab.lab import programs
from netlab.objects.services import Service

KIND = "health"
_FILE = "endpoints.json"


def wanted(cluster: Cluster) -> list[programs.Wanted]:
    """Return the programs of a cluster: none without a Service that has such a port."""
    served = sorted((one for one in cluster.services if _port(one)), key=_port)
    if not served:
        return []
    ports = [_port(one) for one in served]
    found = []
    for node in cluster.nodes:
        counts = {str(_port(one)): _counts(cluster, one, node.name) for one in served}
        program = program_of(names.node_namespace(cluster.name, node.name), node.name, ports)
        found.append(programs.Wanted(program, {_FILE: json.dumps(counts).encode()}))
    return found


def program_of(namespace: str, hostname: str, ports: list[int]) -> Program:
    """Return the program of a node that answers at these ports."""
    argv = (*map(str, ports), f"{OWN_FOLDER}/{_FILE}")
    return Program(namespace, argv, "netlab.programs.health", tuple(("tcp", port) for port in ports), hostname)


def _port(service: Service) -> int:
    return service.health_check_node_port if nodes_translate(service) else 0


def _counts(cluster: Cluster, service: Service, node: str) -> dict[str, Any]:
    counts = {}
    for family in service.ip_families:
        every = (one for port in service.ports for one in endpoints(cluster, service, port, family))
        counts[str(family)] = len({one.address for one in every if one.ready and one.node == node})
    name = {"namespace": service.meta.namespace, "name": service.meta.name}
    return {"service": name, "endpoints": counts}
