"""Identities: what an address is to the policies. Addresses that the same peers match share one.

Pods: the peers that select them, the ipBlocks that cover the address (an ipBlock matches pod addresses too: the
Kubernetes e2e cases "allow egress access to server in CIDR block" and following) and the numbers behind the named
ports that egress rules use. All other addresses: the ipBlocks that cover them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from netlab.cluster.types import Cluster, Node, Pod
from netlab.objects.types import Address, ContainerPort, Protocol
from netlab.ruleset.numbers import MARK_BITS, numbers
from netlab.ruleset.peers import Member, NamedPort, PodPeer, Signature, label_keys, labels_read, vocabulary
from netlab.ruleset.ranges import Range, blocks_at, partition

_A_POD: Signature = Signature({"a pod, which no ipBlock means"})
"""Where ipBlocks do not mean pods every pod has an identity, lest its address be looked up among the ipBlocks'."""


@dataclass(frozen=True, slots=True)
class Identities:
    """The identities of a cluster: the same numbers on every node.

    ``marks`` numbers every signature that some address has; the empty one, which no rule can mean, has none.
    ``pods`` has every address of the pods that selectors can mean; ``nodes`` those of the nodes that they mean by their
    host-network pods, where they do; ``ranges`` is, per family, the partition of the
    address space by the ipBlocks in use.
    """

    marks: Mapping[Signature, int]
    pods: Mapping[tuple[str, Address], Signature]
    nodes: Mapping[Address, tuple[Node, Signature]]
    ranges: Mapping[int, tuple[Range, ...]]


@dataclass(frozen=True, slots=True)
class View:
    """What one node can meet: ``pods`` by address, and for every peer (or named port) the identities that carry it.

    ``pods`` has the nodes too that selectors mean by their host-network pods. ``names`` has, for comments, the pods and
    the ipBlocks of every identity.
    """

    pods: Mapping[Address, tuple[Pod | Node, Signature]]
    carriers: Mapping[Member, tuple[Signature, ...]]
    names: Mapping[Signature, tuple[str, ...]]

    def resolved(self, name: str, protocol: Protocol) -> Iterator[tuple[int, Signature]]:
        """Yield every number that a named port stands for, with each identity for which it does."""
        for member, signatures in self.carriers.items():
            if isinstance(member, NamedPort) and (member.name, member.protocol) == (name, protocol):
                for signature in signatures:
                    yield member.number, signature


def identify(cluster: Cluster) -> Identities:
    """Return the identity of every address, under the peers of all policies of the cluster."""
    words = vocabulary(cluster.policies)
    ignored = cluster.policy.ip_block_pods == "ignore"
    ranges = {family: partition(words.blocks, family) for family in cluster.families}
    scopes = {
        namespace: [(text, peer) for text, peer in words.pods.items() if peer.admits(namespace, labels)]
        for namespace, labels in cluster.namespaces.items()
    }
    keys = label_keys(peer.pods for peer in words.pods.values())
    matched: dict[tuple[str, tuple[tuple[str, str], ...]], Signature] = {}
    pods: dict[tuple[str, Address], Signature] = {}
    for pod in cluster.pods:
        if not pod.selectable:
            continue
        alike = (pod.namespace, labels_read(pod.labels, keys))
        if alike not in matched:
            matched[alike] = _matching(scopes.get(pod.namespace, []), pod.labels)
        named = {
            NamedPort(name, protocol, number)
            for name, protocol in words.ports
            if (number := named_port(pod.ports, name, protocol)) is not None
        }
        for address in pod.addresses:
            blocks = _A_POD if ignored else blocks_at(ranges.get(address.version, ()), address)
            pods[pod.ref, address] = matched[alike] | named | blocks

    nodes: dict[Address, tuple[Node, Signature]] = {}
    for pod in cluster.pods:
        if pod.attachment == "host" and cluster.policy.host_network_peers == "match":
            meant = _matching(scopes.get(pod.namespace, []), pod.labels)
            for address in pod.addresses:
                blocks = blocks_at(ranges.get(address.version, ()), address)
                node, before = nodes.get(address, (cluster.node(pod.node), blocks))
                nodes[address] = node, before | meant

    signatures = {
        *pods.values(),
        *(s for _, s in nodes.values()),
        *(Signature(r.blocks) for found in ranges.values() for r in found),
    } - {Signature()}
    texts = {signature: "\n".join(sorted(map(str, signature))) for signature in signatures}
    given = numbers(texts.values(), MARK_BITS)
    return Identities({signature: given[text] for signature, text in texts.items()}, pods, nodes, ranges)


def named_port(ports: tuple[ContainerPort, ...], name: str, protocol: Protocol) -> int | None:
    """Return the number of the first container port with this name and protocol, None when there is none."""
    return next((p.port for p in ports if p.name == name and p.protocol == protocol), None)


def views(cluster: Cluster, identities: Identities) -> list[tuple[View, tuple[str, ...]]]:
    """Return what the nodes can meet, each view with the names of the nodes that have it.

    A node meets its own pods and those of other nodes, bridge networks aside: a bridge network is each node's own and
    may repeat its addresses on every node, so another node's address in it means nothing here.
    """
    shared = [p for p in cluster.pods if p.selectable and p.attachment != "bridge"]
    bridged: dict[str, list[Pod]] = {}
    for pod in cluster.pods:
        if pod.attachment == "bridge":
            bridged.setdefault(pod.node, []).append(pod)
    alone = tuple(n.name for n in cluster.nodes if n.name not in bridged)
    found = [(_view(shared, identities), alone)] if alone else []
    for node, own in bridged.items():
        found.append((_view(sorted(shared + own, key=_by_name), identities), (node,)))
    return found


def _by_name(pod: Pod) -> tuple[str, str]:
    return pod.namespace, pod.name


def _view(visible: list[Pod], identities: Identities) -> View:
    pods: dict[Address, tuple[Pod | Node, Signature]] = dict(identities.nodes)
    carriers: dict[Member, dict[Signature, None]] = {}
    names: dict[Signature, dict[str, None]] = {}
    for node, signature in identities.nodes.values():
        names.setdefault(signature, {})[node.ref] = None
    for pod in visible:
        for address in pod.addresses:
            signature = identities.pods[pod.ref, address]
            pods[address] = (pod, signature)
            names.setdefault(signature, {})[pod.ref] = None
    for blocks in dict.fromkeys(Signature(r.blocks) for found in identities.ranges.values() for r in found):
        names.setdefault(blocks, {}).update(dict.fromkeys(sorted(map(str, blocks))))
    for signature in names:
        for member in signature:
            carriers.setdefault(member, {})[signature] = None
    return View(pods, {m: tuple(s) for m, s in carriers.items()}, {s: tuple(n) for s, n in names.items()})


def _matching(scope: list[tuple[str, PodPeer]], labels: Mapping[str, str]) -> Signature:
    """Return the texts of the peers of a namespace's scope that match a pod with these labels."""
    return Signature(text for text, peer in scope if peer.pods is None or peer.pods.matches(labels))
