"""Services: a node translates a virtual address, or a port of its own, to the endpoints of a Service.

Which endpoints a node uses is in ``cluster.services.selection``. Whether it masquerades is in ``handling``.

Source: Kubernetes, pkg/proxy (nftables/proxier.go and its tests, serviceport.go, topology.go).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Literal

from netlab.cluster.flows import Flow
from netlab.cluster.paths import node_of, path
from netlab.cluster.services.endpoints import HEADLESS_LABEL, PROXY_NAME_LABEL, ServiceEndpoint, endpoints
from netlab.cluster.services.routes import (
    balancer_node,
    nodes_translate,
    outer_addresses,
)
from netlab.cluster.services.selection import node_endpoints
from netlab.cluster.translate.target import Backend, Target, Variants
from netlab.cluster.types import Cluster, Endpoint, Host, Node, Pod, address_of
from netlab.frozen import NamedTuple, frozen
from netlab.objects.services import Service, ServicePort, TrafficPolicy
from netlab.objects.types import Address

FrontendType = Literal["ClusterIP", "nodePort", "load balancer", "external IP"]
"""The types of addresses of a Service that a packet is sent to."""

SourceKind = Literal["pod", "node", "outside"]
"""The types of source addresses that the translating node tells apart: of a pod network, its own, any other."""


class Handling(NamedTuple):
    """``local``: the node chooses among its own endpoints only. ``masqueraded``: it masquerades the packet."""

    local: bool
    masqueraded: bool


def handling(frontend: FrontendType, source: SourceKind, internal: TrafficPolicy, external: TrafficPolicy) -> Handling:
    """Return what a node does with packets of a source to a type of frontend.

    ``internal`` and ``external`` are the traffic policies of the Service.
    """
    if frontend == "ClusterIP":
        return Handling(internal == "Local", source != "pod")
    if external == "Cluster":
        return Handling(False, True)
    # externalTrafficPolicy Local restricts outside sources only. Pods and the node itself reach all endpoints.
    return Handling(source == "outside", source == "node")


@frozen
class Frontend:
    """An address and port at which a Service is reached.

    ``port`` is None if the Service has no port of that number. ``node`` is the node of a nodePort.
    """

    service: Service
    port: ServicePort | None
    type: FrontendType
    address: Address
    node: Node | None = None

    @property
    def type_text(self) -> str:
        """The type as a noun: ``load-balancer address``."""
        return "load-balancer address" if self.type == "load balancer" else self.type


class _Index:
    """The frontends of all Services by address, protocol and port, and the targets made so far.

    ``owners`` has the Service of each virtual address, also of those that nodes do not translate. If two Services have
    the same frontend, the first Service counts.
    """

    def __init__(self, cluster: Cluster) -> None:
        self.frontends: dict[tuple[Address, str, int], Frontend] = {}
        self.node_ports: dict[tuple[int, str, int], tuple[Service, ServicePort]] = {}
        self.owners: dict[Address, tuple[Service, FrontendType]] = {}
        self.targets: dict[tuple[Address, str, int | None, str], Target] = {}
        self.backends: dict[tuple[str, Address, int], Backend] = {}
        self.lists: dict[tuple[int, ...], tuple[Backend, ...]] = {}
        for service in cluster.services:
            for address in service.cluster_ips:
                self.owners.setdefault(address, (service, "ClusterIP"))
        for service in cluster.services:
            of_status = [ingress.address for ingress in service.load_balancer if ingress.address is not None]
            for address in (*of_status, *service.external_ips):
                self.owners.setdefault(address, (service, _outer_type(service, address)))
            if not nodes_translate(service):
                continue
            outer = outer_addresses(service)
            for port in service.ports:
                for address in service.cluster_ips:
                    self._add(Frontend(service, port, "ClusterIP", address))
                    if port.node_port:
                        self.node_ports.setdefault((address.version, port.protocol, port.node_port), (service, port))
                for address in outer:
                    self._add(Frontend(service, port, _outer_type(service, address), address))

    def _add(self, frontend: Frontend) -> None:
        if frontend.port is not None:
            self.frontends.setdefault((frontend.address, frontend.port.protocol, frontend.port.port), frontend)


def _outer_type(service: Service, address: Address) -> FrontendType:
    is_balancer = any(ingress.address == address for ingress in service.load_balancer)
    return "load balancer" if is_balancer else "external IP"


def find(
    cluster: Cluster, destination: Endpoint | None, address: Address | None, protocol: str, port: int | None
) -> Target | None:
    """Return the target of a virtual address or of a node's port, None if no Service has it."""
    if address is None:
        return None
    frontend = _frontend(cluster, destination, address, protocol, port)
    if frontend is None:
        return None
    targets = _index(cluster).targets
    key = (address, protocol, port, frontend.node.name if frontend.node is not None else "")
    if key not in targets:
        targets[key] = _target(cluster, frontend, protocol, port)
    return targets[key]


