"""Who can prove that an endpoint carries traffic at all, where the wiring has no way between the ends of a flow.

A pod's own node can: it reaches its pods, and they it, whatever the policies. For a machine on the underlay, and for a
pod there, which its own node does not reach, any other machine on the underlay; for the latter also any other pod of
its network, as no policy is enforced there.
"""

from __future__ import annotations

from netlab.cluster.types import Cluster, Endpoint, Pod


def witness(cluster: Cluster, endpoint: Endpoint, family: int) -> Endpoint | None:
    """Return an endpoint that the wiring joins with this one in both directions; None where there is none."""
    past_the_node = isinstance(endpoint, Pod) and endpoint.traits.attachment.on_underlay
    if isinstance(endpoint, Pod) and not endpoint.host_network and not past_the_node:
        own = cluster.node(endpoint.node)
        return own if _has(own, family) else None
    machine = cluster.node(endpoint.node) if isinstance(endpoint, Pod) else endpoint
    others: tuple[Endpoint, ...] = (*cluster.nodes, *cluster.hosts)
    found = next((m for m in others if m.ref != machine.ref and _has(m, family)), None)
    if found is not None or not isinstance(endpoint, Pod) or not past_the_node:
        return found
    pods = (p for p in cluster.pods if p.network == endpoint.network)
    return next((p for p in pods if p.ref != endpoint.ref and _has(p, family)), None)


def _has(endpoint: Endpoint, family: int) -> bool:
    return any(address.version == family for address in endpoint.addresses)
