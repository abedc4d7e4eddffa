"""All that today's policies tell apart: endpoints, addresses outside of the cluster, and ports.

Each item stands for all endpoints, or addresses, that the policies cannot tell apart. Sets of items are integers
(``bitsets``). An IP family has items of its own, as a peer may match an address of one family only.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from functools import cached_property
from ipaddress import ip_address

from netlab.cluster.types import Cluster, Endpoint, Pod
from netlab.frozen import NamedTuple
from netlab.objects.policies import NetworkPolicy, Peer, PolicyPort, Rule
from netlab.objects.types import DIRECTIONS, LAST_PORT, Address, Direction, Prefix
from netlab.policy.bitsets import members, set_of, transpose
from netlab.policy.label_index import LabelIndex, SelectorIndex
from netlab.policy.matched_pods import namespaces_matched
from netlab.policy.matching import peer_mismatch_text, ports_match
from netlab.policy.tiers import tier_of

Port = tuple[str, int | None]
"""A protocol and a port; None for ICMP."""


class Item(NamedTuple):
    """An endpoint with one of its addresses, or an address that no endpoint has."""

    endpoint: Endpoint | None
    address: Address


class _Ends:
    """Finds which items a peer matches, without a comparison of each peer with each item."""

    def __init__(self, cluster: Cluster, items: Sequence[Item]) -> None:
        self._cluster = cluster
        self._items = items
        pods = [one.endpoint if isinstance(one.endpoint, Pod) else None for one in items]
        self._labels = LabelIndex([pod.labels if pod is not None else {} for pod in pods])
        numbers: dict[str, list[int]] = {}
        for number, pod in enumerate(pods):
            if pod is not None and pod.selectable:
                numbers.setdefault(pod.namespace, []).append(number)
        self._spaces = {name: set_of(found, len(items)) for name, found in numbers.items()}
        # Where nodes match by their host-network pods, the other endpoints are compared one by one.
        match = cluster.policy.host_network_peers == "match"
        self._others = [
            n for n, (one, pod) in enumerate(zip(items, pods, strict=True)) if match and not (pod and pod.selectable)
        ]
        self._by_address = sorted(range(len(items)), key=lambda number: int(items[number].address))
        self._addresses = [int(items[number].address) for number in self._by_address]

    def matching(self, policy: NetworkPolicy, peer: Peer) -> int:
        """Return the set of the items that a peer matches; all items are of one IP family."""
        if peer.ip_block is None:
            found = 0
            for name in namespaces_matched(self._cluster, policy, peer):
                found |= self._spaces.get(name, 0)
            found &= -1 if peer.pod_selector is None else self._labels.matching(peer.pod_selector)
            return found | self._one_by_one(policy, peer, self._others)
        if "ignore" in (self._cluster.policy.ip_block_pods, self._cluster.policy.ip_block_nodes):
            return self._one_by_one(policy, peer, range(len(self._items)))
        found = self._inside(peer.ip_block.cidr)
        for one in peer.ip_block.excepts if found else ():
            found &= ~self._inside(one)
        return found

    def _inside(self, prefix: Prefix) -> int:
        if not self._items or prefix.version != self._items[0].address.version:
            return 0
        first = bisect_left(self._addresses, int(prefix.network_address))
        end = bisect_right(self._addresses, int(prefix.broadcast_address))
        return set_of(self._by_address[first:end], len(self._items)) if first < end else 0

    def _one_by_one(self, policy: NetworkPolicy, peer: Peer, numbers: Sequence[int]) -> int:
        matching = (n for n in numbers if not peer_mismatch_text(self._cluster, policy, peer, *self._items[n]))
        return set_of(matching, len(self._items)) if numbers else 0


class Universe:
    """The items and ports of a cluster in one IP family, and what both sides of each pod allow today.

    ``allowed[direction][subject][port]`` is the set of items at the other end that the policies of one side allow.
    ``needed`` has those of them that the other side allows too.
    """

    def __init__(self, cluster: Cluster, family: int) -> None:
        self.cluster = cluster
        self.family = family
        self.policies = cluster.policies
        self.place = {id(policy): at for at, policy in enumerate(self.policies)}
        peers = {
            (policy.meta.namespace, peer): (policy, peer)
            for policy in self.policies
            for direction in DIRECTIONS
            for rule in policy.rules(direction)
            for peer in rule.peers
        }
        selecting = {pod.ref: self._selecting(pod) for pod in cluster.pods}
        found: dict[object, Item] = {}
        accepting: dict[Direction, set[object]] = {direction: set() for direction in DIRECTIONS}
        entries = [Item(*one) for one in self._addresses()]
        ends = _Ends(cluster, entries)
        columns = transpose([ends.matching(*pair) for pair in peers.values()], len(entries))
        for item, matched in zip(entries, columns, strict=True):
            pod = item.endpoint if isinstance(item.endpoint, Pod) and item.endpoint.selectable else None
            own = (selecting[pod.ref], tuple((p.name, p.protocol, p.port) for p in pod.ports)) if pod else None
            found.setdefault((own, matched), item)
            if pod is not None:
                for direction in DIRECTIONS:
                    if accepts_by_tier(cluster, pod, direction):
                        accepting[direction].add((own, matched))
        self.items = tuple(found.values())
        self._ends = _Ends(cluster, self.items)
        # A cluster-wide policy may accept there what NetworkPolicies deny.
        self._accepting = {
            direction: {number for number, key in enumerate(found) if key in accepting[direction]}
            for direction in DIRECTIONS
        }
        self.all = (1 << len(self.items)) - 1
        self.ports = tuple(asked_ports(cluster))
        self._masks: dict[tuple[str, Peer], int] = {}
        self.subjects = {
            number: item.endpoint
            for number, item in enumerate(self.items)
            if isinstance(item.endpoint, Pod) and item.endpoint.selectable
        }
        self.isolating: dict[Direction, dict[int, tuple[int, ...]]] = {
            direction: {
                number: tuple(at for at in selecting[pod.ref] if self.policies[at].isolates(direction))
                for number, pod in self.subjects.items()
            }
            for direction in DIRECTIONS
        }
        self.allowed = {direction: self._allowed(direction) for direction in DIRECTIONS}
        self.needed = {direction: self._needed(direction) for direction in DIRECTIONS}

    def _selecting(self, pod: Pod) -> tuple[int, ...]:
        """Return the places of the policies that select a pod."""
        if not pod.selectable:
            return ()
        places, index = self._by_namespace.get(pod.namespace, ((), None))
        return tuple([places[at] for at in members(index.matching(pod.labels))]) if index is not None else ()

    @cached_property
    def _by_namespace(self) -> dict[str, tuple[list[int], SelectorIndex]]:
        """The places of the policies of each namespace, and an index of their selectors."""
        places: dict[str, list[int]] = {}
        for at, policy in enumerate(self.policies):
            places.setdefault(policy.meta.namespace, []).append(at)
        return {
            name: (found, SelectorIndex([self.policies[at].pod_selector for at in found]))
            for name, found in places.items()
        }

    @cached_property
    def _selected(self) -> dict[Direction, dict[int, list[int]]]:
        """The subjects that each policy isolates, by the place of the policy."""
        found: dict[Direction, dict[int, list[int]]] = {direction: {} for direction in DIRECTIONS}
        for direction, isolating in self.isolating.items():
            for number, of in isolating.items():
                for at in of:
                    found[direction].setdefault(at, []).append(number)
        return found

    def _addresses(self) -> Iterator[tuple[Endpoint | None, Address]]:
        """Yield endpoints with their addresses, and an address of each range outside of the cluster."""
        known = set()
        for endpoint in self.cluster.by_ref.values():
            for address in endpoint.addresses:
                if address.version == self.family:
                    known.add(address)
                    yield endpoint, address
        for address in self._boundaries():
            if address not in known:
                known.add(address)
                yield None, address

    def _boundaries(self) -> Iterator[Address]:
        last = (1 << (32 if self.family == 4 else 128)) - 1
        numbers = {0, last}
        for policy in self.policies:
            for rule in (*policy.ingress, *policy.egress):
                for peer in rule.peers:
                    block = peer.ip_block
                    if block is not None and block.cidr.version == self.family:
                        for prefix in (block.cidr, *block.excepts):
                            low, high = int(prefix[0]), int(prefix[-1])
                            numbers |= {low - 1, low, high, high + 1}
        kind = type(ip_address("0.0.0.0" if self.family == 4 else "::"))  # noqa: S104
        yield from (kind(number) for number in sorted(numbers) if 0 <= number <= last)

    def mask(self, policy: NetworkPolicy, peers: Sequence[Peer]) -> int:
        """Return the set of items that peers of a rule match."""
        if not peers:
            return self.all
        found = 0
        for peer in peers:
            key = (policy.meta.namespace, peer)
            if key not in self._masks:
                self._masks[key] = self._ends.matching(policy, peer)
            found |= self._masks[key]
        return found

    def opened(
        self, policy: NetworkPolicy, direction: Direction, peers: Sequence[Peer], ports: tuple[PolicyPort, ...]
    ) -> dict[tuple[int, Port], int]:
        """Return what a rule of a policy opens, by subject and port."""
        at = self.place[id(policy)]
        subjects = self._selected[direction].get(at, [])
        mask, rule = self.mask(policy, peers), Rule(ports=ports)
        found: dict[tuple[int, Port], int] = {}
        named = any(isinstance(item.port, str) for item in ports)
        for asked in self.ports:
            if direction == "ingress" and named:
                found.update({(n, asked): mask for n in subjects if ports_match(rule, self.subjects[n], *asked)})
                continue
            opened = mask if named or ports_match(rule, None, *asked) else 0
            if named:
                opened &= sum(
                    1 << number for number, item in enumerate(self.items) if ports_match(rule, item.endpoint, *asked)
                )
            if opened:
                found.update({(number, asked): opened for number in subjects})
        return found

    def _allowed(self, direction: Direction) -> dict[int, dict[Port, int]]:
        found = {
            number: dict.fromkeys(self.ports, 0 if self.isolating[direction][number] else self.all)
            for number in self.subjects
        }
        for policy in self.policies:
            for rule in policy.rules(direction):
                for (number, asked), opened in self.opened(policy, direction, rule.peers, rule.ports).items():
                    found[number][asked] |= opened
        return found

    def _needed(self, direction: Direction) -> dict[int, dict[Port, int]]:
        """Return what both sides allow. An end that is not a pod allows everything.

        An end allows everything too if a cluster-wide policy may accept what its NetworkPolicies deny.
        """
        other: Direction = "egress" if direction == "ingress" else "ingress"
        found: dict[int, dict[Port, int]] = {number: {} for number in self.subjects}
        for asked in self.ports:
            allowed = self.allowed[other]
            rows = [
                allowed[n][asked] if n in allowed and n not in self._accepting[other] else self.all
                for n in range(len(self.items))
            ]
            for number, of in enumerate(transpose(rows, len(self.items))):
                if number in found:
                    found[number][asked] = self.allowed[direction][number][asked] & of
        return found


def accepts_by_tier(cluster: Cluster, pod: Pod, direction: Direction) -> bool:
    """Say whether a cluster-wide policy of tier Admin that selects a pod has a rule that accepts in a direction."""
    if not cluster.cluster_policies:
        return False
    selecting = tier_of("Admin").selecting(cluster, direction, pod)
    return any(rule.action == "allow" for policy in selecting for rule in policy.rules(direction))


def tier_ports(cluster: Cluster) -> list[PolicyPort]:
    """Return the ports of the rules of cluster-wide policies."""
    return [port for one in cluster.cluster_policies for rule in (*one.ingress, *one.egress) for port in rule.ports]


def asked_ports(cluster: Cluster) -> Iterator[Port]:
    """Yield a port of each range that the policies and pods of a cluster tell apart, and ICMP."""
    numbers: dict[str, set[int]] = {protocol: {1} for protocol in ("TCP", "UDP", "SCTP")}
    for pod in cluster.pods:
        for declared in pod.ports:
            numbers[declared.protocol] |= {declared.port, declared.port + 1}
    asked = [port for policy in cluster.policies for rule in (*policy.ingress, *policy.egress) for port in rule.ports]
    for item in (*asked, *tier_ports(cluster)):
        if isinstance(item.port, int):
            numbers[item.protocol] |= {item.port, (item.end_port or item.port) + 1}
    for protocol, found in numbers.items():
        yield from ((protocol, number) for number in sorted(found) if 1 <= number <= LAST_PORT)
    yield "ICMP", None
