"""Whether the wiring joins two endpoints, before any policy, and which source address the destination sees.

The answers follow from the traits of the modes (``netlab.modes``). ``expected`` verdicts use them. The wiring itself is
in ``netlab.dataplane``.
"""

from __future__ import annotations

from netlab.cluster.node_sources import node_of, source_to_other_nodes
from netlab.cluster.types import Cluster, Endpoint, Host, Pod, address_of
from netlab.cluster.unowned import why_unowned
from netlab.frozen import frozen
from netlab.objects.types import Address

__all__ = ["Path", "drops_unpublished", "node_of", "path", "path_to_address"]


@frozen
class Path:
    """What the wiring does with a flow.

    - ``connected``: the wiring has a path. If not, ``reason`` says why.
    - ``seen_as``: the source address at the destination: the node's after masquerade, and for packets of a node to
      pods of other nodes the one that ``remoteNodeSource`` chooses. None if not connected.
    - ``local``: source and destination are in one network namespace.
    - ``node_to_own_pod``: the source is in the network namespace of the destination pod's node.
    - ``egress_enforced``: the path passes a hook that enforces the policy of the source pod. ``ingress_enforced``: of
      the destination pod.
    - ``own_node``: the packets go from a pod to its own node, and cluster-wide egress policies judge them there.
      NetworkPolicy does not (``ownNode: allow``); if one isolates the pod for egress, the tiers after it do not either.
    - ``exempt``: why a policy that selects one of the ends does not apply, "" if it applies.
    - ``dropped``: a path is wired, and a setting drops these packets before policy. Such a path is not connected.
    - ``opened_by``, ``seen_by``: the setting of wiring, with its value, that opens the path, and the one that chooses
      the source address; "" for those of the mode.
    """

    connected: bool
    reason: str = ""
    seen_as: Address | None = None
    local: bool = False
    node_to_own_pod: bool = False
    egress_enforced: bool = False
    ingress_enforced: bool = False
    own_node: bool = False
    exempt: str = ""
    dropped: bool = False
    opened_by: str = ""
    seen_by: str = ""


def path(cluster: Cluster, source: Endpoint, destination: Endpoint, family: int) -> Path:
    """Return what the wiring does with packets from ``source`` to ``destination``'s address of a family."""
    if cluster.stopped_nodes and (why := why_stopped(cluster, source, destination)):
        return Path(False, why)
    own = address_of(source, family)
    # The fast case: nearly all pairs of a matrix are two pods with namespaces of their own.
    if (
        isinstance(source, Pod)
        and isinstance(destination, Pod)
        and source.selectable
        and destination.selectable
        and own is not None
        and address_of(destination, family) is not None
        and source.ref != destination.ref
    ):
        return _between_pods(cluster, source, destination, own)
    for end in (source, destination):
        if isinstance(end, Pod) and end.loopback_only:
            return Path(False, f"{end.ref} has a loopback interface only")
    if own is None:
        return Path(False, f"{source.ref} has no IPv{family} address")
    if address_of(destination, family) is None:
        return Path(False, f"{destination.ref} has no IPv{family} address")
    if source is destination or source.ref == destination.ref:
        return Path(True, seen_as=own, local=True, exempt=f"{source.ref} always reaches itself")

    from_node, to_node = node_of(source), node_of(destination)
    if from_node is not None and from_node == to_node:
        return Path(True, seen_as=own, local=True, exempt=f"both are in the network namespace of node {from_node}")
    if isinstance(destination, Pod) and to_node is None:
        return _to_pod(cluster, source, destination, own, from_node)
    return _to_underlay(cluster, source, destination, own, to_node, family)


def why_stopped(cluster: Cluster, *ends: Endpoint) -> str:
    """Return that the node of one of some endpoints is stopped, "" if none is."""
    for end in ends:
        name = "" if isinstance(end, Host) else end.node if isinstance(end, Pod) else end.name
        if name in cluster.stopped_nodes:
            return f"node {name} is stopped"
    return ""


def path_to_address(cluster: Cluster, source: Endpoint, address: Address) -> Path:
    """Return the path to an address that no machine of the lab has: it is never connected."""
    if why := why_stopped(cluster, source):
        return Path(False, why)
    if isinstance(source, Pod) and source.loopback_only:
        return Path(False, f"{source.ref} has a loopback interface only")
    if address_of(source, address.version) is None:
        return Path(False, f"{source.ref} has no IPv{address.version} address")
    enforced = isinstance(source, Pod) and source.traits.attachment.enforced
    return Path(False, why_unowned(cluster, address), egress_enforced=enforced)


def _unenforced(pod: Pod) -> str:
    return f"nothing enforces policies on {pod.attachment} network {pod.network!r}"


def _past_the_node(pod: Pod) -> Path:
    """Return that a node and its own pods on the underlay do not reach one another.

    The macvlan driver passes a frame of a child to the other children or to the wire, and never to the parent device.
    It passes frames of the parent to the wire only (Linux drivers/net/macvlan.c, bridge mode).
    """
    return Path(False, f"{pod.attachment} network {pod.network!r} does not join {pod.ref} and its own node {pod.node}")


def _no_route(pod: Pod) -> Path:
    """Return that a pod and machines other than its node do not reach one another, as its plugins give no route."""
    return Path(False, f"the plugins of network {pod.network!r} join {pod.ref} to no other machine")


