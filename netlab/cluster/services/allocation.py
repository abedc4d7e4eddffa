"""What the API server allocates for Services: cluster addresses, node ports, and the addresses of load balancers.

An address that nobody wrote follows from the hash of the Service's name; if it is taken, the next free one is used. So
one more Service moves no other, unless two hashes meet. A counter over sorted names would move all that come after.
The same Services and ``keep`` always give the same allocation.

Source: Kubernetes, Service ClusterIP allocation, "Avoid collisions" (bands of dynamic and static values);
pkg/registry/core/service (ipallocator, portallocator, storage/alloc.go).
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple
from zlib import crc32

from netlab.cluster.nodes import topology_problem
from netlab.cluster.services.families import problem_of, texts, with_families
from netlab.errors import Problem
from netlab.objects.fields import invalid
from netlab.objects.services import LoadBalancerIngress, Service, ServicePort
from netlab.objects.topology import Topology
from netlab.objects.types import Address, Prefix

# The place of system Services in the service range. No other Service gets these addresses by itself.
RESERVED = {"default/kubernetes": 1, "kube-system/kube-dns": 10}
_TAKEN = "provided IP is already allocated"
_PORT_TAKEN = "provided port is already allocated"


class Taken(NamedTuple):
    """What Services have, with their keys: addresses as numbers by family, addresses of load balancers, node ports."""

    addresses: dict[tuple[int, int], str]
    ports: dict[int, str]

    @classmethod
    def of(cls, services: Iterable[Service]) -> Taken:
        """Return what allocated Services have."""
        found = cls({}, {})
        for one in services:
            found.add(one)
        return found

    def copy(self) -> Taken:
        return Taken(dict(self.addresses), dict(self.ports))

    def add(self, service: Service) -> None:
        """Take what a Service has."""
        key = service.meta.key
        for address in _addresses(service):
            self.addresses.setdefault((address.version, int(address)), key)
        for port in _node_ports(service):
            self.ports.setdefault(port, key)

    def release(self, service: Service) -> None:
        """Give back what a Service has."""
        key = service.meta.key
        for address in _addresses(service):
            if self.addresses.get((address.version, int(address))) == key:
                del self.addresses[address.version, int(address)]
        for port in _node_ports(service):
            if self.ports.get(port) == key:
                del self.ports[port]


def allocate(
    services: Iterable[Service], topology: Topology, keep: Mapping[str, Service], taken: Taken | None = None
) -> tuple[tuple[Service, ...], list[Problem]]:
    """Return the Services by namespace and name, with addresses and node ports; and the problems.

    ``topology`` has its defaults filled in. ``keep`` has the Services of a running lab by ``NAMESPACE/NAME``: each
    keeps what it has if the written fields still allow it. ``taken`` has what further Services have, and is changed.
    """
    run = _Allocation(topology, Taken({}, {}) if taken is None else taken)
    drafts = [run.draft(one, keep.get(one.meta.key)) for one in services]
    for draft in drafts:
        run.keep(draft)
    for draft in drafts:
        run.claim(draft)
    drafts.sort(key=lambda draft: _key(draft.service))
    # System Services first: their usual addresses may be outside the band of the others.
    for draft in sorted(drafts, key=lambda draft: draft.service.meta.key not in RESERVED):
        run.fill(draft)
    return tuple(draft.stored() for draft in drafts), [*run.problems, *run.exhausted()]


def allocate_change(
    stored: Sequence[Service],
    taken: Taken,
    topology: Topology,
    removed: Iterable[Service],
    added: Iterable[Service],
) -> tuple[tuple[Service, ...], list[Problem]]:
    """Return stored Services without removed ones and with added ones, as ``allocate`` does; the others are not read.

    ``stored`` is sorted by namespace and name. A Service that changed is both removed and added. ``taken`` is changed.
    """
    found = list(stored)
    before: dict[str, Service] = {}
    for one in removed:
        at = bisect_left(found, _key(one), key=_key)
        if at < len(found) and _key(found[at]) == _key(one):
            before[one.meta.key] = found.pop(at)
            taken.release(before[one.meta.key])
    new, problems = allocate(added, topology, before, taken)
    for one in new:
        found.insert(bisect_left(found, _key(one), key=_key), one)
    return tuple(found), problems


class _Draft:
    """One Service while it is allocated: addresses by family, node ports by the place of the port."""

    def __init__(self, service: Service, before: Service | None, *, wrong: bool) -> None:
        self.service = service
        self.before = before
        self.wrong = wrong
        self.addresses: dict[int, Address] = {}
        self.node_ports: dict[int, int] = {}
        self.health = 0
        self.balancers: dict[int, LoadBalancerIngress] = {}

    @property
    def has_addresses(self) -> bool:
        return self.service.type != "ExternalName" and not self.service.headless and not self.wrong

    @property
    def has_ports(self) -> bool:
        return self.service.type in ("NodePort", "LoadBalancer")

    @property
    def has_health(self) -> bool:
        return self.service.type == "LoadBalancer" and self.service.external_traffic_policy == "Local"

    def stored(self) -> Service:
        """Return the Service as the API server stores it."""
        one = self.service
        own = {at: self.node_ports.get(at, 0) for at in range(len(one.ports))}
        ports = tuple(
            port if port.node_port == own[at] else replace(port, node_port=own[at]) for at, port in enumerate(one.ports)
        )
        found = tuple(self.addresses[family] for family in one.ip_families if family in self.addresses)
        status = one.load_balancer if one.type == "LoadBalancer" else ()
        return replace(
            one,
            cluster_ips=found,
            ports=ports,
            health_check_node_port=self.health,
            load_balancer=status or tuple(self.balancers[f] for f in one.ip_families if f in self.balancers),
        )


class _Allocation:
    """One allocation: what is taken, the problems, and how many Services were served by each range."""

    def __init__(self, topology: Topology, taken: Taken) -> None:
        self.problems: list[Problem] = []
        self._topology = topology
        self._taken = taken
        self._families = [cidr.version for cidr in topology.service_cidrs]
        self._ranges: dict[int, Prefix] = {cidr.version: cidr for cidr in topology.service_cidrs}
        self._balancers: dict[int, Prefix] = {cidr.version: cidr for cidr in topology.load_balancer_cidrs}
        self._moves = "serviceCIDRs" in topology.unwritten
        self._unserved: Counter[str] = Counter()
        self._reserved = {
            (cidr.version, int(cidr.network_address) + place): key
            for cidr in topology.service_cidrs
            for key, place in RESERVED.items()
        }

    def draft(self, service: Service, before: Service | None) -> _Draft:
        """Return the draft of a Service; an address that a default range cannot hold is not written any more."""
        if self._moves and service.cluster_ips:
            kept = tuple(a for a in service.cluster_ips if a.version not in self._ranges or self._holds(a))
            if kept != service.cluster_ips:
                families = service.ip_families or tuple(a.version for a in service.cluster_ips)
                service = replace(service, cluster_ips=kept, ip_families=families)
        found, problems = with_families(service, self._families, before)
        self.problems += problems
        return _Draft(found, before, wrong=bool(problems))

    def keep(self, draft: _Draft) -> None:
        """Take what the stored Service has, unless it is written."""
        before, one = draft.before, draft.service
        if before is None:
            return
        if draft.has_addresses:
            left = {*one.ip_families} - {address.version for address in one.cluster_ips}
            for address in before.cluster_ips:
                if address.version in left and self._holds(address) and self._free(address):
                    self._take_address(draft, address)
        if draft.has_ports and before.type in ("NodePort", "LoadBalancer"):
            self._keep_ports(draft, before)
        if draft.has_health and not one.health_check_node_port and before.health_check_node_port:
            number = before.health_check_node_port
            draft.health = 0 if self._port_problem(number, one) else self._take_port(number, one)
        if one.type == before.type == "LoadBalancer" and not one.load_balancer:
            for ingress in before.load_balancer:
                if ingress.address is not None and ingress.address.version in one.ip_families:
                    self._keep_balancer(draft, ingress.address)

    def _keep_balancer(self, draft: _Draft, address: Address) -> None:
        cidr = self._balancers.get(address.version)
        if cidr is not None and address in cidr and self._free(address):
            self._taken.addresses[address.version, int(address)] = draft.service.meta.key
            draft.balancers[address.version] = LoadBalancerIngress(address)

    def _keep_ports(self, draft: _Draft, before: Service) -> None:
        """Take node ports by the names of ports, as the API server does."""
        one = draft.service
        stored = {port.node_port for port in before.ports if port.node_port}
        used = stored & {port.node_port for port in one.ports}
        by_name = {port.name: port.node_port for port in before.ports}
        for at, port in enumerate(one.ports):
            number = by_name.get(port.name, 0)
            if port.node_port or not number or number in used:
                continue
            used.add(number)
            if not self._port_problem(number, one):
                draft.node_ports[at] = self._take_port(number, one)

    def claim(self, draft: _Draft) -> None:
        """Take what is written; report what is taken or out of range."""
        one = draft.service
        if draft.has_addresses:
            for address in one.cluster_ips:
                self._claim_address(draft, address)
        if draft.has_ports:
            for at, port in enumerate(one.ports):
                if port.node_port:
                    self._claim_port(draft, at, port)
        if draft.has_health and one.health_check_node_port:
            path, number = "spec.healthCheckNodePort", one.health_check_node_port
            why = self._port_problem(number, one)
            if why:
                self.problems.append(problem_of(one, path, invalid(number, why)))
            else:
                draft.health = self._take_port(number, one)
        for address in (*one.external_ips, *(i.address for i in one.load_balancer if i.address is not None)):
            self._taken.addresses.setdefault((address.version, int(address)), one.meta.key)

    def _claim_address(self, draft: _Draft, address: Address) -> None:
        one, cidr = draft.service, self._ranges[address.version]
        owner = self._taken.addresses.get((address.version, int(address)), one.meta.key)
        reserved = self._reserved.get((address.version, int(address)), one.meta.key)
        if not self._holds(address):
            why = f"the provided IP ({address}) is not in the valid range. The range of valid IPs is {cidr}"
        elif owner != one.meta.key:
            why = f"{_TAKEN} (by Service {owner})"
        elif reserved == "default/kubernetes" != one.meta.key:
            # Another DNS server than kube-dns may have the tenth address.
            why = f"{_TAKEN} (by Service {reserved})"
        else:
            self._take_address(draft, address)
            return
        message = invalid(texts(one.cluster_ips), f"failed to allocate IP {address}: {why}")
        self.problems.append(problem_of(one, "spec.clusterIPs", message))

    def _claim_port(self, draft: _Draft, at: int, port: ServicePort) -> None:
        one, number = draft.service, port.node_port
        # One number may serve several protocols of one port of the Service.
        shared = any(number == draft.node_ports.get(i) and p.port == port.port for i, p in enumerate(one.ports[:at]))
        why = "" if shared else self._port_problem(number, one)
        if why:
            self.problems.append(problem_of(one, f"{port.path or f'spec.ports[{at}]'}.nodePort", invalid(number, why)))
        else:
            draft.node_ports[at] = self._take_port(number, one)

    def _port_problem(self, number: int, service: Service) -> str:
        low, high = self._topology.node_ports
        if not low <= number <= high:
            return f"provided port is not in the valid range. The range of valid ports is {low}-{high}"
        owner = self._taken.ports.get(number)
        return f"{_PORT_TAKEN} (by Service {owner})" if owner is not None else ""

    def fill(self, draft: _Draft) -> None:
        """Take free values for all that is neither written nor kept."""
        one = draft.service
        if draft.has_addresses:
            for family in one.ip_families:
                if family in self._ranges and family not in draft.addresses:
                    self._fill_address(draft, family)
        if draft.has_ports:
            self._fill_ports(draft)
        if draft.has_health and not draft.health:
            draft.health = self._next_port(one, "health")
        if one.type == "LoadBalancer" and not one.load_balancer and not draft.wrong:
            for family in one.ip_families:
                if family in self._balancers and family not in draft.balancers:
                    cidr = self._balancers[family]
                    address = self._next_address(cidr, one.meta.key, 0, "spec.loadBalancerCIDRs")
                    if address is not None:
                        draft.balancers[family] = LoadBalancerIngress(address)

    def _fill_address(self, draft: _Draft, family: int) -> None:
        key, cidr = draft.service.meta.key, self._ranges[family]
        address: Address | None
        place = RESERVED.get(key)
        address = cidr[place] if place is not None and place < cidr.num_addresses - 1 else None
        if address is None or not self._free(address):
            address = self._next_address(cidr, key, _band(cidr.num_addresses), "spec.serviceCIDRs")
        if address is not None:
            self._take_address(draft, address)

    def _fill_ports(self, draft: _Draft) -> None:
        one = draft.service
        for at, port in enumerate(one.ports):
            if draft.node_ports.get(at) or port.node_port:
                continue
            shared = (n for i, n in draft.node_ports.items() if one.ports[i].port == port.port and n)
            same = {one.ports[i].protocol for i in draft.node_ports if one.ports[i].port == port.port}
            number = next(shared, 0) if port.protocol not in same else 0
            if number:
                draft.node_ports[at] = number
            elif one.type != "LoadBalancer" or one.allocate_node_ports:
                draft.node_ports[at] = self._next_port(one, str(port.port))

    def exhausted(self) -> list[Problem]:
        """Return a problem for each range that has too few values."""
        return [
            topology_problem(self._topology, path, f"range is full: {what} has nothing left for {count} more")
            for key, count in sorted(self._unserved.items())
            if count
            for path, what in [key.split(" ")]
        ]

    def _holds(self, address: Address) -> bool:
        """Say whether a Service may have an address: it is in the range, and not its first or last one."""
        cidr = self._ranges.get(address.version)
        if cidr is None or address not in cidr or address == cidr.network_address:
            return False
        return address.version == 6 or address != cidr.broadcast_address

    def _free(self, address: Address) -> bool:
        return (address.version, int(address)) not in self._taken.addresses

    def _take_address(self, draft: _Draft, address: Address) -> None:
        draft.addresses[address.version] = address
        self._taken.addresses[address.version, int(address)] = draft.service.meta.key

    def _next_address(self, cidr: Prefix, key: str, band: int, path: str) -> Address | None:
        """Take a free address above the band, else in it; None if there is none."""
        where = f"{path} {cidr}"
        if self._unserved[where]:
            self._unserved[where] += 1
            return None
        # IPv4 has a broadcast address. No hash reaches more than 2**32 addresses.
        last = min(cidr.num_addresses - (2 if cidr.version == 4 else 1), 1 << 32)
        base, taken, reserved = int(cidr.network_address), self._taken.addresses, self._reserved
        for low, high in ((band + 1, last), (1, min(band, last))):
            size = high - low + 1
            start = crc32(key.encode()) % size if size > 0 else 0
            for step in range(size):
                number = base + low + (start + step) % size
                if (cidr.version, number) not in taken and (cidr.version, number) not in reserved:
                    taken[cidr.version, number] = key
                    kind = type(cidr.network_address)
                    return kind(number)
        self._unserved[where] += 1
        return None

    def _take_port(self, number: int, service: Service) -> int:
        self._taken.ports[number] = service.meta.key
        return number

    def _next_port(self, service: Service, what: str) -> int:
        """Take a free node port above the band, else in it; 0 if there is none."""
        first, last = self._topology.node_ports
        where = f"spec.nodePortRange {first}-{last}"
        if self._unserved[where]:
            self._unserved[where] += 1
            return 0
        band = _port_band(last - first + 1)
        for low, high in ((first + band, last), (first, first + band - 1)):
            size = high - low + 1
            start = crc32(f"{service.meta.key} {what}".encode()) % size if size > 0 else 0
            for step in range(size):
                number = low + (start + step) % size
                if number not in self._taken.ports:
                    return self._take_port(number, service)
        self._unserved[where] += 1
        return 0


def _addresses(service: Service) -> list[Address]:
    own = [one.address for one in service.load_balancer if one.address is not None]
    return [*service.cluster_ips, *service.external_ips, *own]


def _node_ports(service: Service) -> list[int]:
    numbers = (*(port.node_port for port in service.ports), service.health_check_node_port)
    return [number for number in numbers if number]


def _band(size: int) -> int:
    """Return how many addresses of a range only Services that write them should have."""
    return 0 if size <= 16 else min(max(16, size // 16), 256)


def _port_band(size: int) -> int:
    """Return how many node ports of a range only Services that write them should have."""
    return 0 if size < 32 else min(max(16, size // 32), 128)


def _key(service: Service) -> tuple[str, str]:
    return service.meta.namespace, service.meta.name