def frontend_of(cluster: Cluster, flow: Flow) -> Frontend | None:
    """Return the frontend that a flow goes to, None if its destination is no Service."""
    address = flow.address
    return _frontend(cluster, flow.destination, address, flow.protocol, flow.port) if address is not None else None


def _frontend(
    cluster: Cluster, destination: Endpoint | None, address: Address, protocol: str, port: int | None
) -> Frontend | None:
    index = _index(cluster)
    node = _node_at(cluster, destination)
    frontend = index.frontends.get((address, protocol, port)) if port is not None else None
    if frontend is None and node is not None and port is not None and address == address_of(node, address.version):
        # kube-proxy's default, ``--nodeport-addresses primary``: the first address of each family.
        owner = index.node_ports.get((address.version, protocol, port))
        frontend = Frontend(*owner, "nodePort", address, node) if owner is not None else None
    if frontend is None:
        if destination is not None or address not in index.owners:
            return None
        service, frontend_type = index.owners[address]
        frontend = Frontend(service, None, frontend_type, address)
    return frontend


def service_target(cluster: Cluster, service: Service, family: int, protocol: str, port: int | None) -> Target:
    """Return the target of a port at a Service's cluster IP of a family (4 or 6)."""
    address = next((ip for ip in service.cluster_ips if ip.version == family), None)
    if address is None or not nodes_translate(service):
        return _no_backend(_untranslated_reason(cluster, service, family))
    target = find(cluster, None, address, protocol, port)
    if target is None:
        raise ValueError(f"the cluster has no Service {service.meta.key}")
    return target


def _index(cluster: Cluster) -> _Index:
    index: _Index | None = cluster.memo.get("translate.services")
    if index is None:
        index = cluster.memo["translate.services"] = _Index(cluster)
    return index


def _node_at(cluster: Cluster, destination: Endpoint | None) -> Node | None:
    if isinstance(destination, Pod):
        return cluster.node(destination.node) if destination.host_network else None
    return destination if isinstance(destination, Node) else None


def _no_backend(reason: str) -> Target:
    return Target((), reason=reason)


def _target(cluster: Cluster, frontend: Frontend, protocol: str, asked: int | None) -> Target:
    service, port, address = frontend.service, frontend.port, frontend.address
    if not nodes_translate(service) or _is_external_balancer(frontend):
        return _no_backend(_untranslated_reason(cluster, service, address.version))
    if port is None:
        return _no_backend(_no_such_port(frontend, protocol, asked))
    usable = [e for e in endpoints(cluster, service, port, address.version) if e.ready or (e.serving and e.terminating)]
    by_source = _BySource(cluster, frontend, port)
    return Target(
        _backends(cluster, usable),
        frontend.node,
        word="",
        exempt_itself=cluster.policy.hairpin == "exempt",
        loses_itself=cluster.policy.hairpin == "unwired",
        crosses=False,
        variants=Variants(by_source.key, by_source.target),
    )


def _backends(cluster: Cluster, used: Iterable[ServiceEndpoint]) -> tuple[Backend, ...]:
    """Return the backends of endpoints. Ports with the same endpoints share them: a Service may have thousands."""
    index = _index(cluster)
    found = []
    for endpoint in used:
        key = (endpoint.pod, endpoint.address, endpoint.port)
        backend = index.backends.get(key)
        if backend is None:
            end = cluster.by_ref.get(endpoint.pod) if endpoint.pod else None
            backend = index.backends[key] = Backend(end, endpoint.address, endpoint.port)
        found.append(backend)
    backends = tuple(found)
    return index.lists.setdefault(tuple(map(id, backends)), backends)


