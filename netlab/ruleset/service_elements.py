"""The elements of the fragment of Services.

If every node uses the same endpoints of a Service, its elements are the same on every node. A Service with traffic
policy Local, hints or a traffic distribution has lists of endpoints by node.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from ipaddress import IPv4Network, IPv6Network, collapse_addresses

from netlab.cluster.services.changes import changed_services
from netlab.cluster.services.endpoints import ServiceEndpoint, endpoints
from netlab.cluster.services.routes import nodes_translate, outer_addresses
from netlab.cluster.services.selection import node_endpoints
from netlab.cluster.types import Cluster, address_of
from netlab.frozen import frozen
from netlab.objects.services import Service, ServicePort
from netlab.objects.types import Address, Prefix
from netlab.ruleset.cluster_change import ClusterChange
from netlab.ruleset.comments import listing
from netlab.ruleset.element_store import ElementStore
from netlab.ruleset.elements import Element, Key
from netlab.ruleset.fragment import Entry, Layout, Stores
from netlab.ruleset.fragments.masquerade import parts_without
from netlab.ruleset.numbers import Numbering
from netlab.ruleset.service_chains import Variant
from netlab.ruleset.service_marks import (
    AFFINITY,
    ENDPOINT_ID,
    LOCAL_FROM_OUTSIDE,
    LOCAL_LIST,
    MASQUERADE,
    NUMBER_BITS,
    SOURCE_RANGES,
)

FEWEST = 8
"""The least number of chains that choose an endpoint. The number is a power of two, so that the text changes rarely."""

MOST_FACT, TIMEOUT_FACT = "service most ", "service timeout "
"""Names of sets that no text declares. Their elements tell ``variant`` what the chains depend on."""

_Place = tuple[str, Key]
_Owner = tuple[str, str]
_Endpoint = tuple[Address, str, int]


@frozen
class _Part:
    """The elements of one Service: those that every node has, and further ones by the name of the node."""

    everywhere: Mapping[_Place, Element]
    nodes: Mapping[str, Mapping[_Place, Element]]


_NONE = _Part({}, {})


class _Claims:
    """A store in which several Services may claim one element. The first of them by name has it."""

    def __init__(self, store: ElementStore) -> None:
        self._store = store
        self._claims: dict[_Place, dict[_Owner, Element]] = {}

    def update(self, owner: _Owner, old: Mapping[_Place, Element], new: Mapping[_Place, Element]) -> None:
        """Replace the claims of an owner. The store sees only claims that change."""
        for place in old:
            if place not in new:
                claims = self._claims[place]
                del claims[owner]
                if not claims:
                    del self._claims[place]
                    self._store.remove(*place)
                elif owner < min(claims):
                    self._store.put(*place, claims[min(claims)])
        for place, element in new.items():
            if old.get(place) == element:
                continue
            claims = self._claims.setdefault(place, {})
            claims[owner] = element
            if owner == min(claims):
                self._store.put(*place, element)


class ServiceElements:
    """The elements of all Services of a lab; an ``ElementUpdater``. The first update takes all Services."""

    def __init__(self, layout: Layout, stores: Stores) -> None:
        self._started = False
        self._families = layout.families
        self._nodes = [node.name for node in layout.nodes]
        self._everywhere = stores.everywhere
        self._shared = _Claims(stores.everywhere)
        self._own = {name: _Claims(store) for name, store in stores.nodes.items()}
        self._parts: dict[_Owner, _Part] = {}
        self._ranges: dict[_Place, Element] = {}
        self._numbers = Numbering(NUMBER_BITS)
        self._numbered: dict[_Owner, tuple[str, ...]] = {}
        # Of the endpoints of Services with sessionAffinity.
        self._ids = Numbering(31)
        self._identified: dict[_Owner, tuple[str, ...]] = {}
        self._uses: Counter[str] = Counter()
        for entry in _pods_of(layout):
            stores.everywhere.put(*entry)
        for node in layout.nodes:
            for f in layout.families:
                if (address := address_of(node, f)) is not None:
                    stores.nodes[node.name].put(f"service_nodes{f}", (address,), Element(comment=listing([node.ref])))

    def update(self, change: ClusterChange) -> bool:
        """Take a change; return False if it would give another number to a Service or endpoint that stays."""
        cluster, first = change.after, not self._started
        self._started = True
        changed = _changed(None if first else change.before, cluster)
        translated = {_owner(s): s for s in cluster.services if nodes_translate(s)} if changed else {}
        services = {owner: translated.get(owner) for owner in changed}
        if self._number(cluster, services) and not first:
            return False
        for owner, service in services.items():
            old = self._parts.pop(owner, _NONE)
            new = self._part(cluster, service) if service is not None else _NONE
            if service is not None:
                self._parts[owner] = new
            self._shared.update(owner, old.everywhere, new.everywhere)
            for name in {**old.nodes, **new.nodes}:
                self._own[name].update(owner, old.nodes.get(name, {}), new.nodes.get(name, {}))
        self._update_ranges(cluster.service_cidrs if self._parts else ())
        return True

    def notes(self, _: str) -> Mapping[str, tuple[str, ...]]:
        """Return no notes."""
        return {}

    def _update_ranges(self, cidrs: Sequence[Prefix]) -> None:
        new: dict[_Place, Element] = {}
        for cidr in cidrs:
            new[f"service_ranges{cidr.version}", (cidr,)] = Element(comment="ClusterIPs")
        for place in self._ranges.keys() - new.keys():
            self._everywhere.remove(*place)
        for place in new.keys() - self._ranges.keys():
            self._everywhere.put(*place, new[place])
        self._ranges = new

    def _number(self, cluster: Cluster, services: Mapping[_Owner, Service | None]) -> bool:
        """Number the Services' ports and, with sessionAffinity, endpoints; say whether a number changed."""
        removed: dict[str, None] = {}
        added: dict[str, None] = {}
        unused: Counter[str] = Counter()
        used: Counter[str] = Counter()
        for owner, service in services.items():
            old = self._numbered.pop(owner, ())
            new = tuple(_port_text(service, port) for port in service.ports) if service is not None else ()
            if service is not None:
                self._numbered[owner] = new
            removed |= dict.fromkeys(text for text in old if text not in new)
            added |= dict.fromkeys(text for text in new if text not in old)
            unused.update(self._identified.pop(owner, ()))
            if service is not None and service.session_affinity == "ClientIP":
                self._identified[owner] = tuple(self._endpoint_texts(cluster, service))
                used.update(self._identified[owner])
        before = {text for text in {*unused, *used} if self._uses[text]}
        self._uses.subtract(unused)
        self._uses.update(used)
        after = {text for text in {*unused, *used} if self._uses[text] > 0}
        renumbered = self._numbers.update(removed, added)
        return self._ids.update(sorted(before - after), sorted(after - before)) or renumbered

    def _endpoint_texts(self, cluster: Cluster, service: Service) -> Iterator[str]:
        for port in service.ports:
            for family in self._families_of(service):
                for endpoint in endpoints(cluster, service, port, family):
                    yield _endpoint_text(endpoint, port)

    def _families_of(self, service: Service) -> list[int]:
        return [address.version for address in service.cluster_ips if address.version in self._families]

    # --- the elements of one Service ---------------------------------------------------------------------------------

    def _part(self, cluster: Cluster, service: Service) -> _Part:
        everywhere: dict[_Place, Element] = {}
        nodes: dict[str, dict[_Place, Element]] = {}
        if service.session_affinity == "ClientIP":
            everywhere[f"{TIMEOUT_FACT}{service.affinity_timeout}", (service.affinity_timeout,)] = Element()
        families = self._families_of(service)
        for address in service.cluster_ips:
            everywhere[f"service_addresses{address.version}", (address,)] = Element(comment=service.meta.key)
        for port in service.ports:
            number = self._numbers[_port_text(service, port)]
            comment = f"{service.meta.key} {port.port}/{port.protocol}"
            for place, mark in _marks(service, port, number, families):
                everywhere.setdefault(place, Element((mark,), comment))
            if service.session_affinity == "ClientIP":
                everywhere["service_timeouts", (number,)] = Element((service.affinity_timeout,), comment)
            for f in families:
                for source in _collapsed(service.source_ranges, f):
                    everywhere[f"service_sources{f}", (number, source)] = Element(comment=comment)
                local = "Local" in (service.internal_traffic_policy, _external_policy(service))
                if local or self._differs(cluster, service, port, f):
                    for name in self._nodes:
                        of_node = nodes.setdefault(name, {})
                        of_node.update(self._lists(cluster, service, port, f, name, number, local=local))
                else:
                    name = self._nodes[0]
                    everywhere.update(self._lists(cluster, service, port, f, name, number, local=False))
                for endpoint in endpoints(cluster, service, port, f):
                    key = (endpoint.address, endpoint.address)
                    everywhere[f"service_hairpins{f}", key] = Element(comment=listing([_name(endpoint)]))
        return _Part(everywhere, nodes)

    @staticmethod
    def _differs(cluster: Cluster, service: Service, port: ServicePort, family: int) -> bool:
        """Say whether nodes may use different endpoints without traffic policy Local."""
        if service.traffic_distribution:
            return True
        return any(e.zone_hints or e.node_hints for e in endpoints(cluster, service, port, family))

    def _lists(
        self, cluster: Cluster, service: Service, port: ServicePort, f: int, node: str, number: int, *, local: bool
    ) -> dict[_Place, Element]:
        """Return a port's lists of endpoints on a node: the count of each list, and its endpoints by index."""
        of_node = node_endpoints(cluster, service, port, f, node)
        comment = f"{service.meta.key} {port.port}/{port.protocol}"
        elements: dict[_Place, Element] = {}
        lists = [(number, of_node.cluster, comment)]
        if local and (of_node.anywhere or of_node.local):
            # Without a count the node rejects. With a count of 0 it drops, as traffic policy Local demands.
            counts = f"service_counts{f}", (number | LOCAL_LIST,)
            elements[counts] = Element((len(of_node.local),), f"{comment} on this node")
            lists.append((number | LOCAL_LIST, of_node.local, comment))
        for key, members, text in lists:
            if not members:
                continue
            elements.setdefault((f"service_counts{f}", (key,)), Element((len(members),), text))
            elements[f"{MOST_FACT}{_rounded(len(members))}", (key,)] = Element()
            for index, endpoint in enumerate(members):
                element = Element((endpoint.address, endpoint.port), listing([f"{_name(endpoint)} for {text}"]))
                elements[f"service_endpoints{f}", (index, key)] = element
                if service.session_affinity == "ClientIP":
                    id_ = self._ids[_endpoint_text(endpoint, port)] | ENDPOINT_ID
                    elements[f"service_endpoints{f}", (id_, key)] = element
                    ids = f"affinity_ids{f}", (endpoint.address, port.protocol.lower(), endpoint.port)
                    elements[ids] = Element((id_,), listing([_name(endpoint)]))
        return elements


