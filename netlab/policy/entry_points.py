"""Entry points: how packets of an outside address reach a pod, and which addresses each of them lets through.

An entry point is the pod's own address, a host port, or a Service's node port, load balancer's address or external IP.
The evaluator answers for one address of each class that the pod's ipBlocks and the Service's source ranges can tell
apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain

from netlab.cluster.flows import Flow, declared_ports
from netlab.cluster.host_ports import Published, published
from netlab.cluster.services.endpoints import endpoints
from netlab.cluster.services.routes import nodes_translate, outer_addresses
from netlab.cluster.types import Cluster, Endpoint, Host, Node, Pod, address_of
from netlab.frozen import frozen
from netlab.objects.services import Service
from netlab.objects.types import Address, Prefix
from netlab.policy.address_sets import ALL_ADDRESSES, AddressSet, address_set
from netlab.policy.decision import Decision
from netlab.policy.evaluate import evaluate
from netlab.policy.inside_addresses import outside_addresses
from netlab.policy.openings import Openings


@frozen
class EntryPoint:
    """One entry point of a port of a pod: what it is, and which addresses it lets through.

    - ``kind``: ``pod address``, ``hostPort``, ``nodePort``, ``load balancer`` or ``external IP``.
    - ``service``: the Service's ``NAMESPACE/NAME``, else "".
    - ``port``: the port that clients send to. ``target``: the port of the pod.
    - ``admitted``: the addresses that it lets through; those that lie outside of the cluster count.
    - ``unknown``: the addresses whose verdict an unread policy could change.
    """

    kind: str
    service: str
    protocol: str
    port: int
    target: int
    family: int
    admitted: AddressSet
    unknown: AddressSet = AddressSet()

    def __str__(self) -> str:
        of = f" of Service {self.service}" if self.service else ""
        to = f" to {self.target}" if self.target != self.port else ""
        return f"{self.kind}{of} {self.port}/{self.protocol}{to}"


@frozen
class _Target:
    """What packets through an entry point are sent to: an endpoint, an address and a port.

    ``balanced``: a load balancer sends there; it refuses what is not in the Service's source ranges.
    """

    endpoint: Endpoint | None
    address: Address
    port: int
    balanced: bool = False


def entry_points(cluster: Cluster, pod: Pod, ingress: Openings) -> tuple[EntryPoint, ...]:
    """Return the entry points of a pod that let some outside address through, in the order of their kinds.

    ``ingress`` has the openings of the pod's ingress.
    """
    if pod.loopback_only or not pod.addresses:
        return ()
    found = chain(
        _pod_addresses(cluster, pod, ingress), _host_ports(cluster, pod, ingress), _of_services(cluster, pod, ingress)
    )
    return tuple(one for one in found if one.admitted or one.unknown)


def _pod_addresses(cluster: Cluster, pod: Pod, ingress: Openings) -> Iterator[EntryPoint]:
    for address in pod.addresses:
        for protocol, port in declared_ports(pod):
            if port is not None:
                # Else the evaluator would be asked about each pod, to say that no route leads there.
                if not (pod.host_network or pod.traits.outside_routes):
                    continue
                targets = [_Target(pod, address, port)]
                yield _entry_point(cluster, pod, ingress, ("pod address", "", protocol, port, port), targets)


def _host_ports(cluster: Cluster, pod: Pod, ingress: Openings) -> Iterator[EntryPoint]:
    for one in _published(cluster).get(pod.ref, ()):
        node = cluster.node(pod.node)
        for family in cluster.families:
            address = one.host_ip or address_of(node, family)
            if address is not None and address.version == family and address in node.addresses:
                key = ("hostPort", "", one.port.protocol, one.port.host_port, one.port.port)
                yield _entry_point(cluster, pod, ingress, key, [_Target(node, address, one.port.host_port)])


def _published(cluster: Cluster) -> dict[str, list[Published]]:
    """Return the published ports by pod."""
    known: dict[str, list[Published]] | None = cluster.memo.get("policy.published")
    if known is None:
        known = cluster.memo["policy.published"] = {}
        for one in published(cluster):
            known.setdefault(one.pod.ref, []).append(one)
    return known


def _of_services(cluster: Cluster, pod: Pod, ingress: Openings) -> Iterator[EntryPoint]:
    for service, protocol, port, node_port, target, family in _served(cluster).get(pod.ref, ()):
        # The node decides which endpoints it uses: the pod's own node, and another one.
        nodes = [cluster.node(pod.node), *[node for node in cluster.nodes if node.name != pod.node][:1]]
        at_nodes = [_Target(n, a, node_port) for n in nodes if node_port and (a := address_of(n, family)) is not None]
        if at_nodes:
            key = ("nodePort", service.meta.key, protocol, node_port, target)
            yield _entry_point(cluster, pod, ingress, key, at_nodes)
        for address in outer_addresses(service):
            if address.version == family:
                balanced = any(one.address == address for one in service.load_balancer)
                owner = cluster.by_address.get(address)
                targets = [_Target(owner if isinstance(owner, Node) else None, address, port)]
                # A load balancer chooses among nodes, and the lab's takes one.
                targets += [replace(one, balanced=True) for one in at_nodes if balanced]
                kind = "load balancer" if balanced else "external IP"
                key = (kind, service.meta.key, protocol, port, target)
                yield _entry_point(cluster, pod, ingress, key, targets, service.source_ranges)


_Served = tuple[Service, str, int, int, int, int]


def _served(cluster: Cluster) -> dict[str, list[_Served]]:
    """Return, by pod, the ports of Services with an outer address or a node port that lead to it.

    An item has the Service, protocol, port, node port, the pod's port and the IP family.
    """
    known: dict[str, list[_Served]] | None = cluster.memo.get("policy.served")
    if known is None:
        known = cluster.memo["policy.served"] = {}
        for service in cluster.services:
            outer = outer_addresses(service)
            if not nodes_translate(service) or not (outer or any(port.node_port for port in service.ports)):
                continue
            for family in {address.version for address in service.cluster_ips}:
                for port in service.ports:
                    for one in endpoints(cluster, service, port, family):
                        item = (service, port.protocol, port.port, port.node_port, one.port, family)
                        known.setdefault(one.pod, []).append(item)
    return known


def _entry_point(
    cluster: Cluster,
    pod: Pod,
    ingress: Openings,
    key: tuple[str, str, str, int, int],
    targets: Sequence[_Target],
    source_ranges: Sequence[Prefix] = (),
) -> EntryPoint:
    """Return an entry point with what it lets through; ``key`` has kind, Service, protocol, port and the pod's port."""
    kind, service, protocol, port, target = key
    family = targets[0].address.version if targets else 4
    admitted, unknown = AddressSet(), AddressSet()
    for part in _classes(cluster, ingress, protocol, target, family, source_ranges):
        address = (part & outside_addresses(cluster)).first(family)
        if address is None:
            continue
        host = _host(cluster, address)
        flows = [
            Flow(host, target.endpoint, family, protocol, target.port, target.address)
            for target in targets
            if not (target.balanced and source_ranges) or part.within(address_set(source_ranges))
        ]
        verdicts = {one.verdict for flow in flows for one in _decisions_to(evaluate(cluster, flow), pod)}
        admitted |= part if "allow" in verdicts else AddressSet()
        unknown |= part if "unknown" in verdicts and "allow" not in verdicts else AddressSet()
    return EntryPoint(kind, service, protocol, port, target, family, admitted, unknown)