# In place of a node's name; no node has it.
_OWN = "*"


class _SourceKey(NamedTuple):
    """Sources with one key have one target.

    ``node`` is the name of the node that translates, "" if none does, ``_OWN`` if each source's own node does and all
    nodes use the same endpoints. ``refused`` is the source address if ``loadBalancerSourceRanges`` do not hold it,
    else "".
    """

    node: str
    kind: SourceKind
    refused: str = ""


class _BySource:
    """The key of each source of a frontend, and the target of each key."""

    def __init__(self, cluster: Cluster, frontend: Frontend, port: ServicePort) -> None:
        self._cluster = cluster
        self._frontend = frontend
        self._port = port
        self._own: dict[bool, _SourceKey] = {}
        service, family = frontend.service, frontend.address.version
        # Without hints a node differs from others only in its local endpoints. One key for all nodes saves a target for
        # each of them.
        if frontend.type == "ClusterIP" and not any(
            e.zone_hints or e.node_hints for e in endpoints(cluster, service, port, family)
        ):
            kinds: tuple[tuple[bool, SourceKind], ...] = ((False, "pod"), (True, "node"))
            for is_node, kind in kinds:
                does = handling("ClusterIP", kind, service.internal_traffic_policy, service.external_traffic_policy)
                if not does.local:
                    self._own[is_node] = _SourceKey(_OWN, kind)

    def key(self, source: Endpoint) -> Hashable:
        cluster, frontend = self._cluster, self._frontend
        if self._own and not isinstance(source, Host):
            return self._own[node_of(source) is not None]
        family = frontend.address.version
        node = self._node_for(source)
        if node is None:
            return _SourceKey("", "outside")
        if not isinstance(source, Host) and _node_name(source) == node.name:
            seen = address_of(source, family)
            kind: SourceKind = "node" if node_of(source) is not None else "pod"
        else:
            seen = path(cluster, source, node, family).seen_as
            kind = "pod" if seen is not None and _of_pods(cluster, seen) else "outside"
        ranges = frontend.service.source_ranges if frontend.type == "load balancer" else ()
        held = seen is None or not ranges or any(seen.version == r.version and seen in r for r in ranges)
        return _SourceKey(node.name, kind, "" if held else str(seen))

    def _node_for(self, source: Endpoint) -> Node | None:
        frontend = self._frontend
        if frontend.node is not None:
            return frontend.node
        if not isinstance(source, Host):
            return self._cluster.node(_node_name(source))
        return None if frontend.type == "ClusterIP" else balancer_node(self._cluster, frontend.address)

    def target(self, key: Hashable) -> Target:
        if not isinstance(key, _SourceKey):
            raise TypeError(f"not a key of sources: {key!r}")
        cluster, frontend, service = self._cluster, self._frontend, self._frontend.service
        if not key.node:
            if frontend.type == "ClusterIP":
                return _no_backend(
                    f"{frontend.address} is the ClusterIP of Service {service.meta.key}, and the service range is not"
                    " routed outside of the nodes"
                )
            return _no_backend(
                f"no node has an IPv{frontend.address.version} address, so none takes {frontend.address}"
            )
        if key.refused:
            return _no_backend(
                f"loadBalancerSourceRanges of Service {service.meta.key} do not hold {key.refused}: nodes drop it"
            )
        family = frontend.address.version
        does = handling(frontend.type, key.kind, service.internal_traffic_policy, service.external_traffic_policy)
        node = cluster.node(key.node) if key.node != _OWN else None
        of_node = node_endpoints(cluster, service, self._port, family, key.node if node else cluster.nodes[0].name)
        used = of_node.local if does.local else of_node.cluster
        if not used:
            reason = self._no_endpoint(key.node, anywhere=of_node.anywhere, local=does.local)
            return Target((), node, reason)
        return Target(
            _backends(cluster, used),
            node,
            word="",
            masqueraded=does.masqueraded,
            exempt_itself=cluster.policy.hairpin == "exempt",
            loses_itself=cluster.policy.hairpin == "unwired",
            keeps_source=not does.masqueraded,
            crosses=False,
        )

    def _no_endpoint(self, node: str, *, anywhere: bool, local: bool) -> str:
        """Return why a node has no endpoint to choose, and whether it drops or rejects."""
        frontend, service = self._frontend, self._frontend.service
        of = f"Service {service.meta.key}"
        if anywhere and local:
            field = "internalTrafficPolicy" if frontend.type == "ClusterIP" else "externalTrafficPolicy"
            return f"{of} has no endpoint on node {node}, and its {field} is Local: the node drops it"
        if anywhere:
            return f"{of} has no endpoint that node {node} uses: the node rejects it"
        count = len(endpoints(self._cluster, service, self._port, frontend.address.version))
        return f"{of} has no ready endpoint: {self._none_ready(count)}, so nodes reject it"

    def _none_ready(self, count: int) -> str:
        service = self._frontend.service
        if count:
            return f"none of its {count} endpoints is ready" if count > 1 else "its only endpoint is not ready"
        if not service.selector:
            return "it has no selector, and the input has no endpoints for it"
        labels = ",".join(f"{key}={value}" for key, value in sorted(service.selector.items()))
        family = self._frontend.address.version
        target = self._port.target_port
        named_port = f" and a {self._port.protocol} port named {target!r}" if isinstance(target, str) else ""
        return f"no pod of namespace {service.meta.namespace!r} with an IPv{family} address has {labels}{named_port}"


