"""What the API server allocates for Services: cluster addresses, node ports, and the addresses of load balancers.

The same Services and ``keep`` always give the same allocation.

Source: Kubernetes, pkg/registry/core/service (storage/alloc.go).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from netlab.cluster.services.families import problem_of, texts, with_families
from netlab.cluster.services.pool import ADDRESS_TAKEN, RESERVED, Pool, Taken
from netlab.errors import Problem
from netlab.objects.fields import invalid
from netlab.objects.services import LoadBalancerIngress, Service, ServicePort
from netlab.objects.topology import Topology
from netlab.objects.types import Address


def allocate(
    services: Iterable[Service], topology: Topology, keep: Mapping[str, Service], taken: Taken | None = None
) -> tuple[tuple[Service, ...], list[Problem]]:
    """Return the Services by namespace and name, with addresses and node ports; and the problems.

    ``topology`` has its defaults filled in. ``keep`` has the Services of a running lab by ``NAMESPACE/NAME``. They keep
    what they have if the new fields allow it. ``taken`` has what other Services have; it is changed.
    """
    run = _Allocation(topology, Taken.nothing() if taken is None else taken)
    drafts = [run.draft(service, keep.get(service.meta.key)) for service in services]
    for draft in drafts:
        run.keep(draft)
    for draft in drafts:
        run.claim(draft)
    for draft in drafts:
        run.claim_balancer(draft)
    drafts.sort(key=lambda draft: _key(draft.service))
    # System Services first: another Service could get their usual addresses in a range without a static band.
    for draft in sorted(drafts, key=lambda draft: draft.service.meta.key not in RESERVED):
        run.fill(draft)
    return tuple(draft.stored() for draft in drafts), [*run.problems, *run.pool.exhausted()]


def allocate_change(
    stored: Sequence[Service],
    taken: Taken,
    topology: Topology,
    removed: Iterable[Service],
    added: Iterable[Service],
) -> tuple[tuple[Service, ...], list[Problem]]:
    """Return the stored Services without removed ones and with added ones; the others stay as they are.

    ``stored`` is sorted by namespace and name. A Service that changed is both removed and added. ``taken`` is changed.
    """
    services = list(stored)
    before: dict[str, Service] = {}
    for service in removed:
        at = bisect_left(services, _key(service), key=_key)
        if at < len(services) and _key(services[at]) == _key(service):
            before[service.meta.key] = services.pop(at)
            taken.release(before[service.meta.key])
    new, problems = allocate(added, topology, before, taken)
    for service in new:
        services.insert(bisect_left(services, _key(service), key=_key), service)
    return tuple(services), problems


class _Draft:
    """One Service while it is allocated: addresses by family, node ports by the index of the port."""

    def __init__(self, service: Service, before: Service | None, *, wrong: bool) -> None:
        self.service = service
        self.key = service.meta.key
        self.before = before
        self.wrong = wrong
        self.addresses: dict[int, Address] = {}
        self.node_ports: dict[int, int] = {}
        self.health_check_port = 0
        self.balancers: dict[int, LoadBalancerIngress] = {}

    @property
    def has_addresses(self) -> bool:
        return self.service.type != "ExternalName" and not self.service.headless and not self.wrong

    @property
    def has_node_ports(self) -> bool:
        return self.service.type in ("NodePort", "LoadBalancer")

    @property
    def has_health_check_port(self) -> bool:
        return self.service.type == "LoadBalancer" and self.service.external_traffic_policy == "Local"

    def stored(self) -> Service:
        """Return the Service as the API server stores it."""
        service = self.service
        numbers = [self.node_ports.get(at, 0) for at in range(len(service.ports))]
        ports = tuple(
            port if port.node_port == number else replace(port, node_port=number)
            for port, number in zip(service.ports, numbers, strict=True)
        )
        of_status = service.load_balancer if service.type == "LoadBalancer" else ()
        return replace(
            service,
            cluster_ips=tuple(self.addresses[f] for f in service.ip_families if f in self.addresses),
            ports=ports,
            health_check_node_port=self.health_check_port,
            load_balancer=of_status or tuple(self.balancers[f] for f in service.ip_families if f in self.balancers),
        )


class _Allocation:
    """One allocation, in three passes over all drafts: what is kept, what is written, what is free."""

    def __init__(self, topology: Topology, taken: Taken) -> None:
        self.problems: list[Problem] = []
        self.pool = Pool(topology, taken)
        self._families = [cidr.version for cidr in topology.service_cidrs]
        self._has_default_range = "serviceCIDRs" in topology.unwritten
        self._has_default_balancers = "loadBalancerCIDRs" in topology.unwritten

    def draft(self, service: Service, before: Service | None) -> _Draft:
        """Return the draft of a Service. A written address that a default range cannot hold is dropped."""
        if self._has_default_range and service.cluster_ips:
            ranges = self.pool.ranges
            held = tuple(a for a in service.cluster_ips if a.version not in ranges or self.pool.holds(a))
            if held != service.cluster_ips:
                families = service.ip_families or tuple(a.version for a in service.cluster_ips)
                service = replace(service, cluster_ips=held, ip_families=families)
        service, problems = with_families(service, self._families, before)
        self.problems += problems
        return _Draft(service, before, wrong=bool(problems))

    # --- what is kept ---------------------------------------------------------------------------------------------

    def keep(self, draft: _Draft) -> None:
        """Take what the stored Service has and the new one does not write."""
        before, service, pool = draft.before, draft.service, self.pool
        if before is None:
            return
        if draft.has_addresses:
            unwritten = {*service.ip_families} - {address.version for address in service.cluster_ips}
            for address in before.cluster_ips:
                if address.version in unwritten and pool.holds(address) and pool.owner(address) is None:
                    self._take_address(draft, address)
        if draft.has_node_ports and before.type in ("NodePort", "LoadBalancer"):
            self._keep_node_ports(draft, before)
        if draft.has_health_check_port and not service.health_check_node_port and before.health_check_node_port:
            number = before.health_check_node_port
            draft.health_check_port = 0 if pool.port_problem(number) else pool.take_port(number, draft.key)
        if service.type == before.type == "LoadBalancer" and not service.load_balancer:
            for ingress in before.load_balancer:
                own = ingress.address
                if own is not None and own.version in service.ip_families and self._may_keep(service, own):
                    self._keep_balancer(draft, own)

    def _may_keep(self, service: Service, address: Address) -> bool:
        """Say whether a load balancer may keep its address: the Service asks for no other one that it can have."""
        asked = service.load_balancer_ip
        return asked is None or asked == address or asked.version != address.version or not self._can_hold(asked)

    def _can_hold(self, address: Address) -> bool:
        cidr = self.pool.balancer_ranges.get(address.version)
        return cidr is not None and address in cidr

    def _keep_balancer(self, draft: _Draft, address: Address) -> None:
        if self._can_hold(address) and self.pool.balancer_owner(address) is None:
            self.pool.take_balancer(address, draft.key)
            draft.balancers[address.version] = LoadBalancerIngress(address)

    def _keep_node_ports(self, draft: _Draft, before: Service) -> None:
        """Take node ports by the names of ports, as the API server does."""
        service = draft.service
        stored = {port.node_port for port in before.ports if port.node_port}
        used = stored & {port.node_port for port in service.ports}
        by_name = {port.name: port.node_port for port in before.ports}
        for at, port in enumerate(service.ports):
            number = by_name.get(port.name, 0)
            if port.node_port or not number or number in used:
                continue
            used.add(number)
            if not self.pool.port_problem(number):
                draft.node_ports[at] = self.pool.take_port(number, draft.key)

    # --- what is written ------------------------------------------------------------------------------------------

    def claim(self, draft: _Draft) -> None:
        """Take what is written; report what is taken or out of range."""
        service = draft.service
        if draft.has_addresses:
            for address in service.cluster_ips:
                self._claim_address(draft, address)
        if draft.has_node_ports:
            for at, port in enumerate(service.ports):
                if port.node_port:
                    self._claim_port(draft, at, port)
        if draft.has_health_check_port and service.health_check_node_port:
            path, number = "spec.healthCheckNodePort", service.health_check_node_port
            why = self.pool.port_problem(number)
            if why:
                self.problems.append(problem_of(service, path, invalid(number, why)))
            else:
                draft.health_check_port = self.pool.take_port(number, draft.key)
        self.pool.take_outer(service)

    def claim_balancer(self, draft: _Draft) -> None:
        """Take a load balancer's address that is written, unless the status has one; report one that it cannot have.

        An address outside a default range is dropped: ``cluster.moved_addresses`` warns of it.
        """
        service, address, pool = draft.service, draft.service.load_balancer_ip, self.pool
        if address is None or service.load_balancer or draft.wrong or draft.balancers.get(address.version):
            return
        owner = pool.balancer_owner(address) or draft.key
        if address.version not in service.ip_families:
            why = f"the Service has no IPv{address.version} address"
        elif not self._can_hold(address):
            if self._has_default_balancers:
                return
            cidr = pool.balancer_ranges.get(address.version)
            why = f"the provided IP ({address}) is not in the valid range. The range of valid IPs is {cidr}"
        elif owner != draft.key:
            why = f"{ADDRESS_TAKEN} (by Service {owner})"
        else:
            pool.take_balancer(address, draft.key)
            draft.balancers[address.version] = LoadBalancerIngress(address)
            return
        message = invalid(str(address), f"failed to allocate IP {address}: {why}")
        self.problems.append(problem_of(service, "spec.loadBalancerIP", message))

    def _claim_address(self, draft: _Draft, address: Address) -> None:
        service, pool = draft.service, self.pool
        owner = pool.owner(address) or draft.key
        if not pool.holds(address):
            cidr = pool.ranges[address.version]
            why = f"the provided IP ({address}) is not in the valid range. The range of valid IPs is {cidr}"
        elif owner != draft.key:
            why = f"{ADDRESS_TAKEN} (by Service {owner})"
        elif pool.reserved_for(address) == "default/kubernetes" != draft.key:
            # The tenth address is not refused: another DNS server than kube-dns may have it.
            why = f"{ADDRESS_TAKEN} (by Service default/kubernetes)"
        else:
            self._take_address(draft, address)
            return
        message = invalid(texts(service.cluster_ips), f"failed to allocate IP {address}: {why}")
        self.problems.append(problem_of(service, "spec.clusterIPs", message))

    def _claim_port(self, draft: _Draft, at: int, port: ServicePort) -> None:
        service, number = draft.service, port.node_port
        # One node port may serve several protocols of one port of the Service.
        earlier = enumerate(service.ports[:at])
        shared = any(number == draft.node_ports.get(i) and other.port == port.port for i, other in earlier)
        why = "" if shared else self.pool.port_problem(number)
        if why:
            path = f"{port.path or f'spec.ports[{at}]'}.nodePort"
            self.problems.append(problem_of(service, path, invalid(number, why)))
        else:
            draft.node_ports[at] = self.pool.take_port(number, draft.key)

    # --- what is free ---------------------------------------------------------------------------------------------

    def fill(self, draft: _Draft) -> None:
        """Take free values for all that is neither written nor kept."""
        service, pool = draft.service, self.pool
        if draft.has_addresses:
            for family in service.ip_families:
                if family in pool.ranges and family not in draft.addresses:
                    address = pool.next_cluster_ip(family, draft.key)
                    if address is not None:
                        draft.addresses[family] = address
        if draft.has_node_ports:
            self._fill_node_ports(draft)
        if draft.has_health_check_port and not draft.health_check_port:
            draft.health_check_port = pool.next_port(draft.key, "health")
        if service.type == "LoadBalancer" and not service.load_balancer and not draft.wrong:
            for family in service.ip_families:
                if family in pool.balancer_ranges and family not in draft.balancers:
                    address = pool.next_balancer_address(family, draft.key)
                    if address is not None:
                        draft.balancers[family] = LoadBalancerIngress(address)

    def _fill_node_ports(self, draft: _Draft) -> None:
        service = draft.service
        for at, port in enumerate(service.ports):
            if draft.node_ports.get(at) or port.node_port:
                continue
            # Ports of one number share a node port, unless they have the same protocol.
            alike = [i for i in draft.node_ports if service.ports[i].port == port.port]
            numbers = (draft.node_ports[i] for i in alike if draft.node_ports[i])
            number = 0 if any(service.ports[i].protocol == port.protocol for i in alike) else next(numbers, 0)
            if number:
                draft.node_ports[at] = number
            elif service.type != "LoadBalancer" or service.allocate_node_ports:
                draft.node_ports[at] = self.pool.next_port(draft.key, str(port.port))

    def _take_address(self, draft: _Draft, address: Address) -> None:
        draft.addresses[address.version] = address
        self.pool.take_address(address, draft.key)


def _key(service: Service) -> tuple[str, str]:
    return service.meta.namespace, service.meta.name
