"""The addresses and node ports that Services can have, and which of them are taken.

A value that is not written follows from the hash of the Service's name. If it is taken, the next free one is used. So
one more Service moves no other, unless two hashes meet. A counter over sorted names would move all that come after.

Source: Kubernetes, Service ClusterIP allocation, "Avoid collisions" (bands of dynamic and static values);
pkg/registry/core/service (ipallocator, portallocator).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from zlib import crc32

from netlab.cluster.nodes import topology_problem
from netlab.errors import Problem
from netlab.frozen import NamedTuple
from netlab.objects.services import Service
from netlab.objects.topology import Topology
from netlab.objects.types import Address, Prefix

# The places of system Services in the service range. No other Service gets these addresses unless it writes one.
RESERVED = {"default/kubernetes": 1, "kube-system/kube-dns": 10}
ADDRESS_TAKEN = "provided IP is already allocated"
_PORT_TAKEN = "provided port is already allocated"


_Key = tuple[int, int]
"""An address: its family and its number."""


class Taken(NamedTuple):
    """What Services have, with the key of the Service: cluster addresses, node ports, addresses from outside.

    ``balancers`` are addresses of load balancers. Several Services may have one of ``external`` or ``balancers``.
    """

    addresses: dict[_Key, str]
    ports: dict[int, str]
    external: dict[_Key, frozenset[str]]
    balancers: dict[_Key, frozenset[str]]

    @classmethod
    def nothing(cls) -> Taken:
        """Return what Services have if there are none."""
        return cls({}, {}, {}, {})

    @classmethod
    def of(cls, services: Iterable[Service]) -> Taken:
        """Return what allocated Services have."""
        taken = cls.nothing()
        for service in services:
            taken.add(service)
        return taken

    def copy(self) -> Taken:
        return Taken(dict(self.addresses), dict(self.ports), dict(self.external), dict(self.balancers))

    def add(self, service: Service) -> None:
        """Take what a Service has."""
        key = service.meta.key
        for address in service.cluster_ips:
            self.addresses.setdefault((address.version, int(address)), key)
        self.add_outer(service)
        for port in _node_ports(service):
            self.ports.setdefault(port, key)

    def add_outer(self, service: Service) -> None:
        """Take a Service's external IPs, and the addresses of its load balancer."""
        for owners, addresses in ((self.external, service.external_ips), (self.balancers, _of_balancer(service))):
            for address in addresses:
                at = address.version, int(address)
                owners[at] = owners.get(at, frozenset()) | {service.meta.key}

    def release(self, service: Service) -> None:
        """Give back what a Service has."""
        key = service.meta.key
        for address in service.cluster_ips:
            if self.addresses.get((address.version, int(address))) == key:
                del self.addresses[address.version, int(address)]
        for owners, addresses in ((self.external, service.external_ips), (self.balancers, _of_balancer(service))):
            for at in {(address.version, int(address)) for address in addresses}:
                if left := owners.pop(at, frozenset()) - {key}:
                    owners[at] = left
        for port in _node_ports(service):
            if self.ports.get(port) == key:
                del self.ports[port]


