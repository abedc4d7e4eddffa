"""Services: a node's kube-proxy makes a virtual address, or a port of the node, stand for the endpoints of a Service.

Source: Kubernetes, pkg/proxy (nftables/proxier.go and its tests, serviceport.go, topology.go). Which endpoints a node
uses is in ``cluster.services.selection``. Who keeps the source address is ``handling``.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Literal, NamedTuple

from netlab.cluster.flows import Flow
from netlab.cluster.paths import node_of, path
from netlab.cluster.services.endpoints import ServiceEndpoint, endpoints
from netlab.cluster.services.routes import HEADLESS_LABEL, PROXY_NAME_LABEL, balancer_node, outer_addresses, proxied
from netlab.cluster.services.selection import node_endpoints
from netlab.cluster.translate.target import Backend, Target, Variants
from netlab.cluster.types import Cluster, Endpoint, Host, Node, Pod, address_of
from netlab.frozen import frozen
from netlab.objects.services import Service, ServicePort, TrafficPolicy
from netlab.objects.types import Address

Face = Literal["ClusterIP", "nodePort", "load balancer", "external IP"]
"""What of a Service a packet is sent to."""

SourceKind = Literal["pod", "node", "outside"]
"""What the translating node takes a source for: an address of a pod network, its own address, or any other."""


class Handling(NamedTuple):
    """Which endpoints a node chooses from (``local``: its own only), and whether it masquerades."""

    local: bool
    masqueraded: bool


def handling(face: Face, source: SourceKind, internal: TrafficPolicy, external: TrafficPolicy) -> Handling:
    """Return what a node does with a source's packets to a face of a Service with two traffic policies."""
    if face == "ClusterIP":
        return Handling(internal == "Local", source != "pod")
    if external == "Cluster":
        return Handling(False, True)
    # "External" policy Local is about sources from outside. Pods and the node itself reach all endpoints.
    return Handling(source == "outside", source == "node")


@frozen
class Front:
    """One face of one port of a Service: an address and a port that nodes translate.

    ``port`` is None for a port that the Service does not have. ``node`` is that of a nodePort.
    """

    service: Service
    port: ServicePort | None
    face: Face
    address: Address
    node: Node | None = None


class _Index:
    """The fronts of a cluster's Services by address, protocol and port; and the targets made so far.

    ``owners`` are the Services by each of their virtual addresses, also those that nodes do not translate. If two
    Services have one front, that of the first one counts.
    """

    def __init__(self, cluster: Cluster) -> None:
        self.fronts: dict[tuple[Address, str, int], Front] = {}
        self.node_ports: dict[tuple[int, str, int], tuple[Service, ServicePort]] = {}
        self.owners: dict[Address, tuple[Service, Face]] = {}
        self.targets: dict[tuple[Address, str, int | None, str], Target] = {}
        balancers: dict[int, tuple[Address, ...]] = {}
        for service in cluster.services:
            balancers[id(service)] = tuple(one.address for one in service.load_balancer if one.address is not None)
            for address in service.cluster_ips:
                self.owners.setdefault(address, (service, "ClusterIP"))
        for service in cluster.services:
            for address in (*balancers[id(service)], *service.external_ips):
                face: Face = "load balancer" if address in balancers[id(service)] else "external IP"
                self.owners.setdefault(address, (service, face))
            if not proxied(service):
                continue
            outer = outer_addresses(service)
            for port in service.ports:
                for address in service.cluster_ips:
                    self._add(Front(service, port, "ClusterIP", address))
                    if port.node_port:
                        self.node_ports.setdefault((address.version, port.protocol, port.node_port), (service, port))
                for address in outer:
                    own = address in balancers[id(service)]
                    self._add(Front(service, port, "load balancer" if own else "external IP", address))

    def _add(self, front: Front) -> None:
        if front.port is not None:
            self.fronts.setdefault((front.address, front.port.protocol, front.port.port), front)


def find(
    cluster: Cluster, destination: Endpoint | None, address: Address | None, protocol: str, port: int | None
) -> Target | None:
    """Return what a virtual address, or a node's port, stands for; None if no Service has it."""
    if address is None:
        return None
    front = _front(cluster, destination, address, protocol, port)
    if front is None:
        return None
    targets = _index(cluster).targets
    key = (address, protocol, port, front.node.name if front.node is not None else "")
    if key not in targets:
        targets[key] = _target(cluster, front, protocol, port)
    return targets[key]


