"""The peers of rules that have many: what could match is looked up, and only that is asked of the plain reading.

``mismatch.peers_mismatch`` is the definition. It asks peer by peer, 16 ms a pair where there are 7,000.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from netlab.cluster.paths import node_of
from netlab.cluster.types import Cluster, Endpoint, Pod
from netlab.objects.types import Address, IPBlock, NetworkPolicy, Peer, Rule
from netlab.policy import mismatch

WIDE = 32
"""Rules with as many peers are looked up; with fewer, asking each is as fast."""

_Key = tuple[str, str, str]
"""A label that what a peer matches must have: whose it is, its key and its value; empty texts where there is none."""
_ANY: _Key = ("", "", "")


class WidePeers:
    """The peers of one rule, by address and by label."""

    def __init__(self, cluster: Cluster, policy: NetworkPolicy, rule: Rule) -> None:
        self._cluster = cluster
        self._policy = policy
        # Kept, as long as these peers are found by its identity.
        self._rule = rule
        # By family and length: the peers whose ipBlock has a prefix of that length, by its leading bits.
        self._blocks: dict[int, dict[int, dict[int, list[Peer]]]] = {4: {}, 6: {}}
        self._selectors: dict[_Key, list[Peer]] = {}
        self._all_selectors: list[Peer] = []
        self._known: dict[int, tuple[Endpoint, bool]] = {}
        for peer in dict.fromkeys(rule.peers):
            if peer.ip_block is not None:
                self._add(peer, peer.ip_block)
                continue
            self._all_selectors.append(peer)
            for key in _keys(peer):
                self._selectors.setdefault(key, []).append(peer)

    def match(self, other: Endpoint | None, address: Address) -> bool:
        """Say whether a peer matches; the arguments are those of ``peers_mismatch``."""
        return self.match_block(other, address) or (other is not None and self.match_selector(other, address))

    def match_block(self, other: Endpoint | None, address: Address) -> bool:
        """Say whether a peer of an ipBlock matches."""
        value, bits = int(address), address.max_prefixlen
        return any(
            not mismatch.peer_mismatch(self._cluster, self._policy, peer, other, address)
            for length, by_bits in self._blocks[address.version].items()
            for peer in by_bits.get(value >> (bits - length), ())
        )

    def match_selector(self, other: Endpoint, address: Address) -> bool:
        """Say whether a peer of selectors matches: that does not depend on the address."""
        if not self._all_selectors:
            return False
        known = self._known.get(id(other))
        if known is None:
            # With the endpoint, as its identity is another's when it is gone.
            known = self._known[id(other)] = (other, self._matches(other, address))
        return known[1]

    def _matches(self, other: Endpoint, address: Address) -> bool:
        return any(
            not mismatch.peer_mismatch(self._cluster, self._policy, peer, other, address)
            for peer in self._candidates(other)
        )

    def _candidates(self, other: Endpoint) -> Iterable[Peer]:
        if isinstance(other, Pod) and other.selectable:
            return self._with_labels(other)
        # A node stands for its host-network pods, where the Topology says so; none else is a selector's.
        match_nodes = self._cluster.policy.host_network_peers == "match" and node_of(other) is not None
        return self._all_selectors if match_nodes else ()

    def _with_labels(self, pod: Pod) -> Iterator[Peer]:
        yield from self._selectors.get(_ANY, ())
        for whose, labels in (("pod", pod.labels), ("namespace", self._cluster.namespaces[pod.namespace])):
            for key, value in labels.items():
                yield from self._selectors.get((whose, key, value), ())

    def _add(self, peer: Peer, block: IPBlock) -> None:
        cidr = block.cidr
        leading = int(cidr.network_address) >> (cidr.max_prefixlen - cidr.prefixlen)
        self._blocks[cidr.version].setdefault(cidr.prefixlen, {}).setdefault(leading, []).append(peer)


def _keys(peer: Peer) -> list[_Key]:
    """Return labels of which everything that a peer matches has one."""
    for whose, selector in (("pod", peer.pod_selector), ("namespace", peer.namespace_selector)):
        if selector is None:
            continue
        if selector.match_labels:
            return [(whose, *selector.match_labels[0])]
        for one in selector.match_expressions:
            if one.operator == "In":
                return [(whose, one.key, value) for value in dict.fromkeys(one.values)]
    return [_ANY]


def wide_peers(cluster: Cluster, policy: NetworkPolicy, rule: Rule) -> WidePeers:
    """Return the peers of a rule of a cluster's policies, sorted once."""
    known: dict[tuple[str, int], WidePeers] = cluster.memo.setdefault("policy.wide", {})
    key = (policy.meta.namespace, id(rule))
    found = known.get(key)
    if found is None:
        found = known[key] = WidePeers(cluster, policy, rule)
    return found
