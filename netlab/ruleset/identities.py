"""Identities: addresses that the same peers match have one identity.

A pod's address has the peers that select the pod, the ipBlocks that cover the address, and the numbers of the named
ports that egress rules use. An ipBlock matches pod addresses too: see the Kubernetes e2e test "should allow egress
access to server in CIDR block" and those that follow it. Any other address has the ipBlocks that cover it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from ipaddress import ip_network

from netlab.cluster.node_sources import further_addresses
from netlab.cluster.types import Cluster, Pod
from netlab.frozen import frozen, mutable
from netlab.objects.policies import IPBlock
from netlab.objects.selectors import LabelSelector
from netlab.objects.topology import TopologyPolicy
from netlab.objects.types import Address, ContainerPort, Protocol
from netlab.ruleset.cluster_change import ClusterChange, ItemChanges
from netlab.ruleset.numbers import MARK_BITS, Numbering
from netlab.ruleset.peers import DEFAULTS, NamedPort, PeerIndex, PeerKey, PodPeer, Rules, Signature, labels_read
from netlab.ruleset.ranges import Range, blocks_at, partition

_A_POD: Signature = Signature({"a pod, which no ipBlock means"})
"""Every pod has this member if ipBlocks do not match pods.

Without it a pod that no peer matches has no identity, and the chains look its address up among those of ipBlocks.
"""

Signatures = dict[Address, Signature]


@frozen
class IdentityChanges:
    """The identities before and after a change.

    ``endpoints`` has the signatures of pods by reference; of nodes too, if selectors match nodes. ``blocks`` has, by
    the text of an ipBlock, the signatures of the ranges that it covers. ``renumbered``: a signature that stays has
    another number now.
    """

    endpoints: Mapping[str, tuple[Signatures, Signatures]]
    blocks: Mapping[str, tuple[tuple[Signature, ...], tuple[Signature, ...]]]
    renumbered: bool


class Identities:
    """The identities of a cluster, which are the same on every node; ``update`` takes each change of the cluster.

    ``of`` has, by reference, the signature of every address of the pods that selectors can match. It has nodes too if
    ``host_pods_are_peers``: a node then has the peers that match its host-network pods. ``ranges`` has, by IP family,
    the partition of all addresses by the ipBlocks in use, without the addresses ``no_block_matches``. The empty
    signature has no number, as no rule refers to it.
    """

    def __init__(
        self,
        families: Iterable[int],
        *,
        blocks_match_pods: bool,
        host_pods_are_peers: bool,
        no_block_matches: Iterable[Address] = (),
        settings: TopologyPolicy = DEFAULTS,
    ) -> None:
        self.peer_index = PeerIndex(settings)
        self.of: dict[str, Signatures] = {}
        self.ranges: dict[int, tuple[Range, ...]] = dict.fromkeys(families, ())
        self._blocks_match_pods = blocks_match_pods
        self._host_pods_are_peers = host_pods_are_peers
        self._holes = tuple(dict.fromkeys(map(ip_network, no_block_matches)))
        self._scopes = _Scopes()
        self._pods: dict[str, dict[str, Pod]] = {}
        self._host_pods: dict[str, Pod] = {}
        self._texts: dict[Signature, str] = {}
        self._uses: Counter[Signature] = Counter()
        self._numbering = Numbering(MARK_BITS)

    def number(self, signature: Signature) -> int:
        """Return the number of a signature that some address has; it is the packet's mark."""
        return self._numbering[self._texts[signature]]

    def update(self, change: ClusterChange, more: ItemChanges[Rules] | None = None) -> IdentityChanges:
        """Take a change of the cluster; ``more`` are the changed policies of the tiers beside NetworkPolicy."""
        more = more or ItemChanges()
        unused, new = self.peer_index.update(
            (*change.policies.removed, *more.removed), (*change.policies.added, *more.added)
        )
        scopes = self._scopes.update(change.namespaces, self.peer_index, unused, new)
        affected = {pod.ref: pod for pod in self._affected(scopes, unused, new)}
        blocks = self._repartition(unused, new, affected)
        self.peer_index.forget(unused)
        for pod in change.pods.removed:
            (self._host_pods if pod.host_network else self._pods.get(pod.namespace, {})).pop(pod.ref, None)
            affected.pop(pod.ref, None)
        for pod in change.pods.added:
            if pod.host_network:
                self._host_pods[pod.ref] = pod
            elif pod.selectable:
                self._pods.setdefault(pod.namespace, {})[pod.ref] = pod
                affected[pod.ref] = pod
        after: dict[str, Signatures] = {pod.ref: {} for pod in change.pods.removed if pod.ref in self.of}
        after |= self._signatures(affected.values())
        if self._host_pods_are_peers:
            after |= self._nodes(change.after)
        endpoints = {ref: (self.of.get(ref, {}), now) for ref, now in after.items() if self.of.get(ref, {}) != now}
        for ref, (_, now) in endpoints.items():
            self.of[ref] = now
            if not now:
                del self.of[ref]
        return IdentityChanges(endpoints, blocks, self._count(endpoints, blocks))

    def _affected(
        self, scopes: Mapping[str, _ScopeChange], unused: Sequence[PeerKey], new: Sequence[PeerKey]
    ) -> Iterator[Pod]:
        """Yield the pods whose peers or named ports may change."""
        for namespace, changed in scopes.items():
            for pod in self._pods.get(namespace, {}).values():
                if changed.whole or any(p.pods is None or p.pods.matches(pod.labels) for p in changed.peers):
                    yield pod
        names = {key[0] for key in (*unused, *new) if isinstance(key, tuple)}
        if names:
            for pods in self._pods.values():
                yield from (pod for pod in pods.values() if any(port.name in names for port in pod.ports))

    def _repartition(
        self, unused: Sequence[PeerKey], new: Sequence[PeerKey], affected: dict[str, Pod]
    ) -> dict[str, tuple[tuple[Signature, ...], tuple[Signature, ...]]]:
        """Update ``ranges`` if ipBlocks change; add the pods that these ipBlocks cover to ``affected``."""
        known = self.peer_index.blocks
        changed = [known[key] for key in (*unused, *new) if isinstance(key, str) and key in known]
        if not changed:
            return {}
        before = _signatures_by_block(self.ranges)
        whole = self.peer_index.whole
        used = {t: block if t in whole else self._with_holes(block) for t, block in known.items() if t not in unused}
        self.ranges = {family: partition(used, family) for family in self.ranges}
        after = _signatures_by_block(self.ranges)
        if self._blocks_match_pods or whole:
            for pods in self._pods.values():
                affected |= {r: p for r, p in pods.items() if any(b.contains(a) for b in changed for a in p.addresses)}
        texts = {**before, **after}
        return {t: (before.get(t, ()), after.get(t, ())) for t in texts if before.get(t) != after.get(t)}

    def _with_holes(self, block: IPBlock) -> IPBlock:
        """Return an ipBlock without the addresses that no ipBlock matches."""
        cidr = block.cidr
        holes = [hole for hole in self._holes if hole.version == cidr.version and hole.network_address in cidr]
        return replace(block, excepts=(*block.excepts, *holes)) if holes else block

    def _signatures(self, pods: Iterable[Pod]) -> dict[str, Signatures]:
        """Return the signatures of pods. Pods with the same labels, as far as selectors read them, are matched once."""
        matched: dict[object, Signature] = {}
        ports = self.peer_index.ports
        found: dict[str, Signatures] = {}
        for pod in pods:
            alike = (pod.namespace, labels_read(pod.labels, self.peer_index.keys))
            if alike not in matched:
                matched[alike] = self._scopes.matching(pod)
            peers = matched[alike]
            if ports:
                peers |= {
                    NamedPort(name, protocol, number)
                    for name, protocol in ports
                    if (number := named_port(pod.ports, name, protocol)) is not None
                }
            found[pod.ref] = {a: peers | self._blocks_at(a) for a in pod.addresses}
        return found

    def _blocks_at(self, address: Address) -> Signature:
        """Return the ipBlocks and networks that match the address of a pod."""
        found = blocks_at(self.ranges.get(address.version, ()), address)
        return found if self._blocks_match_pods else _A_POD | (found & self.peer_index.whole)

    def _nodes(self, cluster: Cluster) -> dict[str, Signatures]:
        """Return the signatures of the nodes with host-network pods; nodes that lost their last one have none."""
        found: dict[str, Signatures] = {node.ref: {} for node in cluster.nodes if node.ref in self.of}
        for pod in self._host_pods.values():
            peers = self._scopes.matching(pod) - self.peer_index.whole
            node = cluster.node(pod.node)
            signatures = found.setdefault(node.ref, {})
            for a in (*pod.addresses, *further_addresses(cluster.networks, node)):
                signatures[a] = signatures.get(a, blocks_at(self.ranges.get(a.version, ()), a)) | peers
        return found

    def _count(
        self,
        endpoints: Mapping[str, tuple[Signatures, Signatures]],
        blocks: Mapping[str, tuple[tuple[Signature, ...], tuple[Signature, ...]]],
    ) -> bool:
        """Count the uses of signatures and number new ones; say whether a signature that stays has another number."""
        touched: dict[Signature, None] = {}
        for old, now in (*((o.values(), n.values()) for o, n in endpoints.values()), *blocks.values()):
            self._uses.subtract(old)
            self._uses.update(now)
            touched |= dict.fromkeys((*old, *now))
        touched.pop(Signature(), None)
        removed = {s: self._texts.pop(s) for s in touched if not self._uses[s] and s in self._texts}
        for signature in removed:
            del self._uses[signature]
        added = {s: "\n".join(sorted(map(str, s))) for s in touched if self._uses[s] and s not in self._texts}
        self._texts |= added
        return self._numbering.update(removed.values(), added.values())