def front_of(cluster: Cluster, flow: Flow) -> Front | None:
    """Return the front of a Service that a flow goes to, None if it goes to none."""
    address = flow.address
    return _front(cluster, flow.destination, address, flow.protocol, flow.port) if address is not None else None


def _front(
    cluster: Cluster, destination: Endpoint | None, address: Address, protocol: str, port: int | None
) -> Front | None:
    index = _index(cluster)
    node = _node_at(cluster, destination)
    front = index.fronts.get((address, protocol, port)) if port is not None else None
    if front is None and node is not None and port is not None and address == address_of(node, address.version):
        # kube-proxy's default, ``--nodeport-addresses primary``: the first address of each family.
        found = index.node_ports.get((address.version, protocol, port))
        front = Front(*found, "nodePort", address, node) if found is not None else None
    if front is None:
        if destination is not None or address not in index.owners:
            return None
        service, face = index.owners[address]
        front = Front(service, None, face, address)
    return front


def named(cluster: Cluster, service: Service, family: int, protocol: str, port: int | None) -> Target:
    """Return what a Service's cluster IP of a family (4 or 6) stands for on one of its ports."""
    address = next((one for one in service.cluster_ips if one.version == family), None)
    if address is None or not proxied(service):
        return _nothing(_unproxied(cluster, service, family))
    found = find(cluster, None, address, protocol, port)
    if found is None:
        raise ValueError(f"the cluster has no Service {service.meta.key}")
    return found


def _index(cluster: Cluster) -> _Index:
    found: _Index | None = cluster.memo.get("translate.services")
    if found is None:
        found = cluster.memo["translate.services"] = _Index(cluster)
    return found


def _node_at(cluster: Cluster, destination: Endpoint | None) -> Node | None:
    if isinstance(destination, Pod):
        return cluster.node(destination.node) if destination.host_network else None
    return destination if isinstance(destination, Node) else None


def _nothing(reason: str) -> Target:
    return Target((), reason=reason)


def _target(cluster: Cluster, front: Front, protocol: str, asked: int | None) -> Target:
    """Return what a front stands for."""
    service, port, address = front.service, front.port, front.address
    if not proxied(service) or _of_real_balancer(front):
        return _nothing(_unproxied(cluster, service, address.version))
    if port is None:
        return _nothing(_no_such_port(front, protocol, asked))
    every = endpoints(cluster, service, port, address.version)
    usable = [one for one in every if one.ready or (one.serving and one.terminating)]
    variants = _Classes(cluster, front, port)
    return Target(
        tuple(_backend(cluster, one) for one in usable),
        front.node,
        word="",
        exempt_itself=cluster.policy.hairpin == "exempt",
        crosses=False,
        variants=Variants(variants.key, variants.make),
    )


def _backend(cluster: Cluster, one: ServiceEndpoint) -> Backend:
    return Backend(cluster.by_ref.get(one.pod) if one.pod else None, one.address, one.port)


class _Key(NamedTuple):
    """A class of sources: the name of the node that translates ("" if none does), and what it takes the source for.

    ``refused`` is the source address if the Service's source ranges do not hold it.
    """

    node: str
    kind: SourceKind
    refused: str = ""