def _classes(
    cluster: Cluster, ingress: Openings, protocol: str, target: int, family: int, source_ranges: Sequence[Prefix]
) -> Iterator[AddressSet]:
    """Yield the addresses of a family in parts that neither the policies nor the Service can tell apart."""
    admitted = AddressSet()
    for one in ingress.addresses:
        if one.ports.has(protocol, target):
            admitted |= one.addresses.of(family)
    every = ALL_ADDRESSES.of(family)
    ranges = address_set(source_ranges).of(family) if source_ranges else every
    for part in (ranges, every - ranges):
        yield from (one for one in (part & admitted, part - admitted) if one)


def _host(cluster: Cluster, address: Address) -> Host:
    """Return an outside host with an address; the cluster keeps it, as caches have endpoints by identity."""
    known: dict[Address, Host] = cluster.memo.setdefault("policy.outside_hosts", {})
    if address not in known:
        known[address] = Host(f"at {address}", (address,))
    return known[address]


def _decisions_to(decision: Decision, pod: Pod) -> Iterator[Decision]:
    """Yield the decisions about packets that a pod receives."""
    if decision.backends:
        for one in decision.backends:
            yield from _decisions_to(one, pod)
    elif decision.through is None or decision.through.backend.name == pod.ref:
        yield decision
