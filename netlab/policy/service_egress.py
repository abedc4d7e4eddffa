"""Egress rules that judge a Service's address and port, with ``serviceEgress: pre-dnat``.

Amazon's VPC CNI judges a packet before the node translates it. So that selectors still work, its controller reads a
peer as the cluster IPs of those Services too whose selector has the labels that the peer's podSelector wants. A port of
the rule is a port of the endpoints, so it becomes the port of the Service that leads there.

Source: aws/amazon-network-policy-controller-k8s, pkg/resolvers/endpoints.go and pkg/k8s/service_utils.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netlab.cluster.types import Cluster
from netlab.objects.policies import NetworkPolicy, Peer, PolicyPort, Rule
from netlab.objects.types import Address

if TYPE_CHECKING:
    from netlab.objects.services import Service

SETTING = "serviceEgress: pre-dnat"


def service_at(cluster: Cluster, address: Address) -> Service | None:
    """Return the Service with a cluster IP, if egress policies see cluster IPs; else None."""
    if cluster.policy.service_egress != "pre-dnat":
        return None
    known: dict[Address, Service] | None = cluster.memo.get("policy.cluster_ips")
    if known is None:
        known = cluster.memo["policy.cluster_ips"] = {}
        for service in cluster.services:
            for one in () if service.headless else service.cluster_ips:
                known.setdefault(one, service)
    return known.get(address)


def service_peer(
    cluster: Cluster, policy: NetworkPolicy, rule: Rule, service: Service, protocol: str, port: int | None
) -> int | None:
    """Return the number of the first peer with selectors that allows a port of a Service; None if none does."""
    if rule.ports and not any(_allows(cluster, item, service, protocol, port) for item in rule.ports):
        return None
    if not rule.ports and port is None:
        return None
    for number, peer in enumerate(rule.peers):
        if peer.ip_block is None and _matches(cluster, policy, peer, service):
            return number
    return None


def _matches(cluster: Cluster, policy: NetworkPolicy, peer: Peer, service: Service) -> bool:
    space = service.meta.namespace
    if peer.namespace_selector is None and space != policy.meta.namespace:
        return False
    if peer.namespace_selector is not None and not peer.namespace_selector.matches(cluster.namespaces.get(space, {})):
        return False
    return peer.pod_selector is None or peer.pod_selector.matches(service.selector)


def _allows(cluster: Cluster, item: PolicyPort, service: Service, protocol: str, port: int | None) -> bool:
    if item.protocol != protocol or port is None:
        return False
    if item.port is None:
        return True
    first = _service_port(cluster, item, service)
    # endPort is not translated, as the controller copies it.
    return first is not None and first <= port <= (item.end_port or first)


def _service_port(cluster: Cluster, item: PolicyPort, service: Service) -> int | None:
    """Return the Service's port for a port of its endpoints: by the target, else by a container port of a pod."""
    leads_to = [(p.target_port or p.port, p.port) for p in service.ports if p.protocol == item.protocol]
    for target, port in leads_to:
        if target == item.port:
            return port
    for pod in cluster.pods:
        labels = service.selector
        if not labels or not pod.selectable or pod.namespace != service.meta.namespace:
            continue
        if any(pod.labels.get(key) != value for key, value in labels.items()):
            continue
        for own in pod.ports:
            if own.protocol == item.protocol and item.port in (own.name, own.port):
                found = next((port for target, port in leads_to if target in (own.port, own.name or own.port)), None)
                if found is not None:
                    return found
                break
    return None