class _Classes:
    """The classes of sources of one front, and what the front stands for, for each."""

    def __init__(self, cluster: Cluster, front: Front, port: ServicePort) -> None:
        self._cluster = cluster
        self._front = front
        self._port = port

    def key(self, source: Endpoint) -> Hashable:
        cluster, front = self._cluster, self._front
        node = self._node_for(source)
        if node is None:
            return _Key("", "outside")
        family = front.address.version
        if not isinstance(source, Host) and _home(source) == node.name:
            seen = address_of(source, family)
            kind: SourceKind = "node" if node_of(source) is not None else "pod"
        else:
            seen = path(cluster, source, node, family).seen_as
            kind = "pod" if seen is not None and _of_pods(cluster, seen) else "outside"
        ranges = front.service.source_ranges if front.face == "load balancer" else ()
        held = seen is None or not ranges or any(seen.version == r.version and seen in r for r in ranges)
        return _Key(node.name, kind, "" if held else str(seen))

    def _node_for(self, source: Endpoint) -> Node | None:
        front = self._front
        if front.node is not None:
            return front.node
        if not isinstance(source, Host):
            return self._cluster.node(_home(source))
        return None if front.face == "ClusterIP" else balancer_node(self._cluster, front.address)

    def make(self, key: Hashable) -> Target:
        if not isinstance(key, _Key):
            raise TypeError(f"not a class of sources: {key!r}")
        cluster, front, service = self._cluster, self._front, self._front.service
        if not key.node:
            if front.face == "ClusterIP":
                return _nothing(
                    f"{front.address} is the ClusterIP of Service {service.meta.key}, and the service range is not"
                    " routed outside of the nodes"
                )
            return _nothing(f"no node has an IPv{front.address.version} address, so none takes {front.address}")
        if key.refused:
            return _nothing(
                f"loadBalancerSourceRanges of Service {service.meta.key} do not hold {key.refused}: nodes drop it"
            )
        family = front.address.version
        does = handling(front.face, key.kind, service.internal_traffic_policy, service.external_traffic_policy)
        found = node_endpoints(cluster, service, self._port, family, key.node)
        used = found.local if does.local else found.cluster
        if not used:
            reason = self._reason(key.node, anywhere=found.anywhere, local=does.local)
            return Target((), cluster.node(key.node), reason)
        return Target(
            tuple(_backend(cluster, one) for one in used),
            cluster.node(key.node),
            word="",
            masqueraded=does.masqueraded,
            exempt_itself=cluster.policy.hairpin == "exempt",
            keeps_source=not does.masqueraded,
            crosses=False,
        )

    def _reason(self, node: str, *, anywhere: bool, local: bool) -> str:
        front, service = self._front, self._front.service
        of = f"Service {service.meta.key}"
        if anywhere and local:
            field = "internalTrafficPolicy" if front.face == "ClusterIP" else "externalTrafficPolicy"
            return f"{of} has no endpoint on node {node}, and its {field} is Local: the node drops it"
        if anywhere:
            return f"{of} has no endpoint that node {node} uses: the node rejects it"
        every = endpoints(self._cluster, service, self._port, front.address.version)
        return f"{of} has no ready endpoint: {self._why_none(len(every))}, so nodes reject it"

    def _why_none(self, number: int) -> str:
        service = self._front.service
        if number:
            return f"none of its {number} endpoints is ready" if number > 1 else "its only endpoint is not ready"
        if not service.selector:
            return "it has no selector, and the input has no endpoints for it"
        labels = ",".join(f"{key}={value}" for key, value in sorted(service.selector.items()))
        family = self._front.address.version
        target = self._port.target_port
        named_port = f" and a {self._port.protocol} port named {target!r}" if isinstance(target, str) else ""
        return f"no pod of namespace {service.meta.namespace!r} with an IPv{family} address has {labels}{named_port}"


def _home(source: Pod | Node) -> str:
    return source.node if isinstance(source, Pod) else source.name


def _of_pods(cluster: Cluster, address: Address) -> bool:
    """Say whether nodes take an address for a pod's: it is in a pod network, and no node has it."""
    if isinstance(cluster.by_address.get(address), Node):
        return False
    cidrs = (cidr for network in cluster.networks for cidr in network.pod_cidrs)
    return any(address.version == cidr.version and address in cidr for cidr in cidrs)


def _of_real_balancer(front: Front) -> bool:
    return front.face == "load balancer" and front.address not in outer_addresses(front.service)


def _unproxied(cluster: Cluster, service: Service, family: int) -> str:
    """Return why nodes do not translate an address of a Service."""
    of = f"Service {service.meta.key}"
    if service.type == "ExternalName":
        return f"{of} is of type ExternalName: its name leads to {service.external_name}, and nodes translate nothing"
    if service.headless:
        found = [one for port in service.ports for one in endpoints(cluster, service, port, family)]
        pods = list(dict.fromkeys(one.pod or str(one.address) for one in found if one.ready))
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


def _no_such_port(front: Front, protocol: str, asked: int | None) -> str:
    article = "the" if front.face == "ClusterIP" else "an" if front.face == "external IP" else "a"
    face = "load-balancer address" if front.face == "load balancer" else front.face
    what = f"{front.address} is {article} {face} of Service {front.service.meta.key}"
    if asked is None:
        return f"{what}, and nodes translate no {protocol}"
    has = ", ".join(f"{port.port}/{port.protocol}" for port in front.service.ports)
    return f"{what}, which has no port {asked}/{protocol} (it has {has}): nodes reject it"
