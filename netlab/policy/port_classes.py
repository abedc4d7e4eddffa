"""Classes of ports, for invariants: no policy and no translation can tell the ports of a class apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from netlab.cluster.host_ports import published
from netlab.cluster.types import Cluster
from netlab.objects.invariants import PortSpan
from netlab.objects.types import LAST_PORT
from netlab.policy import tiers
from netlab.policy.by_settings import PORTS
from netlab.policy.port_sets import joined


class PortClasses:
    """The classes of all ports of TCP, UDP and SCTP, in order, and ICMP.

    A class is in each of ``spans`` as a whole or not at all.
    """

    def __init__(self, cluster: Cluster, spans: Iterable[PortSpan]) -> None:
        self._declared: dict[str, set[int]] = {protocol: set() for protocol in PORTS}
        named: dict[tuple[str, str], set[int]] = {}
        for pod in cluster.pods:
            for port in pod.ports:
                self._declared[port.protocol].add(port.port)
                if port.name:
                    named.setdefault((port.protocol, port.name), set()).add(port.port)
        begins: dict[str, set[int]] = {protocol: {1} for protocol in PORTS}
        for item in {item for tier in tiers.TIERS for item in tier.reads(cluster).ports}:
            if isinstance(item.port, str):
                for number in named.get((item.protocol, item.port), ()):
                    begins[item.protocol] |= {number, number + 1}
            elif item.port is not None:
                begins[item.protocol] |= {item.port, (item.end_port or item.port) + 1}
        for span in spans:
            if span.protocol != "ICMP":
                begins[span.protocol] |= {span.first, span.last + 1}
        self._of_pods = self._classes(begins)
        self._of_machines = self._classes(_with_translated(cluster, begins))

    def of(self, spans: Sequence[PortSpan], *, machine: bool) -> Sequence[PortSpan]:
        """Return the classes that make up some spans; ``machine``: of destinations that nodes may translate."""
        found = self._of_machines if machine else self._of_pods
        return [one for one in found if is_in(one, spans)]

    def questions(self) -> tuple[tuple[str, int | None], ...]:
        """Return an example of each class, as protocol and port."""
        return tuple(self.example(one) for one in self._of_machines)

    def example(self, one: PortSpan) -> tuple[str, int | None]:
        """Return a protocol and port of a class: a port that a pod declares, if there is one."""
        if one.protocol == "ICMP":
            return "ICMP", None
        if one.first == one.last:
            return one.protocol, one.first
        declared = [port for port in self._declared[one.protocol] if one.first <= port <= one.last]
        return one.protocol, min(declared, default=one.first)

    def _classes(self, begins: Mapping[str, set[int]]) -> list[PortSpan]:
        found = []
        for protocol, of in begins.items():
            starts = sorted(port for port in of if port <= LAST_PORT)
            ends = [*(port - 1 for port in starts[1:]), LAST_PORT]
            found += [PortSpan(protocol, first, last) for first, last in zip(starts, ends, strict=True)]
        return [*found, PortSpan("ICMP", 0, 0)]


def is_in(one: PortSpan, spans: Iterable[PortSpan]) -> bool:
    """Say whether one of some spans has the first port of a span."""
    return any(span.protocol == one.protocol and span.first <= one.first <= span.last for span in spans)


def joined_spans(spans: Iterable[PortSpan]) -> tuple[PortSpan, ...]:
    """Return spans by protocol and port; those that overlap or touch are one."""
    ranges: dict[str, list[tuple[int, int]]] = {}
    for one in spans:
        ranges.setdefault(one.protocol, []).append((one.first, one.last))
    return tuple(PortSpan(name, *found) for name in (*PORTS, "ICMP") for found in joined(ranges.get(name, ())))


def _with_translated(cluster: Cluster, begins: Mapping[str, set[int]]) -> dict[str, set[int]]:
    """Return where classes begin, with the ports that nodes translate or treat in a way of their own."""
    lowest, highest = cluster.node_ports
    found = {protocol: of | {lowest, highest + 1} for protocol, of in begins.items()}
    for one in published(cluster):
        found[one.port.protocol] |= {one.port.host_port, one.port.host_port + 1}
    for service in cluster.services:
        if service.health_check_node_port:
            found["TCP"] |= {service.health_check_node_port, service.health_check_node_port + 1}
        for port in service.ports:
            numbers = {port.node_port} if port.node_port else set()
            numbers |= {port.port} if service.external_ips or service.load_balancer else set()
            found[port.protocol] |= {n + more for n in numbers for more in (0, 1)}
    return found
