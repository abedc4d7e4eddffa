"""The path of a flow to a backend by the node that translates, and what each hop sees.

A node translates (DNAT) before policy, and masquerades after it. So ingress policy of the backend sees the translated
destination. Egress policy of a pod is on the pod's own node. It sees the translated destination if that node
translates, else the original one.
"""

from __future__ import annotations

from dataclasses import replace

from netlab.cluster.flows import Flow
from netlab.cluster.node_sources import bridge_address, further_addresses, tunnel_address
from netlab.cluster.paths import Path, node_of, path, path_to_address
from netlab.cluster.translate.target import Backend, BackendFlow, JudgedFlow, SeenSources, Target
from netlab.cluster.types import Cluster, Endpoint, Host, Node, Pod, address_of
from netlab.objects.types import Address


def translating_node(cluster: Cluster, source: Endpoint, target: Target) -> Node | None:
    """Return the node that translates for a source, None if there is none, as an outside host has no node."""
    if target.node is not None or isinstance(source, Host):
        return target.node
    return cluster.node(source.node) if isinstance(source, Pod) else source


def backend_flow(cluster: Cluster, flow: Flow, target: Target, node: Node | None, backend: Backend) -> BackendFlow:
    """Return the flow to one backend of its destination; ``node`` is the node that translates."""
    if node is None:
        why = f"only nodes translate {flow.target}, and {flow.source.ref} is not a node"
        return BackendFlow(target, backend, Path(False, why))
    path_to = _path(cluster, flow, target, node, backend)
    if path_to.ingress_enforced and (chosen := _chosen_masquerade(flow.source, node)):
        path_to = replace(path_to, seen_by=f"masquerade: {chosen}")
    after = flow._replace(destination=backend.endpoint, address=backend.address, port=backend.port, service=None)
    own = address_of(flow.source, flow.family)
    egress = ingress = None
    if cluster.policy.service_egress == "pre-dnat":
        path_to, egress = _before_dnat(flow, node, path_to)
    elif (path_to.egress_enforced or path_to.own_node) and isinstance(flow.source, Pod):
        asked = after if flow.source.node == node.name else _to_node(flow, node)
        if asked.address is not None:
            egress = JudgedFlow(asked.destination, asked.address, asked)
    if path_to.ingress_enforced and path_to.seen_as is not None:
        ingress = JudgedFlow(_owner(cluster, flow.source, node, path_to), path_to.seen_as, after)
    itself = backend.endpoint is not None and flow.source.ref == backend.endpoint.ref
    masqueraded = _masqueraded_as(cluster, node, backend.endpoint, flow.family)
    seen_as = masqueraded if target.masqueraded else path_to.seen_as
    seen = SeenSources(own if egress else None, path_to.seen_as if ingress else None, None if itself else seen_as)
    return BackendFlow(target, backend, path_to, egress, ingress, seen)


def _chosen_masquerade(source: Endpoint, node: Node) -> str:
    """Return which packets the source's own node masquerades, if the wiring chooses it and another node translates."""
    if not isinstance(source, Pod) or not source.selectable or source.node == node.name:
        return ""
    return source.traits.wiring.masquerade or ""


def _before_dnat(flow: Flow, node: Node, path_to: Path) -> tuple[Path, JudgedFlow | None]:
    """Return the flow as egress policies see it that apply before the node translates it, and its path.

    A pod always reaches the addresses of its own node, and so what these are translated to.
    """
    source = flow.source
    if not isinstance(source, Pod) or not path_to.connected or not source.traits.attachment.enforced:
        return path_to, None
    if flow.destination is None or node_of(flow.destination) != source.node:
        asked = _to_node(flow, node)
        return replace(path_to, egress_enforced=True, own_node=False), JudgedFlow(
            asked.destination, asked.address, asked
        )
    why = f"{source.ref} always reaches the addresses of its own node (serviceEgress: pre-dnat)"
    return replace(path_to, egress_enforced=False, own_node=False, exempt=path_to.exempt or why), None


def _to_node(flow: Flow, node: Node) -> Flow:
    """Return a flow whose destination is the node, also if it was a host-network pod of the node."""
    return flow if flow.destination is None else flow._replace(destination=node)


