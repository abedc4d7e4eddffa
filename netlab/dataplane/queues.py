"""Queues of links that delay, lose or limit packets.

What is between two machines happens at their ports of the underlay's bridge: a port's queue tells by which other port a
packet came. So a machine's own packets, those of its pods on the underlay and those of tunnels are all impaired, and no
program in a machine sees how.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from netlab.cluster.types import Cluster, Endpoint, Pod
from netlab.dataplane import names
from netlab.dataplane.build import Build
from netlab.kernel.state import Queue

if TYPE_CHECKING:
    from netlab.objects.links import Netem


def add_queues(cluster: Cluster, build: Build) -> None:
    """Add the queues of a cluster's links."""
    underlay = names.underlay_namespace(cluster.name)
    # A link between two nodes has both on one machine.
    ends: tuple[Endpoint, ...] = (*build.nodes(cluster), *build.hosts(cluster), *build.pods(cluster))
    here = {end.ref for end in ends}
    pairs: dict[str, list[tuple[str, Netem]]] = defaultdict(list)
    for link in cluster.links:
        if link.ends[0] not in here:
            continue
        if len(link.ends) > 1:
            one, other = map(names.underlay_port_name, link.ends)
            pairs[one].append((other, link.netem))
            pairs[other].append((one, link.netem))
            continue
        end = cluster.by_ref[link.ends[0]]
        place = names.endpoint_namespace(cluster.name, end)
        if isinstance(end, Pod):
            build.add(place, Queue(names.POD_DEVICE, link.netem))
            build.add(names.node_namespace(cluster.name, end.node), Queue(names.port_name(end), link.netem))
        else:
            build.add(place, Queue(names.UNDERLAY_DEVICE, link.netem))
            build.add(underlay, Queue(names.underlay_port_name(end.ref), link.netem))
    for port, sources in pairs.items():
        build.add(underlay, Queue(port, None, tuple(sorted(sources, key=lambda source: source[0]))))
