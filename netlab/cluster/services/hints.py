"""Zone and node hints of endpoints, as the endpoint slice controller sets them.

Source: k8s.io/endpointslice, topologycache (AddHints) and trafficdist (ReconcileHints). Nodes have no number of
processors in netlab, so each counts the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import ceil
from typing import TYPE_CHECKING

from netlab.cluster.types import Cluster
from netlab.objects.services import Service

if TYPE_CHECKING:
    from netlab.cluster.services.endpoints import ServiceEndpoint

# The second one is deprecated.
TOPOLOGY_ANNOTATIONS = ("service.kubernetes.io/topology-mode", "service.kubernetes.io/topology-aware-hints")
_ZONE_LABEL = "topology.kubernetes.io/zone"
_CONTROL_PLANE = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")
# How much more than its share of traffic an endpoint may get.
_OVERLOAD = 0.2


def with_hints(cluster: Cluster, service: Service, found: tuple[ServiceEndpoint, ...]) -> tuple[ServiceEndpoint, ...]:
    """Return endpoints with the hints that the Service's annotation, else its ``trafficDistribution`` asks for."""
    written = next((service.meta.annotations[a] for a in TOPOLOGY_ANNOTATIONS if a in service.meta.annotations), "")
    if written in ("Auto", "auto"):
        return _proportional(cluster, found)
    if service.traffic_distribution in ("PreferSameZone", "PreferClose"):
        return tuple(replace(one, zone_hints=(one.zone,)) if one.ready and one.zone else one for one in found)
    if service.traffic_distribution == "PreferSameNode":
        return tuple(
            replace(one, node_hints=(one.node,), zone_hints=(one.zone,) if one.zone else ())
            if one.ready and one.node
            else one
            for one in found
        )
    return found


def _proportional(cluster: Cluster, found: tuple[ServiceEndpoint, ...]) -> tuple[ServiceEndpoint, ...]:
    """Return endpoints with zone hints so that each zone gets its share; without hints if that is not possible."""
    ready = [at for at, one in enumerate(found) if one.ready]
    shares = _shares(cluster, len(ready))
    if not shares or any(not found[at].zone for at in ready):
        return found
    zones = {at: found[at].zone for at in ready}
    gives, takes = _moves(shares, Counter(zones.values()))
    for at in ready:
        zone = zones[at]
        to = next((name for name in sorted(takes) if takes[name]), None)
        if gives.get(zone) and to is not None:
            zones[at] = to
            gives[zone] -= 1
            takes[to] -= 1
    return tuple(replace(one, zone_hints=(zones[at],)) if at in zones else one for at, one in enumerate(found))


def _shares(cluster: Cluster, number: int) -> Mapping[str, float]:
    """Return how many of ``number`` endpoints each zone should have; {} if they cannot be shared out safely."""
    nodes = [node for node in cluster.nodes if not any(label in node.labels for label in _CONTROL_PLANE)]
    zones = Counter(node.labels.get(_ZONE_LABEL, "") for node in nodes)
    if "" in zones or len(zones) < 2 or len(zones) > number:
        return {}
    desired = {zone: number * count / len(nodes) for zone, count in zones.items()}
    least = {zone: ceil(share / (1 + _OVERLOAD)) for zone, share in desired.items()}
    if sum(least.values()) > number:
        return {}
    return {zone: max(share, least[zone]) for zone, share in desired.items()}


def _moves(shares: Mapping[str, float], have: Mapping[str, int]) -> tuple[dict[str, int], dict[str, int]]:
    """Return how many hints each zone gives away, and how many each takes."""
    giving = {zone: have.get(zone, 0) - share for zone, share in shares.items() if have.get(zone, 0) > share}
    taking = {zone: share - have.get(zone, 0) for zone, share in shares.items() if have.get(zone, 0) < share}
    gives: Counter[str] = Counter()
    takes: Counter[str] = Counter()
    while giving and taking:
        giver, taker = _most(giving), _most(taking)
        if giving[giver] < 1 and taking[taker] < 1:
            break
        for left, zone, moved in ((giving, giver, gives), (taking, taker, takes)):
            moved[zone] += 1
            left[zone] -= 1
            if left[zone] <= 0:
                del left[zone]
    return gives, takes


def _most(of: Mapping[str, float]) -> str:
    names: Sequence[str] = sorted(of)
    return max(names, key=of.__getitem__)
