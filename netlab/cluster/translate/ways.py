"""The way of a flow by a node that translates its destination, and what each hop of it sees.

A node translates before it judges policy, and masquerades after it. So the ingress of the backend is judged after the
translation. The egress of a pod is judged on the pod's own node: after the translation where that node translates, and
else as the pod asked.
"""

from __future__ import annotations

from netlab.cluster.flows import Flow
from netlab.cluster.paths import Path, node_of, path, path_to_address
from netlab.cluster.translate.target import Backend, Seen, Target, Through, View
from netlab.cluster.types import Cluster, Endpoint, Host, Node, Pod, address_of


def translating_node(cluster: Cluster, source: Endpoint, target: Target) -> Node | None:
    """Return the node that translates for a source, None where there is none: outside hosts have no node."""
    if target.node is not None or isinstance(source, Host):
        return target.node
    return cluster.node(source.node) if isinstance(source, Pod) else source


def through(cluster: Cluster, flow: Flow, target: Target, node: Node | None, backend: Backend) -> Through:
    """Return a flow by one of the backends of its destination."""
    if node is None:
        why = f"{flow.target} means something on nodes only, and {flow.source.ref} is outside of them"
        return Through(target, backend, Path(False, why))
    way = _way(cluster, flow, target, node, backend)
    after = flow._replace(destination=backend.endpoint, address=backend.address, port=backend.port)
    own = address_of(flow.source, flow.family)
    egress = ingress = None
    if way.egress_enforced and isinstance(flow.source, Pod):
        asked = after if flow.source.node == node.name else _to_node(flow, node)
        if asked.address is not None:
            egress = View(asked.destination, asked.address, asked)
    if way.ingress_enforced and way.seen_as is not None:
        ingress = View(_owner(cluster, flow.source, node, way), way.seen_as, after)
    itself = backend.endpoint is not None and flow.source.ref == backend.endpoint.ref
    masqueraded = address_of(node, flow.family) if target.masqueraded else way.seen_as
    seen = Seen(own if egress else None, way.seen_as if ingress else None, None if itself else masqueraded)
    return Through(target, backend, way, egress, ingress, seen)


def _to_node(flow: Flow, node: Node) -> Flow:
    """Return a flow as another node's pod asks it: of the node, also where a host-network pod of it was asked."""
    return flow if flow.destination is None else flow._replace(destination=node)


def _owner(cluster: Cluster, source: Endpoint, node: Node, way: Path) -> Endpoint:
    """Return the endpoint that the backend's side takes the source for: of a masqueraded flow, a node."""
    if way.seen_as in source.addresses:
        return source
    if way.seen_as in node.addresses:
        return node
    return cluster.node(source.node) if isinstance(source, Pod) else source


def _way(cluster: Cluster, flow: Flow, target: Target, node: Node, backend: Backend) -> Path:
    source, family = flow.source, flow.family
    first = path(cluster, source, node, family)
    if not first.connected:
        return first
    end = backend.endpoint
    if end is None:
        return path_to_address(cluster, source, backend.address)
    if source.ref == end.ref and target.exempt_itself:
        return Path(True, seen_as=first.seen_as, exempt=f"{end.ref} always reaches itself")
    near = isinstance(source, Pod) and source.node == node.name and not source.host_network
    if isinstance(end, Pod) and node_of(end) is None and end.node == node.name:
        return _to_own_pod(first, end, near)
    # A node that is not the source's own masquerades what it sends on, as answers have to come back by it.
    masqueraded = target.masqueraded or not (near or first.local)
    second = path(cluster, source if near else node, end, family)
    if not second.connected:
        return Path(False, second.reason)
    return Path(
        True,
        seen_as=address_of(node, family) if masqueraded else second.seen_as,
        egress_enforced=first.egress_enforced or second.egress_enforced,
        ingress_enforced=second.ingress_enforced,
        exempt=second.exempt if near or first.local else first.exempt,
    )


def _to_own_pod(first: Path, pod: Pod, near: bool) -> Path:
    """The way by a node to a pod of its own; ``first`` is the source's way to the node."""
    if first.local:
        why = f"{pod.ref} is always open to its own node"
        return Path(True, seen_as=first.seen_as, node_to_own_pod=True, exempt=why)
    return Path(
        True,
        seen_as=first.seen_as,
        egress_enforced=first.egress_enforced or near,
        ingress_enforced=True,
        exempt="" if near else first.exempt,
    )
