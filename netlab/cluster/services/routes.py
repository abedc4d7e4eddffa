"""Which addresses of Services nodes translate, and the node that packets to a load balancer or external IP reach.

Source: Kubernetes, Service (externalIPs, ``status.loadBalancer``); pkg/proxy/serviceport.go (LoadBalancerVIPs).
"""

from __future__ import annotations

from collections import Counter

from netlab.cluster.services.endpoints import HEADLESS_LABEL, PROXY_NAME_LABEL, ServiceEndpoint, endpoints
from netlab.cluster.services.families import problem_of
from netlab.cluster.types import Cluster, Node, Pod, address_of
from netlab.errors import Problem
from netlab.objects.fields import invalid
from netlab.objects.services import Service
from netlab.objects.types import Address


def nodes_translate(service: Service) -> bool:
    """Say whether nodes translate the addresses of a Service."""
    if service.type == "ExternalName" or service.headless or not service.cluster_ips:
        return False
    return PROXY_NAME_LABEL not in service.meta.labels and HEADLESS_LABEL not in service.meta.labels


def outer_addresses(service: Service) -> tuple[Address, ...]:
    """Return the load-balancer addresses and external IPs of a Service that nodes translate, in order.

    Addresses of families that the Service does not have are left out. So are addresses with ``ipMode: Proxy``.
    """
    balancers = service.load_balancer if service.type == "LoadBalancer" else ()
    if not (balancers or service.external_ips) or not nodes_translate(service):
        return ()
    virtual = [ingress.address for ingress in balancers if ingress.address is not None and ingress.ip_mode == "VIP"]
    families = {address.version for address in service.cluster_ips}
    return tuple(dict.fromkeys(ip for ip in (*virtual, *service.external_ips) if ip.version in families))


def services_by_outer_address(cluster: Cluster) -> dict[Address, list[Service]]:
    """Return the Services by each of their load-balancer addresses and external IPs that nodes translate."""
    known: dict[Address, list[Service]] | None = cluster.memo.get("services.by_outer_address")
    if known is None:
        known = cluster.memo["services.by_outer_address"] = {}
        for service in cluster.services:
            for address in outer_addresses(service):
                known.setdefault(address, []).append(service)
    return known


def hidden_pods(cluster: Cluster) -> list[tuple[Service, Address, Pod]]:
    """Return the pods that have an outer address of a Service: nodes translate what is sent to the pod."""
    by_address = cluster.by_address if services_by_outer_address(cluster) else {}
    found = (
        (one, a, by_address.get(a)) for a, services in services_by_outer_address(cluster).items() for one in services
    )
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
        message = invalid(str(address), f"it is the address of pod {pod.ref}, and nodes would translate packets to it")
        problems.append(problem_of(service, path, message))
    return problems


def balancer_node(cluster: Cluster, address: Address) -> Node | None:
    """Return the node that packets of other machines to a load-balancer address or external IP reach.

    - If a node has the address, it is that node.
    - If Services with externalTrafficPolicy Local have the address, it is a node on which the most of their ports have
      a ready endpoint. If there is no ready endpoint, one that still serves counts.
    - Else it is any node.

    A stopped node is it only if it has the address, or if all nodes are stopped.
    The address alone chooses among several nodes. None if no node has an address of the family.
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
    nodes = [node for node in nodes if not node.stopped] or nodes
    services = services_by_outer_address(cluster).get(address, ())
    local = [service for service in services if service.external_traffic_policy == "Local"]
    of_ports = [endpoints(cluster, service, port, address.version) for service in local for port in service.ports]
    for usable in (_ready, _still_serving):
        ports_on = Counter(node for of_port in of_ports for node in {e.node for e in of_port if usable(e)})
        most = max((ports_on[node.name] for node in nodes), default=0)
        if most:
            nodes = [node for node in nodes if ports_on[node.name] == most]
            break
    return nodes[int(address) % len(nodes)] if nodes else None


def _ready(endpoint: ServiceEndpoint) -> bool:
    return endpoint.ready


def _still_serving(endpoint: ServiceEndpoint) -> bool:
    return endpoint.serving and endpoint.terminating