def _between_pods(cluster: Cluster, source: Pod, pod: Pod, own: Address) -> Path:
    """Return the path between two pods that have network namespaces of their own.

    Every pair of a matrix needs it, and it depends on the networks, the nodes and the source's address only, so it is
    cached: 1.2 us instead of 2.4 us. The key has the identity of the address, as the hash of an address takes 0.3 us.
    The cached path holds the address, so no other address gets the same identity.
    """
    known: dict[tuple[object, ...], Path] | None = cluster.memo.get("cluster.paths")
    if known is None:
        if cluster.policy.unpublished == "drop":
            # Then the nodes of both ends count too. Such labs are few, so their paths are not cached.
            return _wired_between(cluster, source, pod, own)
        known = cluster.memo["cluster.paths"] = {}
    joined = source.network == pod.network and (source.node == pod.node or source.traits.transport.joins_nodes)
    key = (source.network, id(own)) if joined else (source.network, source.node, pod.network, pod.node)
    found = known.get(key)
    if found is None:
        found = known[key] = _wired_between(cluster, source, pod, own)
    return found


def _wired_between(cluster: Cluster, source: Pod, pod: Pod, own: Address) -> Path:
    if source.network != pod.network:
        return Path(False, f"networks {source.network!r} and {pod.network!r} are not joined")
    if source.node != pod.node and not pod.traits.transport.joins_nodes:
        return Path(False, f"{pod.attachment} networks of {source.node} and {pod.node} are not joined")
    if source.node != pod.node and drops_unpublished(cluster, pod):
        return _unpublished(pod)
    enforced = pod.traits.attachment.enforced
    exempt = "" if enforced else _unenforced(pod)
    return Path(True, seen_as=own, egress_enforced=enforced, ingress_enforced=enforced, exempt=exempt)


def drops_unpublished(cluster: Cluster, pod: Pod) -> bool:
    """Say whether the pod's node drops packets from elsewhere to the pod's own address (``unpublished: drop``)."""
    return cluster.policy.unpublished == "drop" and pod.traits.attachment.published


def _unpublished(pod: Pod, seen_as: Address | None = None) -> Path:
    why = f"packets from outside of {pod.node} reach only published ports of {pod.ref} (unpublished: drop)"
    return Path(False, why, seen_as=seen_as, dropped=True)


def _to_pod(cluster: Cluster, source: Endpoint, pod: Pod, own: Address, from_node: str | None) -> Path:
    """Return the path to a pod with a network namespace of its own, from a node, host-network pod or outside host."""
    attachment, transport = pod.traits.attachment, pod.traits.transport
    enforced = attachment.enforced
    exempt = "" if enforced else _unenforced(pod)
    if from_node == pod.node:
        if attachment.on_underlay or attachment.reaches == "network":
            return _past_the_node(pod)
        return Path(True, seen_as=own, node_to_own_pod=True, exempt=f"{pod.ref} is always open to its own node")
    if attachment.reaches != "all":
        return _no_route(pod)
    seen, opened_by, seen_by = own, "", ""
    if isinstance(source, Host):
        if not pod.traits.outside_routes:
            what = f"the pod addresses of {pod.attachment} network {pod.network!r}"
            why = " (outsideRoutes: false)" if pod.traits.wiring.outside_routes is False else ""
            return Path(False, f"no route from outside to {what}{why}")
        opened_by = "" if transport.outside_routes else "outsideRoutes: true"
    elif not transport.joins_nodes:
        what = f"{pod.attachment} network {pod.network!r} of {pod.node}"
        return Path(False, f"{what} is separate: no path from {from_node}")
    elif from_node is not None:
        seen = source_to_other_nodes(cluster.node(from_node), pod.traits, pod.network, own.version) or own
        seen_by = f"remoteNodeSource: {pod.traits.remote_node_source}" if seen != own else ""
    if drops_unpublished(cluster, pod):
        return _unpublished(pod, seen)
    return Path(True, seen_as=seen, ingress_enforced=enforced, exempt=exempt, opened_by=opened_by, seen_by=seen_by)


def _to_underlay(
    cluster: Cluster, source: Endpoint, destination: Endpoint, own: Address, to_node: str | None, family: int
) -> Path:
    """Return the path to a node, a host-network pod or an outside host."""
    if not isinstance(source, Pod) or source.host_network:
        return Path(True, seen_as=own)
    attachment = source.traits.attachment
    if to_node == source.node:
        if attachment.on_underlay or attachment.reaches == "network":
            return _past_the_node(source)
        if cluster.policy.own_node == "enforce" and attachment.enforced:
            return Path(True, seen_as=own, egress_enforced=True)
        # "Traffic to and from the node where a Pod is running is always allowed" (Kubernetes, Network Policies).
        exempt = f"{source.ref} always reaches its own node"
        if cluster.cluster_policies and attachment.enforced:
            # The peer ``nodes`` of cluster-wide policies excepts no node (network-policy-api v0.3.0).
            exempt = f"NetworkPolicies do not judge what {source.ref} sends to its own node"
            return Path(True, seen_as=own, own_node=True, exempt=exempt)
        return Path(True, seen_as=own, exempt=exempt)
    if attachment.reaches != "all":
        return _no_route(source)
    masqueraded = source.traits.masquerades("outside" if isinstance(destination, Host) else "nodes")
    seen = address_of(cluster.node(source.node), family) if masqueraded else own
    if not attachment.enforced:
        return Path(True, seen_as=seen, exempt=_unenforced(source))
    return Path(True, seen_as=seen, egress_enforced=True)