def named_port(ports: tuple[ContainerPort, ...], name: str, protocol: Protocol) -> int | None:
    """Return the number of the first container port with this name and protocol; None without such a port."""
    return next((p.port for p in ports if p.name == name and p.protocol == protocol), None)


def _signatures_by_block(ranges: Mapping[int, tuple[Range, ...]]) -> dict[str, tuple[Signature, ...]]:
    """Return, by the text of every ipBlock, the signatures of the ranges that it covers.

    Both are ordered: comments list ipBlocks in this order, and the order of a set differs from run to run.
    """
    found: dict[str, dict[Signature, None]] = {}
    for signature in dict.fromkeys(Signature(r.blocks) for of in ranges.values() for r in of):
        for text in signature:
            found.setdefault(str(text), {})[signature] = None
    return {text: tuple(found[text]) for text in sorted(found)}


@mutable
class _ScopeChange:
    """The change of the peers whose scope a namespace is in: all of them (``whole``), or some."""

    whole: bool
    peers: list[PodPeer]


class _Scopes:
    """The peers by namespace: a peer's scope is the namespaces with some labels, or the policy's own namespace."""

    def __init__(self) -> None:
        self._labels: dict[str, Mapping[str, str]] = {}
        self._peers: dict[str, dict[str, PodPeer]] = {}
        # Peers by namespaceSelector, or by the policy's namespace: each selector is matched once.
        self._by_selector: dict[LabelSelector, dict[str, PodPeer]] = {}
        self._by_namespace: dict[str, dict[str, PodPeer]] = {}

    def update(
        self,
        namespaces: Mapping[str, Mapping[str, str] | None],
        peer_index: PeerIndex,
        unused: Sequence[PeerKey],
        new: Sequence[PeerKey],
    ) -> dict[str, _ScopeChange]:
        """Take a change of namespaces (by name, the labels; None if removed) and peers; return the change of each."""
        changed: dict[str, _ScopeChange] = {}
        for keys, added in ((unused, False), (new, True)):
            groups: dict[LabelSelector | str, dict[str, PodPeer]] = {}
            for key in keys:
                if isinstance(key, str) and (peer := peer_index.pods.get(key)) is not None:
                    group = peer.namespace if peer.namespaces is None else peer.namespaces
                    groups.setdefault(group, {})[key] = peer
            for group, peers in groups.items():
                self._update_group(group, peers, added=added)
                for name in self._within(next(iter(peers.values()))):
                    changed.setdefault(name, _ScopeChange(False, [])).peers.extend(peers.values())
                    _update(self._peers.setdefault(name, {}), peers, added=added)
        for name, labels in namespaces.items():
            changed[name] = _ScopeChange(True, [])
            self._peers.pop(name, None)
            self._labels.pop(name, None)
            if labels is not None:
                self._labels[name] = labels
                self._peers[name] = self._scope(name, labels)
        return changed

    def matching(self, pod: Pod) -> Signature:
        """Return the texts of the peers that match a pod by its namespace and labels."""
        scope = self._peers.get(pod.namespace, {})
        return Signature(t for t, peer in scope.items() if peer.pods is None or peer.pods.matches(pod.labels))

    def _update_group(self, group: LabelSelector | str, peers: dict[str, PodPeer], *, added: bool) -> None:
        if isinstance(group, str):
            _update(self._by_namespace.setdefault(group, {}), peers, added=added)
            return
        kept = self._by_selector.setdefault(group, {})
        _update(kept, peers, added=added)
        if not kept:
            del self._by_selector[group]

    def _within(self, peer: PodPeer) -> list[str]:
        """Return the namespaces in a peer's scope."""
        candidates = self._labels if peer.namespaces is not None else {peer.namespace} & self._labels.keys()
        return [name for name in candidates if peer.admits(name, self._labels[name])]

    def _scope(self, name: str, labels: Mapping[str, str]) -> dict[str, PodPeer]:
        found = dict(self._by_namespace.get(name, {}))
        for peers in self._by_selector.values():
            if next(iter(peers.values())).admits(name, labels):
                found |= peers
        return found


def _update(kept: dict[str, PodPeer], peers: Mapping[str, PodPeer], *, added: bool) -> None:
    if added:
        kept |= peers
    else:
        for text in peers:
            kept.pop(text, None)
