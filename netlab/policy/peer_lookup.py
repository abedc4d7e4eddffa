"""A lookup for rules with many peers: it finds candidates by address and label, and checks only these.

``matching.matching_peer`` is the definition. It checks every peer, which takes 16 ms per pair for 7,000 peers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from netlab.cluster.paths import node_of
from netlab.cluster.types import Cluster, Endpoint, Pod
from netlab.objects.policies import IPBlock, NetworkPolicy, Peer, Rule
from netlab.objects.types import Address
from netlab.policy import matching

MANY_PEERS = 32
"""From this number of peers on, the lookup is faster than a check of each peer."""

_Key = tuple[str, str, str]
"""A label that a peer requires: ``pod`` or ``namespace``, key and value. All are "" for a peer that requires none."""
_ANY: _Key = ("", "", "")


class PeerLookup:
    """The peers of one rule, by address and by label."""

    def __init__(self, cluster: Cluster, policy: NetworkPolicy, rule: Rule) -> None:
        self._cluster = cluster
        self._policy = policy
        # The lookup is kept by the rule's identity, so it keeps the rule alive.
        self._rule = rule
        # By IP family, then prefix length, then leading bits: the numbers of the peers with this ipBlock.
        self._blocks: dict[int, dict[int, dict[int, list[int]]]] = {4: {}, 6: {}}
        self._selectors: dict[_Key, list[int]] = {}
        self._all_selectors: list[int] = []
        self._known: dict[int, tuple[Endpoint, int | None]] = {}
        first: dict[Peer, int] = {}
        for number, peer in enumerate(rule.peers):
            first.setdefault(peer, number)
        for peer, number in first.items():
            if peer.ip_block is not None:
                self._add(number, peer.ip_block)
                continue
            self._all_selectors.append(number)
            for key in _keys(peer):
                self._selectors.setdefault(key, []).append(number)

    def first(self, other: Endpoint | None, address: Address) -> int | None:
        """Return the number of the first peer that matches, None if none does; see ``matching_peer``."""
        block = self.first_block(other, address)
        selector = None if other is None else self.first_selector(other, address)
        return min((number for number in (block, selector) if number is not None), default=None)

    def first_block(self, other: Endpoint | None, address: Address) -> int | None:
        """Return the number of the first ipBlock that matches, None if none does."""
        value, bits = int(address), address.max_prefixlen
        candidates = (
            number
            for length, by_bits in self._blocks[address.version].items()
            for number in by_bits.get(value >> (bits - length), ())
        )
        return self._first(candidates, other, address)

    def first_selector(self, other: Endpoint, address: Address) -> int | None:
        """Return the number of the first peer with selectors that matches; it does not depend on the address."""
        if not self._all_selectors:
            return None
        known = self._known.get(id(other))
        if known is None:
            # The endpoint is kept too: after its end, another object could have its identity.
            known = self._known[id(other)] = (other, self._first(self._candidates(other), other, address))
        return known[1]

    def _first(self, candidates: Iterable[int], other: Endpoint | None, address: Address) -> int | None:
        peers = self._rule.peers
        return next(
            (
                number
                for number in sorted(candidates)
                if not matching.peer_mismatch_text(self._cluster, self._policy, peers[number], other, address)
            ),
            None,
        )

    def _candidates(self, other: Endpoint) -> Iterable[int]:
        if isinstance(other, Pod) and other.selectable:
            return self._with_labels(other)
        # If the Topology says so, selectors match a node by its host-network pods. They match no other endpoint.
        match_nodes = self._cluster.policy.host_network_peers == "match" and node_of(other) is not None
        return self._all_selectors if match_nodes else ()

    def _with_labels(self, pod: Pod) -> Iterator[int]:
        yield from self._selectors.get(_ANY, ())
        for owner, labels in (("pod", pod.labels), ("namespace", self._cluster.namespaces[pod.namespace])):
            for key, value in labels.items():
                yield from self._selectors.get((owner, key, value), ())

    def _add(self, number: int, block: IPBlock) -> None:
        cidr = block.cidr
        leading = int(cidr.network_address) >> (cidr.max_prefixlen - cidr.prefixlen)
        self._blocks[cidr.version].setdefault(cidr.prefixlen, {}).setdefault(leading, []).append(number)


def _keys(peer: Peer) -> list[_Key]:
    """Return labels such that every pod that the peer matches has one of them."""
    for owner, selector in (("pod", peer.pod_selector), ("namespace", peer.namespace_selector)):
        if selector is None:
            continue
        if selector.match_labels:
            return [(owner, *selector.match_labels[0])]
        for one in selector.match_expressions:
            if one.operator == "In":
                return [(owner, one.key, value) for value in dict.fromkeys(one.values)]
    return [_ANY]


def first_peer(
    cluster: Cluster, policy: NetworkPolicy, rule: Rule, other: Endpoint | None, address: Address
) -> int | None:
    """Return what ``matching_peer`` returns; a rule with many peers uses the lookup."""
    if len(rule.peers) < MANY_PEERS:
        return matching.matching_peer(cluster, policy, rule, other, address)
    return peer_lookup(cluster, policy, rule).first(other, address)


def peer_lookup(cluster: Cluster, policy: NetworkPolicy, rule: Rule) -> PeerLookup:
    """Return the lookup of a rule, which is made once for each cluster."""
    known: dict[tuple[str, int], PeerLookup] = cluster.memo.setdefault("policy.peer_lookup", {})
    key = (policy.meta.namespace, id(rule))
    found = known.get(key)
    if found is None:
        found = known[key] = PeerLookup(cluster, policy, rule)
    return found
