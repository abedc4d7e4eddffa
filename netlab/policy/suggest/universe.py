"""All that today's policies tell apart: endpoints, addresses outside of the cluster, and ports.

Each item stands for all endpoints, or addresses, that the policies cannot tell apart. Sets of items are integers
(``bitsets``). An IP family has items of its own, as a peer may match an address of one family only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from typing import NamedTuple

from netlab.cluster.types import Cluster, Endpoint, Pod
from netlab.objects.policies import NetworkPolicy, Peer, PolicyPort, Rule
from netlab.objects.types import DIRECTIONS, LAST_PORT, Address, Direction
from netlab.policy.bitsets import transpose
from netlab.policy.matching import peer_mismatch_text, ports_mismatch_text
from netlab.policy.tiers import tier_of

Port = tuple[str, int | None]
"""A protocol and a port; None for ICMP."""


class Item(NamedTuple):
    """An endpoint with one of its addresses, or an address that no endpoint has."""

    endpoint: Endpoint | None
    address: Address


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
        for endpoint, address in self._addresses():
            item = Item(endpoint, address)
            matched = tuple(not peer_mismatch_text(cluster, *pair, *item) for pair in peers.values())
            pod = endpoint if isinstance(endpoint, Pod) and endpoint.selectable else None
            own = (selecting[pod.ref], tuple((p.name, p.protocol, p.port) for p in pod.ports)) if pod else None
            found.setdefault((own, matched), item)
            if pod is not None:
                for direction in DIRECTIONS:
                    if accepts_by_tier(cluster, pod, direction):
                        accepting[direction].add((own, matched))
        self.items = tuple(found.values())
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
        return tuple(
            at
            for at, policy in enumerate(self.policies)
            if pod.selectable and policy.meta.namespace == pod.namespace and policy.pod_selector.matches(pod.labels)
        )

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
                self._masks[key] = sum(
                    1 << number
                    for number, item in enumerate(self.items)
                    if not peer_mismatch_text(self.cluster, policy, peer, *item)
                )
            found |= self._masks[key]
        return found

    def opened(
        self, policy: NetworkPolicy, direction: Direction, peers: Sequence[Peer], ports: tuple[PolicyPort, ...]
    ) -> dict[tuple[int, Port], int]:
        """Return what a rule of a policy opens, by subject and port."""
        at = self.place[id(policy)]
        subjects = [number for number, of in self.isolating[direction].items() if at in of]
        mask, rule = self.mask(policy, peers), Rule(ports=ports)
        found: dict[tuple[int, Port], int] = {}
        named = direction == "egress" and any(isinstance(item.port, str) for item in ports)
        for asked in self.ports:
            if direction == "ingress":
                for number in subjects:
                    if not ports_mismatch_text(rule, self.subjects[number], *asked):
                        found[number, asked] = mask
                continue
            opened = mask if named else mask if not ports_mismatch_text(rule, None, *asked) else 0
            if named:
                opened &= sum(
                    1 << number
                    for number, item in enumerate(self.items)
                    if not ports_mismatch_text(rule, item.endpoint, *asked)
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
