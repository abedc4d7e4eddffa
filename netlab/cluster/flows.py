"""Flows: a source, a destination, an IP family, a protocol and a port; and which flows a command asks about.

By default these are all pairs of pods and outside hosts, without pairs of two hosts and pairs of a pod with itself.
``--nodes`` adds the nodes, ``--system`` the pods that netlab added, ``--services`` every Service as destination
(docs/reference.md, "Endpoints and pairs").
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING

from netlab.cluster.types import Cluster, Endpoint, Host, Pod, address_of
from netlab.frozen import NamedTuple, frozen
from netlab.objects.types import Address

if TYPE_CHECKING:
    from netlab.objects.services import Service


class Flow(NamedTuple):
    """One question: may ``source`` open ``protocol``/``port`` on ``destination`` over an IP family?

    ``family`` is 4 or 6. ``protocol`` is TCP, UDP, SCTP or ICMP; ``port`` is None for ICMP. ``address`` is the
    destination's address of the family, None if it has none. ``destination`` is None if no endpoint has the address.

    ``service`` is the Service that the question names, if it names one. Then ``port`` is the Service's port,
    ``address`` its cluster IP, and ``destination`` None.
    """

    source: Endpoint
    destination: Endpoint | None
    family: int
    protocol: str
    port: int | None
    address: Address | None
    service: Service | None = None

    @property
    def target(self) -> str:
        """The destination as reports print it: its reference, or the address."""
        if self.service is not None:
            return service_ref(self.service)
        return self.destination.ref if self.destination is not None else str(self.address)


def service_ref(service: Service) -> str:
    """Return the reference of a Service as a destination: ``service:NAMESPACE/NAME``."""
    return f"service:{service.meta.key}"


def service_flow(source: Endpoint, service: Service, protocol: str, port: int | None, family: int) -> Flow:
    """Return the flow to a Service's port; its address is None if the Service has no cluster IP of the family."""
    address = next((ip for ip in service.cluster_ips if ip.version == family), None)
    return Flow(source, None, family, protocol, port, address, service)


class ServiceQuestion(NamedTuple):
    """A port of a Service and an IP family that every source is asked about."""

    service: Service
    family: int
    protocol: str
    port: int

    def flow(self, source: Endpoint) -> Flow:
        """Return the flow from a source."""
        return service_flow(source, self.service, self.protocol, self.port, self.family)


def declared_ports(destination: Endpoint) -> list[tuple[str, int | None]]:
    """Return the (protocol, port) pairs that an endpoint declares, in order; TCP 80 if it declares none."""
    declared = [(p.protocol, p.port) for p in destination.ports] if isinstance(destination, Pod) else []
    return list(dict.fromkeys(declared)) or [("TCP", 80)]