class Pool:
    """The ranges of a Topology with what is taken of them. It counts the requests that find nothing free.

    ``ranges`` are the service ranges and ``balancer_ranges`` those of load balancers, by family.
    """

    def __init__(self, topology: Topology, taken: Taken) -> None:
        self.ranges: dict[int, Prefix] = {cidr.version: cidr for cidr in topology.service_cidrs}
        self.balancer_ranges: dict[int, Prefix] = {cidr.version: cidr for cidr in topology.load_balancer_cidrs}
        self._topology = topology
        self._taken = taken
        self._unserved: Counter[tuple[str, str]] = Counter()
        self._reserved = {
            (cidr.version, int(cidr.network_address) + place): key
            for cidr in topology.service_cidrs
            for key, place in RESERVED.items()
        }

    def holds(self, address: Address) -> bool:
        """Say whether a Service may have an address: it is in the range, and not its first or last one."""
        cidr = self.ranges.get(address.version)
        if cidr is None or address not in cidr or address == cidr.network_address:
            return False
        return address.version == 6 or address != cidr.broadcast_address

    def is_free(self, address: Address) -> bool:
        """Say whether no Service has an address."""
        return self._is_free((address.version, int(address)))

    def _is_free(self, at: _Key) -> bool:
        taken = self._taken
        return at not in taken.addresses and at not in taken.external and at not in taken.balancers

    def owner(self, address: Address) -> str | None:
        """Return the key of the Service that has a cluster address. Another one may have it as external IP."""
        return self._taken.addresses.get((address.version, int(address)))

    def balancer_owner(self, address: Address) -> str | None:
        """Return the first key of the Services that have an address of a load balancer."""
        return min(self._taken.balancers.get((address.version, int(address)), ()), default=None)

    def reserved_for(self, address: Address) -> str | None:
        """Return the key of the system Service that an address is reserved for."""
        return self._reserved.get((address.version, int(address)))

    def take_address(self, address: Address, key: str) -> None:
        """Take a cluster address for the Service of a key; an address that is taken stays with its Service."""
        self._taken.addresses.setdefault((address.version, int(address)), key)

    def take_balancer(self, address: Address, key: str) -> None:
        """Take an address of the load balancers' range for the Service of a key."""
        at = address.version, int(address)
        self._taken.balancers[at] = self._taken.balancers.get(at, frozenset()) | {key}

    def take_outer(self, service: Service) -> None:
        """Take the external IPs that a Service writes, and the addresses of its status."""
        self._taken.add_outer(service)

    def take_port(self, number: int, key: str) -> int:
        self._taken.ports[number] = key
        return number

    def port_problem(self, number: int) -> str:
        """Return why a Service cannot have a node port, "" if it can."""
        low, high = self._topology.node_ports
        if not low <= number <= high:
            return f"provided port is not in the valid range. The range of valid ports is {low}-{high}"
        owner = self._taken.ports.get(number)
        return f"{_PORT_TAKEN} (by Service {owner})" if owner is not None else ""

    def next_cluster_ip(self, family: int, key: str) -> Address | None:
        """Take a free address of the service range; None if there is none."""
        cidr = self.ranges[family]
        place = RESERVED.get(key)
        if place is not None and place < cidr.num_addresses - 1 and self.is_free(cidr[place]):
            self.take_address(cidr[place], key)
            return cidr[place]
        found = self._next_address(cidr, key, _static_addresses(cidr.num_addresses), "spec.serviceCIDRs")
        if found is not None:
            self.take_address(found, key)
        return found

    def next_balancer_address(self, family: int, key: str) -> Address | None:
        """Take a free address of the load balancers' range; None if there is none."""
        found = self._next_address(self.balancer_ranges[family], key, 0, "spec.loadBalancerCIDRs")
        if found is not None:
            self.take_balancer(found, key)
        return found

    def _next_address(self, cidr: Prefix, key: str, static: int, path: str) -> Address | None:
        """Return a free address of the dynamic band, else of the static band; None if there is none."""
        what = path, str(cidr)
        if self._unserved[what]:
            self._unserved[what] += 1
            return None
        # IPv4 has a broadcast address. No hash reaches more than 2**32 addresses.
        last = min(cidr.num_addresses - (2 if cidr.version == 4 else 1), 1 << 32)
        base, reserved = int(cidr.network_address), self._reserved
        for low, high in ((static + 1, last), (1, min(static, last))):
            size = high - low + 1
            start = crc32(key.encode()) % size if size > 0 else 0
            for step in range(size):
                number = base + low + (start + step) % size
                if self._is_free((cidr.version, number)) and (cidr.version, number) not in reserved:
                    return type(cidr.network_address)(number)
        self._unserved[what] += 1
        return None

    def next_port(self, key: str, name: str) -> int:
        """Take a free node port of the dynamic band, else of the static band; 0 if there is none.

        ``name`` tells several ports of the Service of ``key`` apart.
        """
        first, last = self._topology.node_ports
        what = "spec.nodePortRange", f"{first}-{last}"
        if self._unserved[what]:
            self._unserved[what] += 1
            return 0
        static = _static_ports(last - first + 1)
        for low, high in ((first + static, last), (first, first + static - 1)):
            size = high - low + 1
            start = crc32(f"{key} {name}".encode()) % size if size > 0 else 0
            for step in range(size):
                number = low + (start + step) % size
                if number not in self._taken.ports:
                    return self.take_port(number, key)
        self._unserved[what] += 1
        return 0

    def exhausted(self) -> list[Problem]:
        """Return a problem for each range that has too few values."""
        return [
            topology_problem(self._topology, path, f"range is full: {text} has nothing left for {count} more")
            for (path, text), count in sorted(self._unserved.items())
        ]


def _of_balancer(service: Service) -> list[Address]:
    return [ingress.address for ingress in service.load_balancer if ingress.address is not None]


def _node_ports(service: Service) -> list[int]:
    numbers = (*(port.node_port for port in service.ports), service.health_check_node_port)
    return [number for number in numbers if number]


def _static_addresses(size: int) -> int:
    """Return the size of a range's lower, static band, which is for addresses that Services write."""
    return 0 if size <= 16 else min(max(16, size // 16), 256)


def _static_ports(size: int) -> int:
    """Return the size of the lower, static band of node ports, which is for ports that Services write."""
    return 0 if size < 32 else min(max(16, size // 32), 128)
