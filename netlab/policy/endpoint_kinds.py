"""Endpoints of one kind: those between which nothing that the evaluator looks at makes a difference.

The evaluator sees of an endpoint how it is attached, the labels that some selector reads, between which boundaries of
ipBlocks its addresses lie, and its container ports. Whoever is the same in all of that has the same verdicts.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Hashable, Iterable

from netlab.cluster.flows import FlowSelection
from netlab.cluster.paths import node_of
from netlab.cluster.translate import stands_for
from netlab.cluster.types import Cluster, Endpoint, Pod, address_of
from netlab.objects.unread import UnreadPolicy
from netlab.policy.tiers import tiers_in_use
from netlab.policy.tiers.tier import Reads

Aspect = Callable[[Endpoint], Hashable]


class EndpointKinds:
    """The kinds of all endpoints that are asked, numbered: ``members[i]`` are the endpoints of kind i.

    The aspects ``wired``, ``named``, ``placed`` and ``served`` return what one part of the evaluator sees of an
    endpoint; ``split`` sorts the kinds by one of them.
    """

    def __init__(self, cluster: Cluster, questions: FlowSelection) -> None:
        reads = [tier.reads(cluster) for tier in tiers_in_use(cluster)]
        self._labels_read = _labels_read(reads, cluster.unread)
        self._boundaries = {family: _boundaries(reads, family) for family in (4, 6)}
        self._nodes_are_peers = any(of_tier.nodes for of_tier in reads)
        self._backends = _backends(cluster, questions)
        found: dict[Hashable, list[Endpoint]] = {}
        for endpoint in questions.endpoints(cluster):
            found.setdefault(self._all(endpoint), []).append(endpoint)
        self.members: list[tuple[Endpoint, ...]] = [tuple(endpoints) for endpoints in found.values()]

    def split(self, aspect: Aspect) -> list[tuple[tuple[Endpoint, ...], int]]:
        """Return, for every value that an aspect has, up to two endpoints that have it and the set of their kinds."""
        sets: dict[Hashable, int] = {}
        examples: dict[Hashable, tuple[Endpoint, ...]] = {}
        for number, endpoints in enumerate(self.members):
            value = aspect(endpoints[0])
            sets[value] = sets.get(value, 0) | 1 << number
            examples[value] = (*examples.get(value, ()), *endpoints[:2])[:2]
        return [(examples[value], found) for value, found in sets.items()]

    def wired(self, endpoint: Endpoint) -> Hashable:
        """What ``cluster.paths`` looks at."""
        families = tuple(address.version for address in endpoint.addresses)
        if isinstance(endpoint, Pod):
            return "Pod", endpoint.attachment, endpoint.network, endpoint.node, families
        return type(endpoint).__name__, node_of(endpoint), families

    def named(self, endpoint: Endpoint) -> Hashable:
        """What selectors look at, those of policies and those of peers."""
        if isinstance(endpoint, Pod) and endpoint.selectable:
            read = tuple((key, endpoint.labels[key]) for key in self._labels_read if key in endpoint.labels)
            return endpoint.namespace, read
        return type(endpoint).__name__, node_of(endpoint) if self._nodes_are_peers else None

    def placed(self, endpoint: Endpoint, family: int) -> Hashable:
        """What ipBlocks look at in a family; None where the endpoint has no address of it."""
        address = address_of(endpoint, family)
        if address is None:
            return None
        pod = isinstance(endpoint, Pod) and endpoint.selectable
        return bisect_right(self._boundaries[family], int(address)), pod

    def served(self, endpoint: Endpoint) -> Hashable:
        """What the ports of rules look at, and which ports are asked."""
        if not isinstance(endpoint, Pod):
            return ()
        return endpoint.selectable, tuple((port.name, port.protocol, port.port) for port in endpoint.ports)

    def _all(self, endpoint: Endpoint) -> Hashable:
        # A pod that an asked destination stands for may reach that, and itself by it, where no other pod does.
        backend = endpoint.ref in self._backends
        return (
            self.wired(endpoint),
            self.named(endpoint),
            *(self.placed(endpoint, family) for family in (4, 6)),
            self.served(endpoint),
            endpoint.ref if backend else "",
        )


def _backends(cluster: Cluster, questions: FlowSelection) -> frozenset[str]:
    """Return what the destinations that are asked stand for, where they are not themselves."""
    found: set[str] = set()
    families = questions.families_in(cluster)
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
    """Return the keys of all pod labels that selectors read."""
    selectors = [selector for of_tier in reads for selector in of_tier.pods]
    selectors += [subject.pods for policy in unread for subject in policy.subjects]
    keys = {key for selector in selectors for key, _ in selector.match_labels}
    keys |= {requirement.key for selector in selectors for requirement in selector.match_expressions}
    return sorted(keys)


def _boundaries(reads: Iterable[Reads], family: int) -> list[int]:
    """Return the addresses of a family, as numbers, at which a range of some policy begins or has just ended."""
    prefixes = {prefix for of_tier in reads for prefix in of_tier.prefixes if prefix.version == family}
    return sorted({at for p in prefixes for at in (int(p.network_address), int(p.broadcast_address) + 1)})
