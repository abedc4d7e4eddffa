"""Compares the wiring of two clusters: machines, links, addresses and routes."""

from __future__ import annotations

from netlab.cluster import Cluster, Pod


def same_wiring(one: Cluster, other: Cluster) -> bool:
    """Return whether two clusters have the same namespaces, links, addresses and routes; labels do not count."""
    if one.pods is not other.pods and len(one.pods) != len(other.pods):
        return False
    pods = all(a is b or _wiring(a) == _wiring(b) for a, b in zip(one.pods, other.pods, strict=True))
    return pods and _frame(one) == _frame(other)


def _wiring(pod: Pod) -> tuple[object, ...]:
    return pod.ref, pod.node, pod.attachment, pod.network, pod.addresses, pod.ports


def _frame(cluster: Cluster) -> tuple[object, ...]:
    nodes = [(n.name, n.addresses, n.pod_cidrs, n.stopped) for n in cluster.nodes]
    underlay = cluster.underlay_cidrs, cluster.links
    return cluster.name, cluster.networks, nodes, cluster.hosts, underlay, _services(cluster)


def _services(cluster: Cluster) -> object:
    """Return what links and routes depend on: whether there are Services, and where their outer addresses lead."""
    if not cluster.services:
        return None
    from netlab.dataplane.services import balancer_routes

    return cluster.service_cidrs, [(address, node.name) for address, node in balancer_routes(cluster)]