def _marks(service: Service, port: ServicePort, number: int, families: Iterable[int]) -> Iterator[tuple[_Place, int]]:
    """Yield the mark of a port for each of its addresses and for its nodePort."""
    mark = number | (AFFINITY if service.session_affinity == "ClientIP" else 0)
    key = (port.protocol.lower(), port.port)
    internal = mark | (LOCAL_LIST if service.internal_traffic_policy == "Local" else 0)
    for address in service.cluster_ips:
        yield (f"services{address.version}", (address, *key)), internal
    external = mark | (LOCAL_FROM_OUTSIDE if _external_policy(service) == "Local" else MASQUERADE)
    balancers = {ingress.address for ingress in service.load_balancer} if service.source_ranges else set()
    for address in outer_addresses(service):
        if address.version in families:
            ranges = SOURCE_RANGES if address in balancers else 0
            yield (f"services{address.version}", (address, *key)), external | ranges
    if port.node_port:
        for f in families:
            yield (f"node_ports{f}", (port.protocol.lower(), port.node_port)), external


def _external_policy(service: Service) -> str:
    """Return the traffic policy of all frontends but the ClusterIP; Cluster if there are none."""
    external = service.type in ("NodePort", "LoadBalancer") or service.external_ips
    return service.external_traffic_policy if external else "Cluster"


