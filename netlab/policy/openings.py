"""What one side of a pod admits: which pods, also such that do not exist, which addresses, on which ports.

A side is the ingress or the egress of a pod. It admits a flow of a pod if one of ``pods`` has the pod's labels, or if
one of ``addresses`` has its address. So the openings hold for every pod and address that may come. They are the rules
of all policies that select the pod, united: the same peers are one opening, and what a wider opening has is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from netlab.cluster.types import Cluster, Endpoint, Pod
from netlab.frozen import frozen
from netlab.objects.core_v1 import NAMESPACE_LABEL
from netlab.objects.policies import NetworkPolicy, Peer
from netlab.objects.types import Address, Direction
from netlab.policy.address_sets import ALL_ADDRESSES, AddressSet, of_block
from netlab.policy.decision import Match
from netlab.policy.label_sets import ALL_LABELS, ALL_NAMESPACES, LabelSet, labels_of, namespace_named
from netlab.policy.matching import ANY_PEER
from netlab.policy.port_sets import EVERY_PORT, ICMP_ONLY, PortSet, ports_of
from netlab.policy.tiers.networkpolicy import isolating


@frozen
class PodPeers:
    """Pods by their labels, in namespaces by theirs, whether they exist or not."""

    namespaces: LabelSet
    pods: LabelSet

    @property
    def every_namespace(self) -> bool:
        """Whether they are in every namespace that may exist."""
        return ALL_NAMESPACES.within(self.namespaces)

    @property
    def everything(self) -> bool:
        """Whether they are every pod of every namespace that may exist."""
        return self.every_namespace and self.pods.everything

    @property
    def named(self) -> frozenset[str] | None:
        """The names of the namespaces, None if the labels are not names alone."""
        if not self.namespaces.without(NAMESPACE_LABEL).everything:
            return None
        return self.namespaces.condition(NAMESPACE_LABEL).only

    def within(self, other: PodPeers) -> bool:
        """Say whether the other peers have every pod of these."""
        return self.namespaces.within(other.namespaces) and self.pods.within(other.pods)

    def has(self, namespace: Mapping[str, str], labels: Mapping[str, str]) -> bool:
        """Say whether a pod with these labels, in a namespace with those, is one of them."""
        return self.namespaces.has(namespace) and self.pods.has(labels)

    def new_namespaces(self, cluster: Cluster) -> bool:
        """Say whether a namespace that does not exist can have such pods."""
        only = self.namespaces.condition(NAMESPACE_LABEL).only
        return only is None or any(name not in cluster.namespaces for name in only)

    def __str__(self) -> str:
        pods = "any pod" if self.pods.everything else f"any pod with {self.pods}"
        names = self.named
        if self.every_namespace:
            return f"{pods} in any namespace"
        if names is not None:
            return f"{pods} in namespace{'s' if len(names) > 1 else ''} {', '.join(sorted(names))}"
        spaces = self.namespaces
        if ALL_NAMESPACES.conditions[0] in spaces.conditions:
            spaces = spaces.without(NAMESPACE_LABEL)
        return f"{pods} in any namespace with {spaces}"


EVERY_POD = PodPeers(ALL_NAMESPACES, ALL_LABELS)


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

    def admits(
        self,
        other: Mapping[str, str] | None,
        namespace: Mapping[str, str],
        address: Address | None,
        protocol: str,
        port: int | None,
        destination: Endpoint | None = None,
    ) -> bool:
        """Say whether the side admits a flow of a pod with labels, or of an address; each may be None.

        ``namespace`` has the labels of the pod's namespace. ``destination`` is the flow's, for ports by name.
        """
        if other is not None and any(
            one.peers.has(namespace, other) and one.ports.has(protocol, port, destination) for one in self.pods
        ):
            return True
        return address is not None and any(
            address in one.addresses and one.ports.has(protocol, port, destination) for one in self.addresses
        )


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
        # Then no policy judges ICMP.
        before, rules = by_peers.get(EVERY_POD, (PortSet(), []))
        by_peers[EVERY_POD] = (before | ICMP_ONLY, rules)
        by_ports[ICMP_ONLY] = (ALL_ADDRESSES, [])
    pods = [PodOpening(peers, ports, tuple(rules)) for peers, (ports, rules) in by_peers.items()]
    addresses = [AddressOpening(of, ports, tuple(rules)) for ports, (of, rules) in by_ports.items()]
    return Openings(policies, tuple(_reduced(pods)), tuple(_disjoint(addresses)))


def peers_of(peer: Peer, namespace: str) -> PodPeers:
    """Return the pods that a peer with selectors means, in a policy of a namespace."""
    if peer.namespace_selector is None:
        spaces = namespace_named(namespace)
    else:
        spaces = ALL_NAMESPACES & labels_of(peer.namespace_selector)
    return PodPeers(spaces, labels_of(peer.pod_selector))


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
    wider = _Wider(found)
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


_Key = tuple[bool, str]
"""A key of labels: of the namespace, or of the pod."""


class _Wider:
    """Finds the openings that may have all pods of some peers, without a comparison of each with each.

    Peers with one value for each key are found by these values, as a policy may list thousands. All others are
    compared.
    """

    def __init__(self, found: Sequence[PodOpening]) -> None:
        self._by_values: dict[tuple[_Key, ...], dict[tuple[str, ...], list[int]]] = {}
        self._others: list[int] = []
        for number, one in enumerate(found):
            values = _single_values(one.peers)
            if values is None:
                self._others.append(number)
            else:
                self._by_values.setdefault(tuple(values), {}).setdefault(tuple(values.values()), []).append(number)

    def candidates(self, peers: PodPeers) -> Iterator[int]:
        """Yield the numbers of the openings that may have all pods of the peers."""
        yield from self._others
        own: dict[_Key, str | None] = {}
        for of_namespace, labels in ((True, peers.namespaces), (False, peers.pods)):
            for key, values in labels.conditions:
                if values.only is not None and len(values.only) == 1 and not values.absent:
                    own[of_namespace, key] = next(iter(values.only))
        for keys, by_values in self._by_values.items():
            wanted = tuple(own.get(key) for key in keys)
            yield from by_values.get(wanted, ())  # type: ignore[arg-type]


def _single_values(peers: PodPeers) -> dict[_Key, str] | None:
    """Return the value of each key that peers have conditions on; None if some condition is of another form."""
    found: dict[_Key, str] = {}
    for of_namespace, labels in ((True, peers.namespaces), (False, peers.pods)):
        for key, values in labels.conditions:
            if of_namespace and (key, values) == ALL_NAMESPACES.conditions[0]:
                continue
            if values.only is None or len(values.only) != 1 or values.absent:
                return None
            found[of_namespace, key] = next(iter(values.only))
    return found


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
