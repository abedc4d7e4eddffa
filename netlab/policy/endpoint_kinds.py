"""Kinds of endpoints: the evaluator cannot tell endpoints of one kind apart, so they have the same verdicts.

The evaluator reads these properties of an endpoint: its attachment, the labels that some selector reads, the range
between ipBlock boundaries that its addresses are in, and its container ports.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Hashable, Iterable, Sequence
from itertools import chain

from netlab.cluster.flows import FlowSelection
from netlab.cluster.node_addresses import is_node_address
from netlab.cluster.node_sources import address_to_network, node_of
from netlab.cluster.translate import stands_for
from netlab.cluster.types import Cluster, Endpoint, Host, Pod, address_of
from netlab.objects.types import Prefix
from netlab.objects.unread import UnreadPolicy
from netlab.policy import tiers
from netlab.policy.tiers.tier import Reads

Aspect = Callable[[Endpoint], Hashable]


class EndpointKinds:
    """The kinds of all endpoints in question, numbered from 0: ``members[i]`` are the endpoints of kind i.

    ``wired``, ``named``, ``placed`` and ``served`` return the properties of an endpoint that one part of the evaluator
    reads. ``split`` divides the kinds by such a property.
    """

    def __init__(self, cluster: Cluster, questions: FlowSelection) -> None:
        # Of every tier: a tier whose policies all have no effect names them in reasons.
        reads = [tier.reads(cluster) for tier in tiers.TIERS]
        self._labels_read = _labels_read(reads, cluster.unread)
        ranges = [prefix for service in cluster.services for prefix in service.source_ranges]
        self._boundaries = {family: _boundaries(reads, ranges, family) for family in (4, 6)}
        self._cluster = cluster
        # The networks to which nodes send from other addresses than their own.
        self._chosen = [network.name for network in cluster.networks if network.traits.remote_node_source != "node"]
        self._blocks_ignore_nodes = cluster.policy.ip_block_nodes == "ignore"
        self._nodes_are_peers = any(of_tier.nodes for of_tier in reads)
        self._hosts_are_peers = any(of_tier.hosts for of_tier in reads)
        self._backends = _backends(cluster, questions)
        self._also = questions.also
        self._everyone = questions.endpoints(cluster)
        self.members = self._members((self,))

    def refine(self, others: Sequence[EndpointKinds]) -> None:
        """Number all these kinds anew, as one: no two endpoints of a kind differ in any of the clusters.

        The clusters have the same endpoints.
        """
        members = self._members((self, *others))
        for one in (self, *others):
            one.members = members

    def _members(self, of: Sequence[EndpointKinds]) -> list[tuple[Endpoint, ...]]:
        found: dict[Hashable, list[Endpoint]] = {}
        for endpoint in self._everyone:
            found.setdefault(tuple(kinds.properties(endpoint) for kinds in of), []).append(endpoint)
        return [tuple(endpoints) for endpoints in found.values()]

    def split(self, aspect: Aspect) -> list[tuple[tuple[Endpoint, ...], int]]:
        """Return, for every value of an aspect, up to two endpoints with it and the set of their kinds."""
        sets: dict[Hashable, int] = {}
        examples: dict[Hashable, tuple[Endpoint, ...]] = {}
        for number, endpoints in enumerate(self.members):
            value = aspect(endpoints[0])
            sets[value] = sets.get(value, 0) | 1 << number
            examples[value] = (*examples.get(value, ()), *endpoints[:2])[:2]
        return [(examples[value], found) for value, found in sets.items()]

    def wired(self, endpoint: Endpoint) -> Hashable:
        """Return what ``cluster.paths`` reads."""
        families = tuple(address.version for address in endpoint.addresses)
        if isinstance(endpoint, Pod):
            return "Pod", endpoint.attachment, endpoint.network, endpoint.node, families
        return type(endpoint).__name__, node_of(endpoint), families

    def named(self, endpoint: Endpoint) -> Hashable:
        """Return what the selectors of policies and peers read."""
        if isinstance(endpoint, Pod) and endpoint.selectable:
            read = tuple((key, endpoint.labels[key]) for key in self._labels_read if key in endpoint.labels)
            return endpoint.namespace, read
        if self._hosts_are_peers and isinstance(endpoint, Host):
            # Hosts of one name may have addresses of different families, and an example has to stand for all.
            return "Host", endpoint.hostnames, tuple(address.version for address in endpoint.addresses)
        return type(endpoint).__name__, node_of(endpoint) if self._nodes_are_peers else None

    def placed(self, endpoint: Endpoint, family: int) -> Hashable:
        """Return what ipBlocks of an IP family read; None if the endpoint has no address of the family."""
        address = address_of(endpoint, family)
        if address is None:
            return None
        pod = isinstance(endpoint, Pod) and endpoint.selectable
        node = self._blocks_ignore_nodes and is_node_address(self._cluster, address)
        place = bisect_right(self._boundaries[family], int(address))
        return (place, pod, node, self._places_as_source(endpoint, family)) if self._chosen else (place, pod, node)

    def _places_as_source(self, endpoint: Endpoint, family: int) -> Hashable:
        """Return, by network, the place of an endpoint's address as pods of other nodes see it.

        Where it is not its own, it is the address, as reasons name that.
        """
        seen = (address_to_network(self._cluster, endpoint, network, family) for network in self._chosen)
        own = endpoint.addresses
        return tuple(a if a is None or a not in own else bisect_right(self._boundaries[family], int(a)) for a in seen)

    def comes_as(self, endpoint: Endpoint) -> Hashable:
        """Return what reasons name: the addresses of a node as pods of other nodes see it, where they are chosen."""
        if not self._chosen or node_of(endpoint) is None:
            return ()
        networks = self._chosen
        return tuple(address_to_network(self._cluster, endpoint, one, family) for one in networks for family in (4, 6))

    def served(self, endpoint: Endpoint) -> Hashable:
        """Return what the ports of rules read; the default questions are about these ports too."""
        if not isinstance(endpoint, Pod):
            return ()
        return endpoint.selectable, tuple((port.name, port.protocol, port.port) for port in endpoint.ports)

    def properties(self, endpoint: Endpoint) -> Hashable:
        """Return everything that the evaluator reads."""
        # A backend of a translated destination may reach itself through it, which no other pod does.
        backend = endpoint.ref in self._backends
        return (
            self.wired(endpoint),
            self.named(endpoint),
            *(self.placed(endpoint, family) for family in (4, 6)),
            self.served(endpoint),
            self._also.get(endpoint.ref, ()),
            endpoint.ref if backend else "",
        )


def _backends(cluster: Cluster, questions: FlowSelection) -> frozenset[str]:
    """Return the names of all backends of the destinations in question."""
    found: set[str] = set()
    families = questions.families_in(cluster)
    if cluster.policy.hairpin != "subject":
        for asked in questions.service_questions(cluster):
            from netlab.cluster.translate.services import service_target

            of = service_target(cluster, asked.service, asked.family, asked.protocol, asked.port)
            found.update(backend.name for backend in of.backends)
    for destination in questions.endpoints(cluster):
        if isinstance(destination, Pod) and not destination.host_network:
            continue
        for family in families:
            address = address_of(destination, family)
            for protocol, port in questions.ports_for(destination):
                target = stands_for(cluster, destination, address, protocol, port)
                if target is not None:
                    found.update(backend.name for backend in target.backends)
    return frozenset(found)


def _labels_read(reads: Iterable[Reads], unread: Iterable[UnreadPolicy]) -> list[str]:
    """Return the keys of the pod labels that selectors read, sorted."""
    selectors = [selector for of_tier in reads for selector in of_tier.pods]
    selectors += [subject.pods for policy in unread for subject in policy.subjects]
    keys = {key for selector in selectors for key, _ in selector.match_labels}
    keys |= {requirement.key for selector in selectors for requirement in selector.match_expressions}
    return sorted(keys)


def _boundaries(reads: Iterable[Reads], ranges: Iterable[Prefix], family: int) -> list[int]:
    """Return the first address of each range of policies and of ``ranges``, and the address after its end, sorted."""
    every = chain(ranges, (prefix for of_tier in reads for prefix in of_tier.prefixes))
    prefixes = {prefix for prefix in every if prefix.version == family}
    return sorted({at for p in prefixes for at in (int(p.network_address), int(p.broadcast_address) + 1)})
