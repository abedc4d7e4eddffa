"""The nodes of a cluster, and their addresses on the underlay."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import field, replace

from netlab.errors import Problem
from netlab.frozen import frozen
from netlab.objects.all_objects import Objects
from netlab.objects.topology import Topology
from netlab.objects.types import Address, Prefix, Source

# Labels that every kubelet on Linux sets on its node (Kubernetes: "Well-Known Labels, Annotations and Taints").
HOSTNAME_LABEL = "kubernetes.io/hostname"
ZONE_LABEL = "topology.kubernetes.io/zone"
OS_LABEL = "kubernetes.io/os"
ARCH_LABEL = "kubernetes.io/arch"
# Deprecated labels that a kubelet still sets, with the labels that replaced them.
_DEPRECATED = {"beta.kubernetes.io/os": OS_LABEL, "beta.kubernetes.io/arch": ARCH_LABEL}
_SET_BY_KUBELET = frozenset({HOSTNAME_LABEL, OS_LABEL, ARCH_LABEL, *_DEPRECATED})


@frozen
class NodeDraft:
    """One node before it has addresses; ``pod_cidrs`` and ``addresses`` are those of its Node object.

    ``seen`` are the node's addresses in the status of exported pods. ``made_up`` says that the input states no nodes;
    netlab then assumes that the node has the labels that a nodeSelector asks for.
    """

    name: str
    labels: Mapping[str, str]
    pod_cidrs: tuple[Prefix, ...] = ()
    addresses: tuple[Address, ...] = ()
    source: Source = field(default_factory=Source, compare=False)
    seen: tuple[Address, ...] = ()
    made_up: bool = False

    def satisfies(self, node_selector: Mapping[str, str]) -> bool:
        """Say whether the node has all labels of a selector."""
        return all(self._label(key) == value for key, value in node_selector.items())

    def may_satisfy(self, node_selector: Mapping[str, str]) -> bool:
        """Say whether the node may have all labels of a selector; a made-up node may have any that no kubelet sets."""
        return all(
            self._label(key) == value or (self.made_up and key not in _SET_BY_KUBELET)
            for key, value in node_selector.items()
        )

    def _label(self, key: str) -> str | None:
        return self.labels.get(key, self.labels.get(_DEPRECATED.get(key, "")))

    def first(self, family: int) -> Address | None:
        """Return the address of an IP family that the input states for the node, else None."""
        return next((a for a in (*self.addresses, *self.seen) if a.version == family), None)

    def problem(self, path: str, message: str) -> Problem:
        """Return a problem of a field of the Node object, with the field's line."""
        return Problem(self.source.file, self.source.line(path), path, f"Node {self.name}", message)


def topology_problem(topology: Topology, path: str, message: str) -> Problem:
    """Return a problem of a field of the Topology, with the field's line."""
    source = topology.source
    return Problem(source.file, source.line(path), path, f"Topology {topology.name}", message)


def states_nodes(objects: Objects) -> bool:
    """Say whether the input states nodes, in the Topology or as Node objects."""
    return bool(objects.nodes or (objects.topology and objects.topology.nodes))


def node_drafts(objects: Objects) -> list[NodeDraft]:
    """Return the Topology's nodes in order, then the other Node objects.

    Without any, the nodes are the nodeNames of pods and templates, sorted. Without those, the node is ``node-1``.
    """
    stated = states_nodes(objects)
    drafts = {n.name: NodeDraft(n.name, dict(n.labels)) for n in (objects.topology or Topology()).nodes}
    for node in objects.nodes:
        before = drafts.get(node.meta.name, NodeDraft(node.meta.name, {}))
        drafts[node.meta.name] = replace(
            before,
            labels={**before.labels, **node.meta.labels},
            pod_cidrs=node.pod_cidrs,
            addresses=node.addresses,
            source=node.source,
        )
    if not stated:
        named = {p.spec.node_name for p in objects.pods} | {w.template.node_name for w in objects.workloads}
        drafts = {name: NodeDraft(name, {}, made_up=True) for name in sorted(named - {""}) or ["node-1"]}
    seen: dict[str, dict[Address, None]] = {name: {} for name in drafts}
    for node_name, address in _seen(objects):
        if node_name in seen:
            seen[node_name][address] = None
    own = {HOSTNAME_LABEL: "", OS_LABEL: "linux", ARCH_LABEL: "amd64"}
    return [
        replace(n, labels={**own, HOSTNAME_LABEL: n.name, **n.labels}, seen=tuple(seen[n.name]))
        for n in drafts.values()
    ]


def _seen(objects: Objects) -> Iterator[tuple[str, Address]]:
    """Yield (node, address) from the status of exported pods; a host-network pod has its node's addresses."""
    for pod in objects.pods:
        for address in pod.host_addresses:
            yield pod.spec.node_name, address
    for pod in objects.pods:
        if pod.spec.host_network:
            for address in pod.addresses:
                yield pod.spec.node_name, address


def underlay_addresses(
    topology: Topology, nodes: Sequence[NodeDraft], avoid: Collection[Address] = ()
) -> tuple[dict[str, tuple[Address, ...]], list[Problem]]:
    """Return every node's underlay addresses, one for each IP family of the lab's networks, and the problems.

    A node keeps the address that the input states for it if the family's underlay prefix holds it. The other nodes get
    the free addresses of the prefix, in node order, without those of outside hosts and those to ``avoid``.
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
            seen = next((a for a in node.seen if a.version == family and a in prefix and a not in owner), None)
            if stated is not None and stated in owner:
                problems.append(node.problem("status.addresses", f"{owner[stated]} has {stated} as well"))
            elif (kept := stated or seen) is not None:
                owner[kept] = f"node {node.name}"
                found[node.name].append(kept)
            else:
                rest.append(node)
        free = (a for a in prefix.hosts() if a not in owner and a not in avoid)
        for node in rest:
            address = next(free, None)
            if address is None:
                message = f"{prefix} has too few addresses for {len(nodes)} nodes"
                problems.append(topology_problem(topology, "spec.underlayCIDRs", message))
                break
            found[node.name].append(address)
    return {name: tuple(addresses) for name, addresses in found.items()}, problems
