"""Load-balancer addresses and external IPs: the Services that have them, and the node that packets to them reach.

Source: Kubernetes, Service (externalIPs, ``status.loadBalancer``); pkg/proxy/serviceport.go (LoadBalancerVIPs).
"""

from __future__ import annotations

from collections import Counter

from netlab.cluster.services.endpoints import ServiceEndpoint, endpoints
from netlab.cluster.services.families import problem_of
from netlab.cluster.types import Cluster, Node, Pod, address_of
from netlab.errors import Problem
from netlab.objects.fields import invalid
from netlab.objects.services import Service
from netlab.objects.types import Address

PROXY_NAME_LABEL, HEADLESS_LABEL = "service.kubernetes.io/service-proxy-name", "service.kubernetes.io/headless"
"""Labels of Services that kube-proxy leaves alone, whatever their values are."""


def proxied(service: Service) -> bool:
    """Say whether nodes translate the addresses of a Service."""
    if service.type == "ExternalName" or service.headless or not service.cluster_ips:
        return False
    return PROXY_NAME_LABEL not in service.meta.labels and HEADLESS_LABEL not in service.meta.labels


def outer_addresses(service: Service) -> tuple[Address, ...]:
    """Return the load-balancer addresses and external IPs of a Service that nodes translate, in order.

    Families that the Service does not have are left out, and so are load balancers with ``ipMode: Proxy``.
    """
    if not proxied(service):
        return ()
    balancers = service.load_balancer if service.type == "LoadBalancer" else ()
    found = [one.address for one in balancers if one.address is not None and not one.proxy]
    families = {address.version for address in service.cluster_ips}
    return tuple(dict.fromkeys(one for one in (*found, *service.external_ips) if one.version in families))


def balanced(cluster: Cluster) -> dict[Address, list[Service]]:
    """Return the Services by each of their load-balancer addresses and external IPs that nodes translate."""
    known: dict[Address, list[Service]] | None = cluster.memo.get("services.balanced")
    if known is None:
        known = cluster.memo["services.balanced"] = {}
        for service in cluster.services:
            for address in outer_addresses(service):
                known.setdefault(address, []).append(service)
    return known


def hidden_pods(cluster: Cluster) -> list[tuple[Service, Address, Pod]]:
    """Return the pods whose own address is an outer address of a Service: nodes translate what is sent to the pod."""
    by_address = cluster.by_address if balanced(cluster) else {}
    found = ((one, a, by_address.get(a)) for a, services in balanced(cluster).items() for one in services)
    return [(service, address, pod) for service, address, pod in found if isinstance(pod, Pod)]


def hidden_problems(cluster: Cluster) -> list[Problem]:
    """Return a problem for each outer address of a Service that is a pod's own address.

    The API server accepts it, and kube-proxy takes the pod's packets (CVE-2020-8554). Whether a packet of the pod's own
    node or bridge meets the translation depends on the wiring, so netlab refuses it.
    """
    problems = []
    for service, address, pod in hidden_pods(cluster):
        if address in service.external_ips:
            path = f"spec.externalIPs[{service.external_ips.index(address)}]"
        else:
            place = [one.address for one in service.load_balancer].index(address)
            path = f"status.loadBalancer.ingress[{place}].ip"
        message = invalid(str(address), f"it is the address of pod {pod.ref}, whose packets nodes would translate")
        problems.append(problem_of(service, path, message))
    return problems


def balancer_node(cluster: Cluster, address: Address) -> Node | None:
    """Return the node that packets of other machines to a load-balancer address or external IP reach.

    If a node has the address, it is that node. Else it is a ready node: if the address is of Services with
    externalTrafficPolicy Local, a node with the most of their ports that have a ready endpoint there; if none has one,
    a node with an endpoint that still serves. The address alone chooses among several. None if no node has an address
    of the family.
    """
    known: dict[Address, Node | None] = cluster.memo.setdefault("services.balancer_node", {})
    if address not in known:
        known[address] = _balancer_node(cluster, address)
    return known[address]


def _balancer_node(cluster: Cluster, address: Address) -> Node | None:
    nodes = [node for node in cluster.nodes if address_of(node, address.version) is not None]
    for node in nodes:
        if address in node.addresses:
            return node
    local = [one for one in balanced(cluster).get(address, ()) if one.external_traffic_policy == "Local"]
    ports = [endpoints(cluster, one, port, address.version) for one in local for port in one.ports]
    for usable in (_ready, _draining):
        having = Counter(node for found in ports for node in {one.node for one in found if usable(one)})
        most = max((having[node.name] for node in nodes), default=0)
        if most:
            nodes = [node for node in nodes if having[node.name] == most]
            break
    return nodes[int(address) % len(nodes)] if nodes else None


def _ready(one: ServiceEndpoint) -> bool:
    return one.ready


def _draining(one: ServiceEndpoint) -> bool:
    return one.serving and one.terminating
