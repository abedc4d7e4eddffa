"""Declared needs: what the manifests say that pods connect to.

- Services and addresses that env, args, commands and ConfigMaps of a container name, with the ports of the pods behind
  them. A container that names a host needs DNS too.
- The backends of an Ingress need its controller. A LoadBalancer or NodePort Service needs sources outside of the
  cluster.

Probes of the kubelet come from the pod's own node, which always reaches it, so they need no policy.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from ipaddress import ip_network

from netlab.cluster.node_sources import further_addresses
from netlab.cluster.services.endpoints import endpoints
from netlab.cluster.services.system import INGRESS_LABELS
from netlab.cluster.types import Cluster, Node, Pod
from netlab.objects.addresses import plain_address
from netlab.objects.mentions import Mention, NotRead
from netlab.objects.policies import IPBlock
from netlab.objects.services import Service, ServicePort
from netlab.objects.types import Address, Protocol
from netlab.policy.dns import dns_servers
from netlab.policy.suggest.hostnames import Named, hosts_in
from netlab.policy.suggest.label_classes import LabelClass, LabelClasses
from netlab.policy.suggest.needs import Addresses, DnsServers, End, Kind, Need, Pods, Unknown, Why

# Labels of common ingress controllers.
_CONTROLLERS = frozenset(
    {"ingress-nginx", "traefik", "haproxy-ingress", "kubernetes-ingress", "kong", "contour", "nginx-ingress"}
)
_NAME_LABEL = "app.kubernetes.io/name"
_DNS_PORTS: tuple[tuple[Protocol, int], ...] = (("UDP", 53), ("TCP", 53))

_Target = tuple[End, Protocol, int]


class EndFinder:
    """Finds what hosts and Services stand for in a cluster."""

    def __init__(self, cluster: Cluster, classes: LabelClasses) -> None:
        self.cluster, self.classes = cluster, classes
        self._services = {one.meta.key: one for one in cluster.services}
        self._of_address: dict[Address, Service] = {}
        for one in cluster.services:
            balancers = (lb.address for lb in one.load_balancer if lb.address)
            self._of_address.update(dict.fromkeys((*one.cluster_ips, *one.external_ips, *balancers), one))
        self._hostnames = {name.lower(): host for host in cluster.hosts for name in host.hostnames}

    def dns(self) -> list[_Target]:
        """Return the pods that answer DNS, with their ports."""
        found: list[_Target] = []
        for pod, ports in dns_servers(self.cluster):
            of = self.classes.of(pod)
            end: End = Pods(of.number) if of is not None else DnsServers()
            found += [(end, "TCP" if protocol == "TCP" else "UDP", port) for protocol, port in ports]
        return list(dict.fromkeys(found)) or [(DnsServers(), *port) for port in _DNS_PORTS]

    def at(self, address: Address, port: int, protocol: Protocol) -> list[_Target]:
        """Return what has an address: pods, the endpoints of a Service, or the address itself."""
        service = self._of_address.get(address)
        if service is not None:
            return self.behind(service, port, protocol)[0]
        return [(self.end_of(address), protocol, port)]

    def end_of(self, address: Address) -> End:
        """Return the end that has an address."""
        owner = self.cluster.by_address.get(address)
        of = self.classes.of(owner) if isinstance(owner, Pod) else None
        if of is not None:
            return Pods(of.number)
        return Addresses(IPBlock(ip_network(address)), owner.ref if owner is not None else "")

    def as_source(self, end: End) -> list[End]:
        """Return an end, and if it is a node, the other addresses that its packets to pods may have."""
        owner = self.cluster.by_address.get(end.block.cidr[0]) if isinstance(end, Addresses) else None
        node = self.cluster.node(owner.node) if isinstance(owner, Pod) and owner.host_network else owner
        if not isinstance(node, Node):
            return [end]
        return [end, *(Addresses(block, node.ref) for block in self.further_blocks(node))]

    def further_blocks(self, node: Node) -> list[IPBlock]:
        """Return the addresses, beside its own, by which pods of other nodes see a node."""
        return [IPBlock(ip_network(address)) for address in further_addresses(self.cluster.networks, node)]

    def service(self, host: str, namespace: str) -> Service | str | None:
        """Return the Service that a host name stands for in a namespace.

        The result is its ``NAMESPACE/NAME`` if there is no such Service, and None for a name outside of the cluster.
        """
        domain = f".{self.cluster.cluster_domain}"
        inside = host.endswith(domain)
        labels = host.removesuffix(domain).split(".")
        # A Service may have the name svc.
        if labels[-1] == "svc" and len(labels) > 1:
            labels, inside = labels[:-1], True
        elif inside:
            return None
        if len(labels) == 1:
            key = f"{namespace}/{labels[0]}"
            return self._services.get(key) or (key if inside else None)
        # NAME.NAMESPACE, POD.NAME.NAMESPACE, and in the own namespace POD.NAME.
        keys = [f"{labels[1]}/{labels[0]}"]
        keys += [f"{labels[2]}/{labels[1]}"] if len(labels) == 3 else [f"{namespace}/{labels[1]}"]
        if len(labels) <= 3:
            for key in keys[1:] if len(labels) == 3 else keys:
                if key in self._services:
                    return self._services[key]
        return keys[len(labels) == 3] if inside else None

    def outside(self, host: str) -> list[End]:
        """Return the outside hosts of a Topology that have a host name."""
        owner = self._hostnames.get(host)
        if owner is None:
            return []
        return [Addresses(IPBlock(ip_network(address)), f"{owner.ref} {host}") for address in owner.addresses]

    def behind(self, service: Service, port: int, protocol: str = "", name: str = "") -> tuple[list[_Target], str]:
        """Return the endpoints of a Service's port with their own ports, and why there are none.

        ``port`` 0 stands for all ports; ``name`` is the name of a port.
        """
        chosen: Sequence[ServicePort] = [
            one
            for one in service.ports
            if (not port or one.port == port) and (not name or one.name == name) and protocol in ("", one.protocol)
        ]
        found: list[_Target] = []
        for one in chosen:
            found += self._endpoints(service, one, one.protocol)
        if not chosen and service.headless and port:
            # DNS answers with the pods, and clients may open any port of them.
            asked: Protocol = "UDP" if protocol == "UDP" else "TCP"
            found += self._endpoints(service, ServicePort(port, port, asked), asked)
        if found:
            return list(dict.fromkeys(found)), ""
        if not chosen and not service.headless:
            return [], f"Service {service.meta.key} has no port {name or port or ''}".rstrip()
        return [], f"Service {service.meta.key} has no endpoints in the input"

    def _endpoints(self, service: Service, port: ServicePort, protocol: Protocol) -> Iterator[_Target]:
        for family in self.cluster.families:
            for one in endpoints(self.cluster, service, port, family):
                yield self.end_of(one.address), protocol, one.port or port.port


def declared(finder: EndFinder, found: Iterable[Mention | NotRead]) -> tuple[list[Need], list[Unknown]]:
    """Return the needs that manifests declare, and what may be a need."""
    cluster, classes = finder.cluster, finder.classes
    owners: dict[str, list[End]] = {}
    for pod in cluster.pods:
        of = classes.of(pod)
        # Selectors match no host-network pod: it is the addresses of its node.
        ends: list[End] = [Pods(of.number)] if of is not None else []
        if pod.host_network:
            ends = [end for address in pod.addresses for end in finder.as_source(finder.end_of(address))]
        for name in (pod.workload, f"Pod {pod.ref}"):
            owners.setdefault(name, []).extend(ends)
    needs: list[Need] = []
    unknown: list[Unknown] = []
    resolving: dict[End, Why] = {}
    for one in found:
        sources = list(dict.fromkeys(owners.get(one.owner, ())))
        if not sources:
            continue
        owner = one.owner.partition(" ")[2]
        if isinstance(one, NotRead):
            unknown.append(Unknown(f"{owner}: {one.message}", one.place))
            continue
        for named in hosts_in(one.name, one.text, one.beside):
            targets, why_not, by_name = _targets(finder, named, one.namespace)
            why = Why(f"{one.where} of {owner} names {_text(named)}", one.place)
            if why_not:
                unknown.append(Unknown(f"{owner}: {one.where} names {_text(named)}: {why_not}", one.place))
            needs += [Need(source, *target, "declared", why) for source in sources for target in targets]
            if by_name:
                for source in sources:
                    resolving.setdefault(source, why)
    needs += [
        Need(source, *target, "dns", Why(f"resolves names: {why.text}", why.place))
        for source, why in resolving.items()
        for target in finder.dns()
        if target[0] != source
    ]
    for more in (_of_ingresses(finder), _from_outside(finder)):
        for item in more:
            if isinstance(item, Need):
                needs.append(item)
            else:
                unknown.append(item)
    return list(dict.fromkeys(needs)), list(dict.fromkeys(unknown))


def _targets(finder: EndFinder, named: Named, namespace: str) -> tuple[list[_Target], str, bool]:
    """Return what a host stands for, why that is unknown, and whether DNS is asked for its name."""
    address = plain_address(named.host)
    protocol: Protocol = "UDP" if named.protocol == "UDP" else "TCP"
    if address is not None:
        return (finder.at(address, named.port, protocol) if named.port else []), "", False
    service = finder.service(named.host, namespace)
    if isinstance(service, Service) and service.type == "ExternalName":
        ends = finder.outside(service.external_name.rstrip(".").lower())
        named = named._replace(
            host=service.external_name, port=named.port or (service.ports or (ServicePort(0),))[0].port
        )
        service = None
    else:
        ends = finder.outside(named.host) if service is None else []
    if isinstance(service, Service):
        targets, why = finder.behind(service, named.port, named.protocol)
        # A word before a number is a host only if it fits: image:tag and user:password look the same.
        return (targets, why, True) if targets or named.certain else ([], "", False)
    if isinstance(service, str):
        return [], f"Service {service} is not in the input", True
    if ends and named.port:
        return [(end, protocol, named.port) for end in ends], "", True
    if not named.certain:
        return [], "", False
    if "." not in named.host:
        return [], f"no Service {named.host} in namespace {namespace}", True
    return [], "it is outside of the cluster; add a host with its name in hostnames to spec.hosts of a Topology", True


def is_controller(one: LabelClass) -> bool:
    """Say whether pods are those of an ingress controller, by their labels."""
    return INGRESS_LABELS.items() <= one.labels.items() or one.labels.get(_NAME_LABEL) in _CONTROLLERS


def _of_ingresses(finder: EndFinder) -> Iterator[Need | Unknown]:
    controllers = [Pods(one.number) for one in finder.classes.all if is_controller(one)]
    services = {one.meta.key: one for one in finder.cluster.services}
    for ingress in finder.cluster.ingresses:
        backends = [path.backend for rule in ingress.rules for path in rule.paths]
        backends += [ingress.default_backend] if ingress.default_backend else []
        for backend in dict.fromkeys(backends):
            if not backend.service:
                continue
            place = ingress.source.place(backend.path)
            what = f"Ingress {ingress.meta.key} has the backend {backend.service}:{backend.port}"
            service = services.get(f"{ingress.meta.namespace}/{backend.service}")
            if service is None:
                yield Unknown(f"{what}, which is not in the input", place)
                continue
            number, name = (backend.port, "") if isinstance(backend.port, int) else (0, backend.port)
            targets, why = finder.behind(service, number, "TCP", name)
            if why:
                yield Unknown(f"{what}: {why}", place)
            if not controllers:
                yield Unknown(f"{what}: the input has no pods of an ingress controller", place)
            for source in controllers:
                yield from (Need(source, *target, "ingress", Why(what, place)) for target in targets)


def _from_outside(finder: EndFinder) -> Iterator[Need]:
    """Yield the needs of Services that sources outside of the cluster use."""
    cluster = finder.cluster
    servers = {one.number for one in finder.classes.all if is_controller(one)}
    for service in cluster.services:
        if service.type not in ("LoadBalancer", "NodePort") or service.system:
            continue
        why = Why(f"{service.type} Service {service.meta.key} takes connections from outside", service.source.place())
        blocks = [IPBlock(prefix) for prefix in service.source_ranges if service.type == "LoadBalancer"]
        if not blocks:
            pods = [prefix for network in cluster.networks for prefix in network.pod_cidrs]
            blocks = [
                IPBlock(every, tuple(prefix for prefix in pods if prefix.version == every.version))
                for every in (ip_network("0.0.0.0/0"), ip_network("::/0"))
                if every.version in cluster.families
            ]
        elif service.external_traffic_policy == "Cluster":
            blocks += [IPBlock(ip_network(address)) for node in cluster.nodes for address in node.addresses]
        if service.external_traffic_policy == "Cluster":
            # The node that takes the connection may pass it on to another node, with an address of its own.
            blocks += [block for node in cluster.nodes for block in finder.further_blocks(node)]
        targets, _ = finder.behind(service, 0)
        for end, protocol, port in targets:
            if isinstance(end, Pods):
                kind: Kind = "controller" if end.number in servers else "outside"
                for block in blocks:
                    yield Need(Addresses(block, "outside"), end, protocol, port, kind, why)


def _text(named: Named) -> str:
    return f"{named.host}:{named.port}" if named.port else named.host
