"""Identities: what an address is to the policies. Addresses that the same peers match share one.

Pods: the peers that select them, the ipBlocks that cover the address (an ipBlock matches pod addresses too: the
Kubernetes e2e cases "allow egress access to server in CIDR block" and following) and the numbers behind the named
ports that egress rules use. All other addresses: the ipBlocks that cover them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from netlab.cluster.types import Cluster, Pod
from netlab.frozen import frozen
from netlab.objects.selectors import LabelSelector
from netlab.objects.types import Address, ContainerPort, Protocol
from netlab.ruleset.change import Change, Exchange
from netlab.ruleset.numbers import MARK_BITS, Numbering
from netlab.ruleset.peers import NamedPort, PodPeer, Rules, Signature, Vocabulary, Word, labels_read
from netlab.ruleset.ranges import Range, blocks_at, partition

_A_POD: Signature = Signature({"a pod, which no ipBlock means"})
"""Where ipBlocks do not mean pods every pod has an identity, lest its address be looked up among the ipBlocks'."""

Signatures = dict[Address, Signature]


@frozen
class Moved:
    """What a change did to identities: by reference, the signatures that an endpoint had and has.

    Pods and (where selectors mean them) nodes have references, and ipBlocks have their texts: they carry the signatures
    of the ranges that they cover. ``renumbered`` says that some signature which stays has another number now.
    """

    endpoints: Mapping[str, tuple[Signatures, Signatures]]
    blocks: Mapping[str, tuple[tuple[Signature, ...], tuple[Signature, ...]]]
    renumbered: bool