def _node_name(source: Pod | Node) -> str:
    return source.node if isinstance(source, Pod) else source.name


def _of_pods(cluster: Cluster, address: Address) -> bool:
    """Say whether an address counts as a pod's: it is in a pod network, and no node has it."""
    if isinstance(cluster.by_address.get(address), Node):
        return False
    cidrs = (cidr for network in cluster.networks for cidr in network.pod_cidrs)
    return any(address.version == cidr.version and address in cidr for cidr in cidrs)


def _is_external_balancer(frontend: Frontend) -> bool:
    """Say whether a load balancer outside the lab has the address (``ipMode: Proxy``)."""
    return frontend.type == "load balancer" and frontend.address not in outer_addresses(frontend.service)


def _untranslated_reason(cluster: Cluster, service: Service, family: int) -> str:
    """Return why nodes do not translate an address of a Service."""
    of = f"Service {service.meta.key}"
    if service.type == "ExternalName":
        return f"{of} is of type ExternalName: its name leads to {service.external_name}, and nodes translate nothing"
    if service.headless:
        ready = (e for port in service.ports for e in endpoints(cluster, service, port, family) if e.ready)
        pods = list(dict.fromkeys(e.pod or str(e.address) for e in ready))
        ask = f": ask {', '.join(pods[:3])}{', …' if len(pods) > 3 else ''}" if pods else ""
        return f"{of} is headless: nodes translate nothing, and its name leads to its pods{ask}"
    for label in (PROXY_NAME_LABEL, HEADLESS_LABEL):
        if label in service.meta.labels:
            return f"{of} has the label {label}, so kube-proxy leaves it alone and nodes translate nothing"
    if not any(address.version == family for address in service.cluster_ips):
        return f"{of} has no IPv{family} cluster IP"
    return (
        f"the load balancer of {of} has ipMode Proxy: nodes do not translate its address, and the lab does not have it"
    )


def _no_such_port(frontend: Frontend, protocol: str, asked: int | None) -> str:
    article = "the" if frontend.type == "ClusterIP" else "an" if frontend.type == "external IP" else "a"
    what = f"{frontend.address} is {article} {frontend.type_text} of Service {frontend.service.meta.key}"
    if asked is None:
        return f"{what}, and nodes translate no {protocol}"
    has = ", ".join(f"{port.port}/{port.protocol}" for port in frontend.service.ports)
    return f"{what}, which has no port {asked}/{protocol} (it has {has}): nodes reject it"
