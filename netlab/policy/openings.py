"""What one side of a pod admits: pods, also those that do not exist yet, and addresses; and on which ports.

A side is the ingress or the egress of a pod. It admits a flow of a pod if one of ``pods`` has the pod's labels, or if
one of ``addresses`` has its address. So the openings hold for every pod and address that may come. They are the rules
of all policies that select the pod, united: the same peers are one opening, and what a wider opening has is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from netlab.cluster.types import Cluster, Pod
from netlab.frozen import frozen
from netlab.objects.policies import NetworkPolicy, Peer
from netlab.objects.types import Direction
from netlab.policy.address_sets import ALL_ADDRESSES, AddressSet, of_block
from netlab.policy.decision import Match
from netlab.policy.isolating import isolating
from netlab.policy.matching import ANY_PEER
from netlab.policy.pod_peers import EVERY_POD, PodPeers, WiderPeers, peers_of
from netlab.policy.port_sets import EVERY_PORT, ICMP_ONLY, PortSet, ports_of


@frozen
class PodOpening:
    """Pods that a side admits on some ports, and the rules that do."""

    peers: PodPeers
    ports: PortSet
    rules: tuple[Match, ...] = ()


@frozen
class AddressOpening:
    """Addresses that a side admits on some ports, and the rules that do. No two openings of a side share an address."""

    addresses: AddressSet
    ports: PortSet
    rules: tuple[Match, ...] = ()


@frozen
class Openings:
    """What a side admits. ``policies`` are those that isolate it; if there are none, it admits everything."""

    policies: tuple[NetworkPolicy, ...]
    pods: tuple[PodOpening, ...]
    addresses: tuple[AddressOpening, ...]

    @property
    def isolated(self) -> bool:
        """Whether some policy isolates the side."""
        return bool(self.policies)


def ports_to(cluster: Cluster, found: Openings, destination: Pod) -> PortSet:
    """Return the ports of a pod that an egress side admits."""
    space = cluster.namespaces[destination.namespace]
    ports = PortSet()
    if destination.selectable:
        for one in found.pods:
            if one.peers.has(space, destination.labels):
                ports |= one.ports.at(destination)
    if cluster.policy.ip_block_pods != "ignore" or not destination.selectable:
        for of in found.addresses:
            if any(address in of.addresses for address in destination.addresses):
                ports |= of.ports.at(destination)
    return ports


UNPROTECTED = Openings((), (PodOpening(EVERY_POD, EVERY_PORT),), (AddressOpening(ALL_ADDRESSES, EVERY_PORT),))


def openings(cluster: Cluster, pod: Pod, direction: Direction) -> Openings:
    """Return what one side of a pod admits; pods with the same policies and ports share the value."""
    policies = isolating(cluster, pod, direction)
    if not policies:
        return UNPROTECTED
    known: dict[tuple[object, ...], Openings] = cluster.memo.setdefault("policy.openings", {})
    ports = pod.ports if direction == "ingress" else ()
    named = tuple((port.name, port.protocol, port.port) for port in ports if port.name)
    key = (direction, tuple(map(id, policies)), named)
    found = known.get(key)
    if found is None:
        found = known[key] = _openings(cluster, pod, direction, policies)
    return found


def _openings(cluster: Cluster, pod: Pod, direction: Direction, policies: tuple[NetworkPolicy, ...]) -> Openings:
    by_peers: dict[PodPeers, tuple[PortSet, list[Match]]] = {}
    by_ports: dict[PortSet, tuple[AddressSet, list[Match]]] = {}

    def add_pods(peers: PodPeers, ports: PortSet, rule: Match) -> None:
        before, rules = by_peers.setdefault(peers, (PortSet(), []))
        rules.append(rule)
        by_peers[peers] = (before | ports, rules)

    def add_addresses(addresses: AddressSet, ports: PortSet, rule: Match) -> None:
        before, rules = by_ports.setdefault(ports, (AddressSet(), []))
        rules.append(rule)
        by_ports[ports] = (before | addresses, rules)

    for policy in policies:
        for rule in policy.rules(direction):
            ports = ports_of(rule.ports, pod if direction == "ingress" else None)
            if not ports:
                continue
            if not rule.peers:
                add_pods(EVERY_POD, ports, Match(policy, rule, ANY_PEER))
                add_addresses(ALL_ADDRESSES, ports, Match(policy, rule, ANY_PEER))
            blocks = [(number, peer) for number, peer in enumerate(rule.peers) if peer.ip_block is not None]
            if blocks:
                # One union for all, as a rule may have thousands.
                add_addresses(_united(peer for _, peer in blocks), ports, Match(policy, rule, blocks[0][0]))
            for number, peer in enumerate(rule.peers):
                if peer.ip_block is None:
                    peers = peers_of(peer, policy.meta.namespace)
                    if not (peers.pods.empty or peers.namespaces.empty):
                        add_pods(peers, ports, Match(policy, rule, number))
    if cluster.policy.icmp != "rules-without-ports":
        # No policy judges ICMP.
        before, rules = by_peers.get(EVERY_POD, (PortSet(), []))
        by_peers[EVERY_POD] = (before | ICMP_ONLY, rules)
        by_ports[ICMP_ONLY] = (ALL_ADDRESSES, [])
    pods = [PodOpening(peers, ports, tuple(rules)) for peers, (ports, rules) in by_peers.items()]
    addresses = [AddressOpening(of, ports, tuple(rules)) for ports, (of, rules) in by_ports.items()]
    return Openings(policies, tuple(_reduced(pods)), tuple(_disjoint(addresses)))


def _united(peers: Iterable[Peer]) -> AddressSet:
    v4: list[tuple[int, int]] = []
    v6: list[tuple[int, int]] = []
    for peer in peers:
        if peer.ip_block is not None:
            one = of_block(peer.ip_block)
            v4 += one.v4
            v6 += one.v6
    return AddressSet() | AddressSet(tuple(v4), tuple(v6))


def _reduced(found: Sequence[PodOpening]) -> list[PodOpening]:
    """Leave out of each opening the ports that a wider one has; the widest openings come first."""
    wider = WiderPeers([one.peers for one in found])
    left: list[PodOpening] = []
    for at, one in enumerate(found):
        ports = one.ports
        for number in wider.candidates(one.peers):
            other = found[number]
            if number == at or not one.peers.within(other.peers):
                continue
            # Two sets of peers that have each other's pods are written differently. The first one stays.
            if number > at and other.peers.within(one.peers):
                continue
            ports = ports - other.ports
        if ports:
            left.append(PodOpening(one.peers, ports, one.rules))
    return sorted(left, key=lambda one: (not one.peers.everything, not one.peers.every_namespace, str(one.peers)))


def _disjoint(found: Sequence[AddressOpening]) -> list[AddressOpening]:
    """Divide openings so that no two share an address, and each has all ports of its addresses."""
    parts: list[AddressOpening] = []
    for one in found:
        after: list[AddressOpening] = []
        rest = one.addresses
        for part in parts:
            both = part.addresses & rest
            if both:
                after.append(AddressOpening(both, part.ports | one.ports, (*part.rules, *one.rules)))
                rest = rest - both
            alone = part.addresses - both
            if alone:
                after.append(AddressOpening(alone, part.ports, part.rules))
        if rest:
            after.append(AddressOpening(rest, one.ports, one.rules))
        parts = after
    merged: dict[PortSet, AddressOpening] = {}
    for part in parts:
        same = merged.get(part.ports)
        if same is not None:
            rules = tuple({id(m.rule): m for m in (*same.rules, *part.rules)}.values())
            part = AddressOpening(same.addresses | part.addresses, part.ports, rules)
        merged[part.ports] = part
    return sorted(merged.values(), key=lambda one: (one.addresses.v4, one.addresses.v6))
