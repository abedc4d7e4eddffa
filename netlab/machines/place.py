"""Which machine has which node and outside host of a lab."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping

from netlab.cluster import Cluster
from netlab.errors import HostError
from netlab.objects.topology import Topology


def place(
    cluster: Cluster, topology: Topology | None, machines: Collection[str], before: Mapping[str, str]
) -> dict[str, str]:
    """Return the machine of each node and outside host, by reference.

    The Topology decides. Else a node stays where it is. The nodes of a new lab are spread evenly, in the order of their
    names, so that neighbours are together. New nodes of a running lab go to the machine with the fewest nodes. Outside
    hosts go to the first machine that has nodes.

    Args:
      cluster: the lab's cluster.
      topology: its Topology.
      machines: the machines whose agents run.
      before: the machines of the nodes and hosts of the running lab.

    Raises:
      HostError: if there is no machine, or none of a name that the Topology has.
    """
    asked = _asked(topology)
    known = ", ".join(sorted(machines)) or "no machine"
    missing = sorted({name for name in asked.values() if name not in machines})
    if missing:
        what = f"machine {' and '.join(missing)} of the Topology is not registered (registered: {known})"
        raise HostError(what, "start its agent: netlab agent --machine NAME")
    if not machines:
        raise HostError("no machine is registered", "start an agent on each: netlab agent --machine NAME")
    nodes = sorted(node.ref for node in cluster.nodes)
    placed = {ref: asked.get(ref) or before.get(ref, "") for ref in nodes}
    loose = [ref for ref in nodes if not placed[ref]]
    order = sorted(machines)
    if len(loose) == len(nodes):
        placed = {ref: order[number * len(order) // len(nodes)] for number, ref in enumerate(nodes)}
    else:
        count = Counter(name for name in placed.values() if name)
        for ref in loose:
            placed[ref] = min(order, key=lambda name: (count[name], name))
            count[placed[ref]] += 1
    first = min((*placed.values(),), default=order[0])
    return placed | {host.ref: asked.get(host.ref) or before.get(host.ref, first) for host in cluster.hosts}


def _asked(topology: Topology | None) -> dict[str, str]:
    if topology is None:
        return {}
    nodes = {f"node:{one.name}": one.machine for one in topology.nodes if one.machine}
    return nodes | {f"host:{one.name}": one.machine for one in topology.hosts if one.machine}