def _pods_of(layout: Layout) -> Iterator[Entry]:
    """Yield the pod networks without the addresses of nodes, which are in them in some clouds."""
    nodes = [address for node in layout.nodes for address in node.addresses]
    for network in layout.networks:
        for cidr in network.pod_cidrs:
            inside = [address for address in nodes if address.version == cidr.version and address in cidr]
            for part in parts_without(cidr, inside):
                yield Entry(f"service_pods{cidr.version}", (part,), Element(comment=network.name))


def _owner(service: Service) -> _Owner:
    return service.meta.namespace, service.meta.name


def _port_text(service: Service, port: ServicePort) -> str:
    return f"{service.meta.key} {port.protocol} {port.port}"


def _endpoint_text(endpoint: ServiceEndpoint, port: ServicePort) -> str:
    return f"{endpoint.address} {port.protocol} {endpoint.port}"


def _name(endpoint: ServiceEndpoint) -> str:
    return endpoint.pod or str(endpoint.address)


def variant(filled: Set[str]) -> Variant:
    """Return what the chains depend on, from the names of all sets that have an element."""
    most = max((int(name.removeprefix(MOST_FACT)) for name in filled if name.startswith(MOST_FACT)), default=FEWEST)
    timeouts = (int(name.removeprefix(TIMEOUT_FACT)) for name in filled if name.startswith(TIMEOUT_FACT))
    return Variant(most, tuple(sorted(timeouts)))


def _rounded(count: int) -> int:
    """Return the number of chains for a list of ``count`` endpoints: the next power of two, at least ``FEWEST``."""
    return max(FEWEST, 1 << (count - 1).bit_length())


def _changed(before: Cluster | None, after: Cluster) -> list[_Owner]:
    """Return the Services that differ or may have other endpoints, in order."""
    if before is None:
        return [_owner(service) for service in after.services]
    keys = (key.partition("/") for key in sorted(changed_services(before, after)))
    return [(namespace, name) for namespace, _, name in keys]


def _collapsed(ranges: Iterable[Prefix], family: int) -> list[Prefix]:
    """Return the ranges of a family, joined where they overlap, as the kernel refuses ranges that overlap."""
    if family == 4:
        return [*collapse_addresses(r for r in ranges if isinstance(r, IPv4Network))]
    return [*collapse_addresses(r for r in ranges if isinstance(r, IPv6Network))]