class Identities:
    """The identities of a cluster, the same on every node, kept up to date change by change.

    ``of`` has the signature of every address of the pods that selectors can mean, by reference; and those of the nodes
    that they mean by their host-network pods, where they do. ``ranges`` is, per family, the partition of the address
    space by the ipBlocks in use. The empty signature, which no rule can mean, has no number.
    """

    def __init__(self, families: Iterable[int], *, blocks_mean_pods: bool, host_pods_are_meant: bool) -> None:
        self.vocabulary = Vocabulary()
        self.of: dict[str, Signatures] = {}
        self.ranges: dict[int, tuple[Range, ...]] = dict.fromkeys(families, ())
        self._blocks_mean_pods = blocks_mean_pods
        self._host_pods_are_meant = host_pods_are_meant
        self._scopes = _Scopes()
        self._pods: dict[str, dict[str, Pod]] = {}
        self._host_pods: dict[str, Pod] = {}
        self._texts: dict[Signature, str] = {}
        self._uses: Counter[Signature] = Counter()
        self._numbering = Numbering(MARK_BITS)

    def number(self, signature: Signature) -> int:
        """Return the mark of a signature that some address has."""
        return self._numbering[self._texts[signature]]

    def change(self, change: Change, more: Exchange[Rules] | None = None) -> Moved:
        """Follow a change; ``more`` are the policies of tiers that go and come with it."""
        more = more or Exchange()
        dead, new = self.vocabulary.change((*change.policies.gone, *more.gone), (*change.policies.come, *more.come))
        scopes = self._scopes.change(change.namespaces, self.vocabulary, dead, new)
        dirty = {pod.ref: pod for pod in self._affected(scopes, dead, new)}
        blocks = self._repartition(dead, new, dirty)
        self.vocabulary.forget(dead)
        for pod in change.pods.gone:
            (self._host_pods if pod.host_network else self._pods.get(pod.namespace, {})).pop(pod.ref, None)
            dirty.pop(pod.ref, None)
        for pod in change.pods.come:
            if pod.host_network:
                self._host_pods[pod.ref] = pod
            elif pod.selectable:
                self._pods.setdefault(pod.namespace, {})[pod.ref] = pod
                dirty[pod.ref] = pod
        after: dict[str, Signatures] = {pod.ref: {} for pod in change.pods.gone if pod.ref in self.of}
        after |= self._signatures(dirty.values())
        if self._host_pods_are_meant:
            after |= self._nodes(change.after)
        endpoints = {ref: (self.of.get(ref, {}), now) for ref, now in after.items() if self.of.get(ref, {}) != now}
        for ref, (_, now) in endpoints.items():
            self.of[ref] = now
            if not now:
                del self.of[ref]
        return Moved(endpoints, blocks, self._count(endpoints, blocks))

    def _affected(self, scopes: Mapping[str, _Scope], dead: Sequence[Word], new: Sequence[Word]) -> Iterator[Pod]:
        """Yield the pods that peers and named ports which come or go may mean."""
        for namespace, changed in scopes.items():
            for pod in self._pods.get(namespace, {}).values():
                if changed.whole or any(p.pods is None or p.pods.matches(pod.labels) for p in changed.peers):
                    yield pod
        names = {word[0] for word in (*dead, *new) if isinstance(word, tuple)}
        if names:
            for pods in self._pods.values():
                yield from (pod for pod in pods.values() if any(port.name in names for port in pod.ports))

    def _repartition(
        self, dead: Sequence[Word], new: Sequence[Word], dirty: dict[str, Pod]
    ) -> dict[str, tuple[tuple[Signature, ...], tuple[Signature, ...]]]:
        """Divide the address space anew where ipBlocks come or go, and add the pods that they cover to the dirty."""
        known = self.vocabulary.blocks
        changed = [known[word] for word in (*dead, *new) if isinstance(word, str) and word in known]
        if not changed:
            return {}
        before = _carried(self.ranges)
        used = {text: block for text, block in known.items() if text not in dead}
        self.ranges = {family: partition(used, family) for family in self.ranges}
        after = _carried(self.ranges)
        if self._blocks_mean_pods:
            for pods in self._pods.values():
                dirty |= {r: p for r, p in pods.items() if any(b.contains(a) for b in changed for a in p.addresses)}
        texts = {**before, **after}
        return {t: (before.get(t, ()), after.get(t, ())) for t in texts if before.get(t) != after.get(t)}

    def _signatures(self, pods: Iterable[Pod]) -> dict[str, Signatures]:
        """Return the signatures of pods; those whose labels no selector tells apart are matched once."""
        matched: dict[object, Signature] = {}
        ports = self.vocabulary.ports
        found: dict[str, Signatures] = {}
        for pod in pods:
            alike = (pod.namespace, labels_read(pod.labels, self.vocabulary.keys))
            if alike not in matched:
                matched[alike] = self._scopes.matching(pod)
            meant = matched[alike]
            if ports:
                meant |= {
                    NamedPort(name, protocol, number)
                    for name, protocol in ports
                    if (number := named_port(pod.ports, name, protocol)) is not None
                }
            found[pod.ref] = {
                a: meant | (blocks_at(self.ranges.get(a.version, ()), a) if self._blocks_mean_pods else _A_POD)
                for a in pod.addresses
            }
        return found

    def _nodes(self, cluster: Cluster) -> dict[str, Signatures]:
        """Return the signatures of the nodes that have host-network pods, and none of those that have none any more."""
        found: dict[str, Signatures] = {node.ref: {} for node in cluster.nodes if node.ref in self.of}
        for pod in self._host_pods.values():
            meant = self._scopes.matching(pod)
            signatures = found.setdefault(cluster.node(pod.node).ref, {})
            for a in pod.addresses:
                signatures[a] = signatures.get(a, blocks_at(self.ranges.get(a.version, ()), a)) | meant
        return found

    def _count(
        self,
        endpoints: Mapping[str, tuple[Signatures, Signatures]],
        blocks: Mapping[str, tuple[tuple[Signature, ...], tuple[Signature, ...]]],
    ) -> bool:
        """Count who carries which signature and number those that are new; say whether one that stays moved."""
        touched: dict[Signature, None] = {}
        for old, now in (*((o.values(), n.values()) for o, n in endpoints.values()), *blocks.values()):
            self._uses.subtract(old)
            self._uses.update(now)
            touched |= dict.fromkeys((*old, *now))
        touched.pop(Signature(), None)
        gone = {s: self._texts.pop(s) for s in touched if not self._uses[s] and s in self._texts}
        for signature in gone:
            del self._uses[signature]
        come = {s: "\n".join(sorted(map(str, s))) for s in touched if self._uses[s] and s not in self._texts}
        self._texts |= come
        return self._numbering.change(gone.values(), come.values())


