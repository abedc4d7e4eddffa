"""Zone and node hints of endpoints, as the endpoint slice controller sets them.

Nodes of a lab have no number of processors, so each node counts the same.

Source: k8s.io/endpointslice, topologycache (AddHints) and trafficdist (ReconcileHints).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import ceil
from typing import TYPE_CHECKING

from netlab.cluster.nodes import ZONE_LABEL
from netlab.cluster.types import Cluster
from netlab.objects.meta import TOPOLOGY_MODES
from netlab.objects.services import Service

if TYPE_CHECKING:
    from netlab.cluster.services.endpoints import ServiceEndpoint

_CONTROL_PLANE = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")
# An endpoint may get 20 % more traffic than its share.
_OVERLOAD = 0.2


def with_hints(
    cluster: Cluster, service: Service, endpoints: tuple[ServiceEndpoint, ...]
) -> tuple[ServiceEndpoint, ...]:
    """Return endpoints with hints by the Service's annotation, else by its ``trafficDistribution``."""
    annotations = service.meta.annotations
    mode = next((annotations[key] for key in TOPOLOGY_MODES if key in annotations), "")
    if mode in ("Auto", "auto"):
        return _proportional(cluster, endpoints)
    if service.traffic_distribution in ("PreferSameZone", "PreferClose"):
        return tuple(replace(e, zone_hints=(e.zone,)) if e.ready and e.zone else e for e in endpoints)
    if service.traffic_distribution == "PreferSameNode":
        return tuple(
            replace(e, node_hints=(e.node,), zone_hints=(e.zone,) if e.zone else ()) if e.ready and e.node else e
            for e in endpoints
        )
    return endpoints


def _proportional(cluster: Cluster, endpoints: tuple[ServiceEndpoint, ...]) -> tuple[ServiceEndpoint, ...]:
    """Return endpoints with zone hints such that each zone gets its share; without hints if that is not possible."""
    ready = [at for at, endpoint in enumerate(endpoints) if endpoint.ready]
    shares = _shares(cluster, len(ready))
    if not shares or any(not endpoints[at].zone for at in ready):
        return endpoints
    zones = {at: endpoints[at].zone for at in ready}
    gives, takes = _moves(shares, Counter(zones.values()))
    for at in ready:
        zone = zones[at]
        to = next((name for name in sorted(takes) if takes[name]), None)
        if gives.get(zone) and to is not None:
            zones[at] = to
            gives[zone] -= 1
            takes[to] -= 1
    return tuple(replace(e, zone_hints=(zones[at],)) if at in zones else e for at, e in enumerate(endpoints))


def _shares(cluster: Cluster, number: int) -> Mapping[str, float]:
    """Return how many of ``number`` endpoints each zone should have; {} if an endpoint would be overloaded."""
    nodes = [node for node in cluster.nodes if not any(label in node.labels for label in _CONTROL_PLANE)]
    zones = Counter(node.labels.get(ZONE_LABEL, "") for node in nodes)
    if "" in zones or len(zones) < 2 or len(zones) > number:
        return {}
    desired = {zone: number * count / len(nodes) for zone, count in zones.items()}
    least = {zone: ceil(share / (1 + _OVERLOAD)) for zone, share in desired.items()}
    if sum(least.values()) > number:
        return {}
    return {zone: max(share, least[zone]) for zone, share in desired.items()}


def _moves(shares: Mapping[str, float], have: Mapping[str, int]) -> tuple[dict[str, int], dict[str, int]]:
    """Return how many endpoints each zone gives to other zones, and how many each zone takes."""
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
