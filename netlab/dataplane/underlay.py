"""Pods on the underlay itself: every machine there reaches a network's prefixes by its link."""

from __future__ import annotations

from netlab.cluster.types import Cluster, Host, Network, Node, address_of
from netlab.dataplane import names
from netlab.dataplane.build import Build
from netlab.kernel.state import Route


def join(cluster: Cluster, network: Network, build: Build) -> int:
    """Add on-link routes to the network's prefixes on every machine; return the MTU of a pod's link."""
    machines: list[Node | Host] = [*build.nodes(cluster), *build.hosts(cluster)]
    for machine in machines:
        for prefix in network.pod_cidrs:
            if address_of(machine, prefix.version) is not None:
                place = names.endpoint_namespace(cluster.name, machine)
                build.add(place, Route(prefix, names.UNDERLAY_DEVICE))
    return build.mtu
