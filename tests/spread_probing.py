"""Measures a lab of this host as if each of its machines had some of its nodes: participants are threads."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping

from netlab.cluster.flows import Flow
from netlab.cluster.types import Cluster, Endpoint, Pod
from netlab.dataplane import names
from netlab.kernel import netns
from netlab.kernel.machine import Inside
from netlab.probe import Measurement, ports, service_ports
from netlab.probe.machines.channel import MemoryChannel
from netlab.probe.machines.coordinator import Coordinator
from netlab.probe.machines.participation import participate

MACHINES = ("one", "two", "three")


def placement(cluster: Cluster, machines: tuple[str, ...] = MACHINES) -> dict[str, str]:
    """Return the machine of each node and outside host, in turn."""
    ends = [*(node.ref for node in cluster.nodes), *(host.ref for host in cluster.hosts)]
    return {ref: machines[number % len(machines)] for number, ref in enumerate(ends)}


def owners(cluster: Cluster, lab: str, placed: Mapping[str, str]) -> dict[str, str]:
    """Return the machine of each namespace of a lab."""
    found = {}
    ends: tuple[Endpoint, ...] = (*cluster.nodes, *cluster.hosts, *cluster.pods)
    for end in ends:
        ref = f"node:{end.node}" if isinstance(end, Pod) else end.ref
        found[names.endpoint_namespace(lab, end)] = placed[ref]
    return found


def measure(
    cluster: Cluster,
    flows: Iterable[Flow],
    *,
    lab: str | None = None,
    progress: Callable[[int, int], None] | None = None,
    inside: Inside = netns.inside,
    placed: Mapping[str, str] | None = None,
    absent: tuple[str, ...] = (),
    channel: MemoryChannel | None = None,
    known: Cluster | None = None,
) -> Iterator[Measurement]:
    """Yield the measurement of each flow, as ``netlab.probe.measure`` does; ``absent`` machines do not answer.

    ``known`` is the cluster of the participants, by default the same.
    """
    lab, placed = lab or cluster.name, placed or placement(cluster)
    machines = sorted(set(placed.values()))
    owner = owners(cluster, lab, placed)
    channel = channel or MemoryChannel(machines)

    def run(machine: str) -> None:
        participate(
            channel.participant(machine), known or cluster, lab, lambda name: owner.get(name) == machine, inside
        )

    threads = [threading.Thread(target=run, args=(name,)) for name in machines if name not in absent]
    for thread in threads:
        thread.start()
    more = sum(service_ports.needed(cluster)) if cluster.services else 0
    first = int.from_bytes(os.urandom(4))
    coordinator = Coordinator(channel, cluster, lab, placed, lambda name: name not in absent, first, ports.of_run(more))
    try:
        for block in coordinator.blocks(iter(flows)):
            yield from block.measurements()
    finally:
        coordinator.close()
        channel.close()
        for thread in threads:
            thread.join()
        channel.free()