def _masqueraded_as(cluster: Cluster, node: Node, end: Endpoint | None, family: int) -> Address | None:
    """Return the source address of packets that a node masquerades to an endpoint: that of the outgoing interface.

    To a pod of another node over a tunnel it is the node's end of the tunnel, the first address of its pods' prefix; on
    one link it is that of the node's bridge. To a pod of the node itself the kernel chooses one of the node's
    addresses; netlab reports the first one.
    """
    if isinstance(end, Pod) and end.selectable and end.node != node.name and end.traits.transport.tunnel:
        of = bridge_address if end.traits.transport.one_link else tunnel_address
        return of(node, end.network, family)
    return address_of(node, family)


def _owner(cluster: Cluster, source: Endpoint, node: Node, path_to: Path) -> Endpoint | None:
    """Return the endpoint that has the source address at the backend. After masquerade it is a node.

    None for a node's end of a tunnel, as policies count that address as the node's only if ``remoteNodeSource`` is it.
    """
    if path_to.seen_as in source.addresses:
        return source
    if path_to.seen_as in node.addresses:
        return node
    if any(path_to.seen_as == one for one in further_addresses(cluster.networks, node)):
        return node
    if any(path_to.seen_as == one[0] for of_network in node.pod_cidrs.values() for one in of_network):
        return None
    return cluster.node(source.node) if isinstance(source, Pod) else source


def _path(cluster: Cluster, flow: Flow, target: Target, node: Node, backend: Backend) -> Path:
    source, family = flow.source, flow.family
    first = path(cluster, source, node, family)
    if not first.connected:
        return first
    end = backend.endpoint
    if end is None:
        return path_to_address(cluster, source, backend.address)
    near = isinstance(source, Pod) and source.node == node.name and not source.host_network
    # Another node masquerades it, so that its own node takes it for that node.
    if source.ref == end.ref and target.exempt_itself and (near or first.local):
        return Path(True, seen_as=first.seen_as, exempt=f"{end.ref} always reaches itself")
    if source.ref == end.ref and target.loses_itself and near:
        return Path(False, f"{end.ref} does not reach itself through a Service (hairpin: unwired)")
    if not target.crosses and first.seen_as in source.addresses and (apart := _apart(source, end)):
        return Path(False, apart)
    if isinstance(end, Pod) and node_of(end) is None and end.node == node.name:
        if not target.crosses and source.ref != end.ref:
            wired = path(cluster, source if near else node, end, family)
            if not wired.connected:
                return Path(False, wired.reason)
        return _to_own_pod(first, end, near)
    if not near and node_of(end) == node.name:
        # Packets to the node itself are not forwarded, so they are not masqueraded.
        return first
    if target.keeps_source and not (near or first.local or source.ref == end.ref):
        # The endpoint answers the source directly. The source drops the answer, as it expects another address.
        return Path(False, f"{end.ref} would answer {source.ref} without {node.ref}, which translated {flow.target}")
    # A node that is not the source's own masquerades what it forwards, so that replies come back to it. It always
    # masquerades a source that is the endpoint itself.
    masqueraded = target.masqueraded or not (near or first.local)
    second = path(cluster, source if near else node, end, family)
    if not second.connected:
        return Path(False, second.reason)
    return Path(
        True,
        seen_as=_masqueraded_as(cluster, node, end, family) if masqueraded else second.seen_as,
        egress_enforced=first.egress_enforced or second.egress_enforced,
        ingress_enforced=second.ingress_enforced,
        own_node=near and second.own_node,
        exempt=second.exempt if near or first.local else first.exempt,
    )


def _apart(source: Endpoint, end: Endpoint) -> str:
    """Return why nodes drop packets from the address of one end to that of the other, "" if they do not."""
    if not isinstance(source, Pod) or not isinstance(end, Pod) or source.network == end.network:
        return ""
    joined = not source.network or not end.network
    return "" if joined else f"networks {source.network!r} and {end.network!r} are not joined"


def _to_own_pod(first: Path, pod: Pod, near: bool) -> Path:
    """Return the path by a node to one of its own pods; ``first`` is the path from the source to the node."""
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