def named_port(ports: tuple[ContainerPort, ...], name: str, protocol: Protocol) -> int | None:
    """Return the number of the first container port with this name and protocol, None when there is none."""
    return next((p.port for p in ports if p.name == name and p.protocol == protocol), None)


def _carried(ranges: Mapping[int, tuple[Range, ...]]) -> dict[str, tuple[Signature, ...]]:
    """Return, by the text of every ipBlock, the signatures of the ranges that it covers, all in order.

    The order of a set differs from run to run, and comments name ipBlocks in the order in which they come.
    """
    found: dict[str, dict[Signature, None]] = {}
    for signature in dict.fromkeys(Signature(r.blocks) for of in ranges.values() for r in of):
        for text in signature:
            found.setdefault(str(text), {})[signature] = None
    return {text: tuple(found[text]) for text in sorted(found)}


@dataclass(slots=True)
class _Scope:
    """What changed of a namespace's scope: all of it, or the peers that came and went."""

    whole: bool
    peers: list[PodPeer]


class _Scopes:
    """The peers whose scope a namespace is in: by its labels, or as the policy's own."""

    def __init__(self) -> None:
        self._labels: dict[str, Mapping[str, str]] = {}
        self._peers: dict[str, dict[str, PodPeer]] = {}
        # Peers by what they say of namespaces (a selector, or the policy's own): each of these is asked once.
        self._wide: dict[LabelSelector, dict[str, PodPeer]] = {}
        self._local: dict[str, dict[str, PodPeer]] = {}

    def change(
        self,
        namespaces: Mapping[str, Mapping[str, str] | None],
        vocabulary: Vocabulary,
        dead: Sequence[Word],
        new: Sequence[Word],
    ) -> dict[str, _Scope]:
        """Follow a change of namespaces (None: it is gone) and peers; return what changed by namespace."""
        changed: dict[str, _Scope] = {}
        for words, come in ((dead, False), (new, True)):
            groups: dict[LabelSelector | str, dict[str, PodPeer]] = {}
            for word in words:
                if isinstance(word, str) and (peer := vocabulary.pods.get(word)) is not None:
                    group = peer.namespace if peer.namespaces is None else peer.namespaces
                    groups.setdefault(group, {})[word] = peer
            for group, peers in groups.items():
                self._note(group, peers, come=come)
                for name in self._within(next(iter(peers.values()))):
                    changed.setdefault(name, _Scope(False, [])).peers.extend(peers.values())
                    _put(self._peers.setdefault(name, {}), peers, come=come)
        for name, labels in namespaces.items():
            changed[name] = _Scope(True, [])
            self._peers.pop(name, None)
            self._labels.pop(name, None)
            if labels is not None:
                self._labels[name] = labels
                self._peers[name] = self._scope(name, labels)
        return changed

    def matching(self, pod: Pod) -> Signature:
        """Return the texts of the peers that mean a pod by its namespace and labels."""
        scope = self._peers.get(pod.namespace, {})
        return Signature(t for t, peer in scope.items() if peer.pods is None or peer.pods.matches(pod.labels))

    def _note(self, group: LabelSelector | str, peers: dict[str, PodPeer], *, come: bool) -> None:
        if isinstance(group, str):
            _put(self._local.setdefault(group, {}), peers, come=come)
            return
        kept = self._wide.setdefault(group, {})
        _put(kept, peers, come=come)
        if not kept:
            del self._wide[group]

    def _within(self, peer: PodPeer) -> list[str]:
        """Return the namespaces that a peer's scope holds."""
        candidates = self._labels if peer.namespaces is not None else {peer.namespace} & self._labels.keys()
        return [name for name in candidates if peer.admits(name, self._labels[name])]

    def _scope(self, name: str, labels: Mapping[str, str]) -> dict[str, PodPeer]:
        found = dict(self._local.get(name, {}))
        for peers in self._wide.values():
            if next(iter(peers.values())).admits(name, labels):
                found |= peers
        return found


def _put(kept: dict[str, PodPeer], peers: Mapping[str, PodPeer], *, come: bool) -> None:
    if come:
        kept |= peers
    else:
        for text in peers:
            kept.pop(text, None)
