"""Published ports: the ``hostPort`` of a container makes a port of the node lead to the pod.

Source: the Kubernetes API reference (ContainerPort: ``hostPort``, ``hostIP``), and the CNI ``portmap`` plugin, which
most container runtimes use. A new connection to any address of the node (with ``hostIP``: to that address) is
translated to the pod's address and port.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from netlab.cluster.pods import PodDraft
from netlab.cluster.types import Cluster, Pod
from netlab.errors import Problem
from netlab.frozen import frozen
from netlab.objects.addresses import plain_address
from netlab.objects.topology import TopologyNetwork
from netlab.objects.types import Address, ContainerPort

_ANY = ("", "0.0.0.0", "::")  # noqa: S104  values of hostIP that stand for every address


@frozen
class Published:
    """One port of a pod that is published on its node; ``host_ip`` None stands for all addresses of the node."""

    pod: Pod
    port: ContainerPort
    host_ip: Address | None = None


def published(cluster: Cluster) -> tuple[Published, ...]:
    """Return every published port of the cluster, in the order of its pods."""
    found: tuple[Published, ...] | None = cluster.memo.get("cluster.published")
    if found is None:
        found = cluster.memo["cluster.published"] = tuple(one for pod in cluster.pods for one in published_by(pod))
    return found


def published_by(pod: Pod) -> Iterator[Published]:
    """Yield the ports that a pod publishes, in order."""
    if pod.traits.attachment.published:
        yield from (Published(pod, port, _host_ip(port)) for port in pod.ports if port.host_port)


def published_at(
    cluster: Cluster, node: str, address: Address | None, protocol: str, port: int | None
) -> Published | None:
    """Return what is published at an address and port of a node, None if nothing is."""
    if port is None or address is None:
        return None
    found = [
        p
        for p in _by_port(cluster).get((node, protocol, port), ())
        if p.host_ip in (None, address) and any(address.version == a.version for a in p.pod.addresses)
    ]
    return min(found, key=lambda p: p.host_ip is None, default=None)


def _by_port(cluster: Cluster) -> dict[tuple[str, str, int], list[Published]]:
    """Return the published ports by node, protocol and the node's port."""
    known: dict[tuple[str, str, int], list[Published]] | None = cluster.memo.get("cluster.published.by_port")
    if known is None:
        known = cluster.memo["cluster.published.by_port"] = {}
        for one in published(cluster):
            known.setdefault((one.pod.node, one.port.protocol, one.port.host_port), []).append(one)
    return known


class HostPorts:
    """The published ports of each node, with the pods that have them."""

    def __init__(self) -> None:
        self._taken: dict[tuple[str, str, int], list[tuple[Address | None, str]]] = {}

    def add(self, node: str, pod: PodDraft) -> None:
        """Take a node's ports for a pod."""
        for port in _valid_host_ports(pod):
            self.take(node, port, pod.ref)

    def take(self, node: str, port: ContainerPort, ref: str) -> str:
        """Take one port of a node for a pod; if another pod has it, return that pod, else ""."""
        owner = self.owner(node, port)
        if not owner:
            self._taken.setdefault((node, port.protocol, port.host_port), []).append((_host_ip(port), ref))
        return owner

    def owner(self, node: str, port: ContainerPort) -> str:
        """Return the pod that has a port of a node, "" if the port is free."""
        own = _host_ip(port)
        taken = self._taken.get((node, port.protocol, port.host_port), ())
        return next((ref for ip, ref in taken if ip is None or own is None or ip == own), "")

    def free(self, node: str, pod: PodDraft) -> bool:
        """Say whether all ports that a pod publishes are free on a node."""
        return not any(self.owner(node, port) for port in _valid_host_ports(pod))


def _valid_host_ports(pod: PodDraft) -> Iterator[ContainerPort]:
    """Yield the ports that a pod publishes, without those whose hostIP is not an address."""
    for port in () if pod.spec.host_network else pod.spec.ports:
        if port.host_port and (port.host_ip in _ANY or _host_ip(port) is not None):
            yield port


def check_host_ports(
    drafts: Sequence[PodDraft],
    node_of: Mapping[str, str],
    attached: Mapping[str, TopologyNetwork | None],
    made_up: bool = False,
) -> tuple[list[Problem], dict[str, list[ContainerPort]]]:
    """Return the problems of published ports, and the ports that stay unpublished, by pod.

    It is an error if two pods of a node publish one port, and if a node cannot reach the pod. On ``made_up`` nodes,
    whose number netlab chose, a second pod on a port is no error: its port stays unpublished. A pod that is not in
    ``node_of`` or ``attached`` has an unknown node or network, and checks that need these are left out.
    """
    problems: list[Problem] = []
    unpublished: dict[str, list[ContainerPort]] = {}
    host_ports = HostPorts()
    for draft in drafts:
        if draft.spec.host_network:
            continue
        for port in draft.spec.ports:
            if not port.host_port:
                continue
            path = f"{port.path}.hostPort"
            network = attached.get(draft.ref)
            if draft.ref in attached and (network is None or not network.traits.attachment.published):
                where = f"on {network.mode} network {network.name!r}" if network else "without a network"
                problems.append(draft.problem(path, f"a node cannot publish a port of a pod {where}"))
                continue
            own = _host_ip(port)
            if own is None and port.host_ip not in _ANY:
                problems.append(draft.problem(f"{port.path}.hostIP", f"{port.host_ip!r} is not an IP address"))
                continue
            node = node_of.get(draft.ref)
            if node is None:
                continue
            owner = host_ports.take(node, port, draft.ref)
            if owner and made_up:
                unpublished.setdefault(draft.ref, []).append(port)
            elif owner:
                what = f"{port.host_port}/{port.protocol} of node {node} is published by pod {owner} already"
                if not draft.spec.node_name:
                    # The scheduler would leave it Pending (plugin NodePorts).
                    what += ", and no other node that admits the pod has it free"
                problems.append(draft.problem(path, what))
    return problems, unpublished


def without_host_ports(draft: PodDraft, ports: Sequence[ContainerPort]) -> PodDraft:
    """Return a pod that does not publish the given ports."""
    left = tuple(replace(port, host_port=0) if port in ports else port for port in draft.spec.ports)
    return replace(draft, spec=replace(draft.spec, ports=left))


def unpublished_warning(
    drafts: Iterable[PodDraft], unpublished: Mapping[str, Sequence[ContainerPort]]
) -> list[Problem]:
    """Return one warning about all ports that stay unpublished, none if there are none."""
    left = [draft for draft in drafts if draft.ref in unpublished]
    if not left:
        return []
    first = left[0]
    port = unpublished[first.ref][0]
    more = f" and {len(left) - 1} more pods" if len(left) > 1 else ""
    message = (
        f"the input states no nodes, and another pod publishes {port.host_port}/{port.protocol} on each node that"
        f" netlab makes: it stays unpublished for {first.ref}{more}; state more nodes to publish it"
    )
    return [replace(first.problem(f"{port.path}.hostPort", message), severity="warning", rule="port-unpublished")]


def _host_ip(port: ContainerPort) -> Address | None:
    return None if port.host_ip in _ANY else plain_address(port.host_ip)
