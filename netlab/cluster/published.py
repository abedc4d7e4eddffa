"""Published ports: what ``hostPort`` of a container makes of a port of its pod's node.

Source: the Kubernetes API reference (ContainerPort: ``hostPort``, ``hostIP``) and the CNI ``portmap`` plugin, which
most container runtimes leave it to: a new connection to any of the node's addresses (with ``hostIP``: to that one) goes
on to the pod's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from netlab.cluster.pods import PodDraft
from netlab.cluster.types import Cluster, Pod
from netlab.errors import Problem
from netlab.objects.addresses import plain_address
from netlab.objects.types import Address, ContainerPort, TopologyNetwork

_ANY = ("", "0.0.0.0", "::")  # noqa: S104  hostIP's way of saying every address


@dataclass(frozen=True, slots=True)
class Published:
    """One port of a pod that is published on its node; ``host_ip`` None is each of the node's addresses."""

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
    if pod.attachment in ("bridge", "overlay", "routed"):
        yield from (Published(pod, port, _host_ip(port)) for port in pod.ports if port.host_port)


def behind(cluster: Cluster, node: str, address: Address | None, protocol: str, port: int | None) -> Published | None:
    """Return what a node does with a connection to one of its addresses, None where it keeps it for itself."""
    found = [
        p
        for p in published(cluster)
        if (p.pod.node, p.port.protocol, p.port.host_port) == (node, protocol, port)
        and p.host_ip in (None, address)
        and any(address is not None and a.version == address.version for a in p.pod.addresses)
    ]
    return min(found, key=lambda p: p.host_ip is None, default=None)


def unpublishable(
    drafts: Sequence[PodDraft], node_of: Mapping[str, str], attached: Mapping[str, TopologyNetwork | None]
) -> list[Problem]:
    """Return what is wrong with the ports that pods publish: two pods on one, or a pod that its node cannot reach.

    Of pods whose node or network is not known, only what does not depend on it is said.
    """
    problems: list[Problem] = []
    owners: dict[tuple[str, str, int], list[tuple[Address | None, str]]] = {}
    for draft in drafts:
        if draft.spec.host_network:
            continue
        for port in draft.spec.ports:
            if not port.host_port:
                continue
            path = f"{port.path}.hostPort"
            network = attached.get(draft.ref)
            if draft.ref in attached and (network is None or network.mode == "macvlan"):
                where = f"on macvlan network {network.name!r}" if network else "without a network"
                problems.append(draft.problem(path, f"a node cannot publish a port of a pod {where}"))
                continue
            own = _host_ip(port)
            if own is None and port.host_ip not in _ANY:
                problems.append(draft.problem(f"{port.path}.hostIP", f"{port.host_ip!r} is no IP address"))
                continue
            node = node_of.get(draft.ref)
            if node is None:
                continue
            taken = owners.setdefault((node, port.protocol, port.host_port), [])
            other = next((ref for ip, ref in taken if ip is None or own is None or ip == own), None)
            if other is not None:
                what = f"{port.host_port}/{port.protocol} of node {node} is published by pod {other} already"
                problems.append(draft.problem(path, what))
            taken.append((own, draft.ref))
    return problems


def _host_ip(port: ContainerPort) -> Address | None:
    return None if port.host_ip in _ANY else plain_address(port.host_ip)
