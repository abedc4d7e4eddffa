"""Whether packets have a way from one endpoint to another, before any policy.

It follows from the traits of the modes (``netlab.modes``). This is the ``expected`` side's knowledge of topology; the
kernel's side of it is what ``netlab.dataplane`` builds.
"""

from __future__ import annotations

from netlab.cluster.nobody import nobody
from netlab.cluster.types import Cluster, Endpoint, Host, Node, Pod, address_of
from netlab.frozen import frozen
from netlab.objects.types import Address


@frozen
class Path:
    """What the wiring does with a flow.

    ``connected``: packets have a way. ``reason`` says why not when they have none. ``seen_as`` is the source address
    that the destination's side sees (the node's after masquerade), None when not connected. ``node_to_own_pod``:
    the source is the node, or shares its namespace, of the destination pod; ``local``: source and destination share
    one network namespace. ``egress_enforced`` and ``ingress_enforced``: the wiring passes a point where the policy of
    the source (destination) pod is enforced. ``exempt`` says why a policy that selects one of the ends has no say.
    """

    connected: bool
    reason: str = ""
    seen_as: Address | None = None
    local: bool = False
    node_to_own_pod: bool = False
    egress_enforced: bool = False
    ingress_enforced: bool = False
    exempt: str = ""


def path(cluster: Cluster, source: Endpoint, destination: Endpoint, family: int) -> Path:
    """Return what the wiring does with packets from ``source`` to ``destination``'s address of a family."""
    own = address_of(source, family)
    # Nearly all pairs of a matrix are of this kind.
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
        return _to_pod(source, destination, own, from_node)
    return _to_underlay(cluster, source, destination, own, to_node, family)


def path_to_address(cluster: Cluster, source: Endpoint, address: Address) -> Path:
    """Return what the wiring does with packets to an address that no machine of the lab has: they go nowhere."""
    if isinstance(source, Pod) and source.loopback_only:
        return Path(False, f"{source.ref} has a loopback interface only")
    if address_of(source, address.version) is None:
        return Path(False, f"{source.ref} has no IPv{address.version} address")
    enforced = isinstance(source, Pod) and source.traits.attachment.enforced
    return Path(False, nobody(cluster, address), egress_enforced=enforced)


def node_of(endpoint: Endpoint) -> str | None:
    """Return the node in whose own namespace the endpoint lives, None for a pod with its own and for a host."""
    if isinstance(endpoint, Node):
        return endpoint.name
    if isinstance(endpoint, Pod) and endpoint.host_network:
        return endpoint.node
    return None


def _unenforced(pod: Pod) -> str:
    return f"nothing enforces policies on {pod.attachment} network {pod.network!r}"


def _past_the_node(pod: Pod) -> Path:
    """No way between a node and its own pods on the underlay.

    The macvlan driver hands a frame of a child to its siblings or to the wire, never to the parent device, and the
    parent's frames to the wire only (Linux drivers/net/macvlan.c, bridge mode).
    """
    return Path(False, f"{pod.attachment} network {pod.network!r} does not join {pod.ref} and its own node {pod.node}")


def _between_pods(cluster: Cluster, source: Pod, pod: Pod, own: Address) -> Path:
    """The way from one pod to another, each with a network namespace of its own.

    It is asked for every pair of a lab, and depends on the networks, the nodes and the source's address only: making it
    anew takes twice as long as finding it again (2.4 and 1.2 us). The address is known by its identity, as hashing it
    takes 0.3 us more; the way that is found holds it, so that no other address can have that identity.
    """
    known: dict[tuple[object, ...], Path] = cluster.memo.setdefault("cluster.paths", {})
    joined = source.network == pod.network and (source.node == pod.node or source.traits.transport.joins_nodes)
    key = (source.network, id(own)) if joined else (source.network, source.node, pod.network, pod.node)
    way = known.get(key)
    if way is None:
        way = known[key] = _wired_between(source, pod, own)
    return way


def _wired_between(source: Pod, pod: Pod, own: Address) -> Path:
    if source.network != pod.network:
        return Path(False, f"networks {source.network!r} and {pod.network!r} are not joined")
    if source.node != pod.node and not pod.traits.transport.joins_nodes:
        return Path(False, f"{pod.attachment} networks of {source.node} and {pod.node} are not joined")
    enforced = pod.traits.attachment.enforced
    exempt = "" if enforced else _unenforced(pod)
    return Path(True, seen_as=own, egress_enforced=enforced, ingress_enforced=enforced, exempt=exempt)


def _to_pod(source: Endpoint, pod: Pod, own: Address, from_node: str | None) -> Path:
    """The way to a pod with a network namespace and an address of its own, from a machine or in its namespace."""
    attachment, transport = pod.traits.attachment, pod.traits.transport
    enforced = attachment.enforced
    exempt = "" if enforced else _unenforced(pod)
    if from_node == pod.node:
        if attachment.on_underlay:
            return _past_the_node(pod)
        return Path(True, seen_as=own, node_to_own_pod=True, exempt=f"{pod.ref} is always open to its own node")
    if isinstance(source, Host) and not transport.outside_routes:
        return Path(False, f"no route from outside to the pod addresses of {pod.attachment} network {pod.network!r}")
    if not transport.joins_nodes:
        what = f"{pod.attachment} network {pod.network!r} of {pod.node}"
        return Path(False, f"{what} is its own: no way in from {from_node}")
    return Path(True, seen_as=own, ingress_enforced=enforced, exempt=exempt)


def _to_underlay(
    cluster: Cluster, source: Endpoint, destination: Endpoint, own: Address, to_node: str | None, family: int
) -> Path:
    """The way to a node, to a host-network pod or to an outside host."""
    if not isinstance(source, Pod) or source.host_network:
        return Path(True, seen_as=own)
    attachment = source.traits.attachment
    if to_node == source.node:
        if attachment.on_underlay:
            return _past_the_node(source)
        if cluster.policy.own_node == "enforce" and attachment.enforced:
            return Path(True, seen_as=own, egress_enforced=True)
        # "Traffic to and from the node where a Pod is running is always allowed" (Kubernetes, Network Policies).
        return Path(True, seen_as=own, exempt=f"{source.ref} always reaches its own node")
    seen = address_of(cluster.node(source.node), family) if source.traits.masqueraded else own
    if not attachment.enforced:
        return Path(True, seen_as=seen, exempt=_unenforced(source))
    return Path(True, seen_as=seen, egress_enforced=True)