@frozen
class FlowSelection:
    """Which flows of a cluster a command asks about.

    ``ports`` has (protocol, port) pairs and replaces the declared ports of every destination. ``families`` narrows the
    families of the lab. ``nodes`` adds the nodes, ``self_pairs`` the pairs of an endpoint with itself, ``system`` the
    pods that netlab added. ``services`` adds every port of every Service that has a cluster IP, as destination only.
    ``also`` has, by reference, ports that a destination is asked about beside its declared ones.
    """

    ports: tuple[tuple[str, int | None], ...] = ()
    families: tuple[int, ...] = ()
    nodes: bool = False
    self_pairs: bool = False
    system: bool = False
    services: bool = False
    also: Mapping[str, tuple[tuple[str, int | None], ...]] = field(default_factory=dict, hash=False)

    def endpoints(self, cluster: Cluster) -> list[Endpoint]:
        """Return the endpoints that are sources and destinations, in order."""
        return [*cluster.asked_pods(self.system), *cluster.hosts, *(cluster.nodes if self.nodes else ())]

    def families_in(self, cluster: Cluster) -> list[int]:
        """Return the IP families, ascending."""
        return [family for family in cluster.families if not self.families or family in self.families]

    def ports_for(self, destination: Endpoint) -> Sequence[tuple[str, int | None]]:
        """Return the (protocol, port) pairs of a destination."""
        if self.ports or destination.ref not in self.also:
            return self.ports or declared_ports(destination)
        return list(dict.fromkeys((*declared_ports(destination), *self.also[destination.ref])))

    def service_questions(self, cluster: Cluster) -> list[ServiceQuestion]:
        """Return the questions about Services, in order.

        ``ports`` narrows them to ports of the same protocol and number. Services that netlab added are asked about only
        with ``system``.
        """
        families = self.families_in(cluster)
        return [
            ServiceQuestion(service, family, port.protocol, port.port)
            for service in (cluster.services if self.services else ())
            if self.system or not service.system
            for family in families
            if any(address.version == family for address in service.cluster_ips)
            for port in service.ports
            if not self.ports or (port.protocol, port.port) in self.ports
        ]

    def flows(self, cluster: Cluster) -> Iterator[Flow]:
        """Yield the flow of every pair, family and port, always in the same order.

        A pod or node without an address of a family has flows of that family too. Their verdict is deny.
        """
        endpoints = self.endpoints(cluster)
        destinations = [
            (destination, family, address_of(destination, family), self.ports_for(destination))
            for destination in endpoints
            for family in self.families_in(cluster)
            if askable(destination, family)
        ]
        services = self.service_questions(cluster)
        for source in endpoints:
            outside = isinstance(source, Host)
            for destination, family, address, ports in destinations:
                if outside and not asks(source, destination, family):
                    continue
                if source is destination and not self.self_pairs:
                    continue
                for protocol, port in ports:
                    yield Flow(source, destination, family, protocol, port, address)
            for question in services:
                if askable(source, question.family):
                    yield question.flow(source)

    def count(self, cluster: Cluster) -> int:
        """Return the number of flows."""
        total = 0
        for family in self.families_in(cluster):
            inside = [one for one in self.endpoints(cluster) if not isinstance(one, Host)]
            outside = [host for host in cluster.hosts if askable(host, family)]
            of_inside = sum(len(self.ports_for(destination)) for destination in inside)
            of_outside = sum(len(self.ports_for(destination)) for destination in outside)
            total += len(inside) * (of_inside + of_outside) + len(outside) * of_inside
            total -= 0 if self.self_pairs else of_inside
            if self.services:
                of_family = sum(question.family == family for question in self.service_questions(cluster))
                total += (len(inside) + len(outside)) * of_family
        return total


def asks(source: Endpoint, destination: Endpoint, family: int) -> bool:
    """Say whether there are flows from a source to a destination in a family: not between two outside hosts."""
    return not isinstance(source, Host) or (not isinstance(destination, Host) and askable(source, family))


def askable(endpoint: Endpoint, family: int) -> bool:
    """Say whether an endpoint has flows of a family: an outside host only if it has an address of it."""
    return not isinstance(endpoint, Host) or address_of(endpoint, family) is not None


def every_pair(
    cluster: Cluster,
    ports: Sequence[tuple[str, int | None]] = (),
    families: Sequence[int] = (),
    *,
    nodes: bool = False,
    self_pairs: bool = False,
    system: bool = False,
) -> Iterator[Flow]:
    """Yield the flow of every pair, port and family.

    Args:
      cluster: the cluster.
      ports: pairs of protocol and port, such as ``("TCP", 80)`` or ``("ICMP", None)``; by default, those that each
        destination declares, or TCP 80.
      families: 4, 6 or both; by default, those of the cluster.
      nodes: add the nodes.
      self_pairs: add the pairs of an endpoint with itself.
      system: add the pods that netlab added, such as those of the cluster's DNS.
    """
    return FlowSelection(tuple(ports), tuple(families), nodes, self_pairs, system).flows(cluster)
