"""Nodes: which there are, and with which addresses they are on the underlay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from netlab.errors import Problem
from netlab.objects import types as objects
from netlab.objects.types import Address, Prefix, Source, Topology

# What every kubelet on Linux sets on its node (Kubernetes: "Well-Known Labels, Annotations and Taints").
HOSTNAME_LABEL = "kubernetes.io/hostname"
OS_LABEL = "kubernetes.io/os"


@dataclass(frozen=True, slots=True)
class NodeDraft:
    """One node before it has addresses; ``pod_cidrs`` and ``addresses`` are what its Node object states."""

    name: str
    labels: Mapping[str, str]
    pod_cidrs: tuple[Prefix, ...] = ()
    addresses: tuple[Address, ...] = ()
    source: Source = field(default_factory=Source, compare=False)

    def satisfies(self, node_selector: Mapping[str, str]) -> bool:
        return all(self.labels.get(key) == value for key, value in node_selector.items())

    def problem(self, path: str, message: str) -> Problem:
        """Return the problem of one of its Node object's fields, at the line of that field."""
        return Problem(self.source.file, self.source.line(path), path, f"Node {self.name}", message)


def topology_problem(topology: Topology, path: str, message: str) -> Problem:
    """Return the problem of one of a Topology's fields, at the line of that field."""
    source = topology.source
    return Problem(source.file, source.line(path), path, f"Topology {topology.name}", message)


def node_drafts(topology: Topology, nodes: Sequence[objects.Node]) -> list[NodeDraft]:
    """Return the Topology's nodes in order, then those that only Node objects name; ``node-1`` where there is none."""
    drafts = {n.name: NodeDraft(n.name, dict(n.labels)) for n in topology.nodes}
    for node in nodes:
        before = drafts.get(node.meta.name, NodeDraft(node.meta.name, {}))
        drafts[node.meta.name] = replace(
            before,
            labels={**before.labels, **node.meta.labels},
            pod_cidrs=node.pod_cidrs,
            addresses=node.addresses,
            source=node.source,
        )
    known = list(drafts.values()) or [NodeDraft("node-1", {})]
    return [replace(n, labels={HOSTNAME_LABEL: n.name, OS_LABEL: "linux", **n.labels}) for n in known]


def underlay_addresses(
    topology: Topology, nodes: Sequence[NodeDraft]
) -> tuple[dict[str, tuple[Address, ...]], list[Problem]]:
    """Return every node's underlay addresses, one for each IP family of the lab's networks.

    They come in node order from the first underlay prefix of the family, past those that outside hosts have. A node
    keeps the address that its Node object states where that prefix holds it.
    """
    problems: list[Problem] = []
    owner: dict[Address, str] = {a: f"host {h.name}" for h in topology.hosts for a in h.addresses}
    found: dict[str, list[Address]] = {node.name: [] for node in nodes}
    for family in sorted({cidr.version for network in topology.networks for cidr in network.pod_cidrs}):
        prefix = next((p for p in topology.underlay_cidrs if p.version == family), None)
        if prefix is None:
            message = f"no IPv{family} prefix, but a network has an IPv{family} podCIDR"
            problems.append(topology_problem(topology, "spec.underlayCIDRs", message))
            continue
        rest: list[NodeDraft] = []
        for node in nodes:
            stated = next((a for a in node.addresses if a.version == family and a in prefix), None)
            if stated is None:
                rest.append(node)
            elif stated in owner:
                problems.append(node.problem("status.addresses", f"{stated} is also that of {owner[stated]}"))
            else:
                owner[stated] = f"node {node.name}"
                found[node.name].append(stated)
        free = (a for a in prefix.hosts() if a not in owner)
        for node in rest:
            address = next(free, None)
            if address is None:
                message = f"{prefix} has too few addresses for {len(nodes)} nodes"
                problems.append(topology_problem(topology, "spec.underlayCIDRs", message))
                break
            found[node.name].append(address)
    return {name: tuple(addresses) for name, addresses in found.items()}, problems
