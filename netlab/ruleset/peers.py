"""The peers of policies as texts, and an index of them. Identities are made of these texts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from typing import Protocol as Protocol_

from netlab.frozen import NamedTuple, frozen
from netlab.objects.policies import IPBlock, NetworkPolicy, Peer, PolicyPort
from netlab.objects.selectors import LabelSelector
from netlab.objects.topology import TopologyPolicy
from netlab.objects.types import Direction, Meta, Protocol
from netlab.ruleset.rule_settings import peers_meant, ports_meant
from netlab.ruleset.tiers import TierRule

DEFAULTS = TopologyPolicy()


class NamedPort(NamedTuple):
    """A named container port of some pod, with its number.

    The signature of a destination pod holds the named ports that egress rules use, as the number is the pod's own.
    """

    name: str
    protocol: Protocol
    number: int

    def __str__(self) -> str:
        return f"port {self.name}/{self.protocol} {self.number}"


Member = str | NamedPort
Signature = frozenset[Member]
"""The texts of the peers that match an address, and the named ports of its pod. Equal signatures are one identity."""


@frozen
class PodPeer:
    """A peer with selectors. ``namespace`` is the policy's namespace; it applies if ``namespaces`` is None."""

    namespace: str
    namespaces: LabelSelector | None
    pods: LabelSelector | None

    def admits(self, namespace: str, labels: Mapping[str, str]) -> bool:
        """Say whether the peer's namespaces include a namespace with these labels."""
        return self.namespace == namespace if self.namespaces is None else self.namespaces.matches(labels)


PeerKey = str | tuple[str, Protocol]
"""A peer by its text, or a named port of an egress rule by name and protocol."""


class Rule(Protocol_):
    """The part of a rule that identities depend on."""

    @property
    def peers(self) -> tuple[Peer, ...]: ...

    @property
    def ports(self) -> tuple[PolicyPort, ...]: ...


class Rules(Protocol_):
    """The part of a policy that identities depend on: of a NetworkPolicy, or of a policy of another tier."""

    @property
    def meta(self) -> Meta: ...

    def rules(self, direction: Direction) -> Sequence[Rule]:
        """Return the rules of a direction."""
        ...


@frozen
class RulePeers:
    """A rule with its peers as texts; no peers means every address."""

    peers: tuple[str, ...]
    ports: tuple[PolicyPort, ...]


@frozen
class PolicyPeers:
    """The rules of a policy by direction, with their peers as texts."""

    ingress: tuple[RulePeers, ...]
    egress: tuple[RulePeers, ...]

    def rules(self, direction: Direction) -> tuple[RulePeers, ...]:
        return self.ingress if direction == "ingress" else self.egress


class PeerIndex:
    """Every distinct peer, and every named port of egress rules, that the policies use; equal peers are one.

    ``users`` has, for each ``PeerKey``, the keys of the policies that use it. ``policies`` has the rules of every
    policy, with their peers as texts. ``keys`` has the keys of all labels that the peers read; it may have keys that
    only removed peers read. ``settings`` say what ipBlocks and named ports of NetworkPolicies mean.

    ``whole`` has the peers of tiers that the settings would change: a network matches every address in it, and pods are
    never host-network pods.
    """

    def __init__(self, settings: TopologyPolicy = DEFAULTS) -> None:
        self._settings = settings
        self.whole: set[str] = set()
        self.pods: dict[str, PodPeer] = {}
        self.blocks: dict[str, IPBlock] = {}
        self.users: dict[PeerKey, dict[str, None]] = {}
        self.policies: dict[str, PolicyPeers] = {}
        self.keys: set[str] = set()

    @property
    def ports(self) -> list[tuple[str, Protocol]]:
        """The named ports of egress rules."""
        return [key for key in self.users if isinstance(key, tuple)]

    def update(self, removed: Iterable[Rules], added: Iterable[Rules]) -> tuple[list[PeerKey], list[PeerKey]]:
        """Remove and add policies; return the keys that no policy uses any more, and the new ones.

        ``pods`` and ``blocks`` keep the unused peers until ``forget``.
        """
        before: dict[PeerKey, bool] = {}
        for policy in removed:
            peers = self.policies.pop(policy.meta.key)
            for key in _peer_keys(peers):
                before.setdefault(key, True)
                self.users[key].pop(policy.meta.key, None)
        for policy in added:
            self.policies[policy.meta.key] = peers = self._read(policy)
            for key in _peer_keys(peers):
                before.setdefault(key, key in self.users)
                self.users.setdefault(key, {})[policy.meta.key] = None
        unused = [key for key, known in before.items() if known and not self.users[key]]
        for key in unused:
            del self.users[key]
        return unused, [key for key, known in before.items() if not known]

    def forget(self, unused: Iterable[PeerKey]) -> None:
        """Remove the peers that ``update`` returned as unused."""
        for key in unused:
            if isinstance(key, str):
                self.whole.discard(key)
                self.pods.pop(key, None)
                self.blocks.pop(key, None)

    def _read(self, policy: Rules) -> PolicyPeers:
        namespace, settings = policy.meta.namespace, self._settings
        if not isinstance(policy, NetworkPolicy):
            return PolicyPeers(*(tuple(map(self._whole, policy.rules(one))) for one in ("ingress", "egress")))

        def rules(direction: Direction) -> tuple[RulePeers, ...]:
            return tuple(
                RulePeers(
                    tuple(self._add(peer, namespace) for peer in peers_meant(rule.peers, settings)),
                    ports_meant(rule.ports, settings),
                )
                for rule in policy.rules(direction)
            )

        return PolicyPeers(rules("ingress"), rules("egress"))

    def _whole(self, rule: Rule) -> RulePeers:
        """Return a rule of a tier: no setting changes what its peers and ports mean, unless the rule says so."""
        as_set = isinstance(rule, TierRule) and not rule.whole
        return RulePeers(tuple(self._add(p, "", not as_set and self._changes(p)) for p in rule.peers), rule.ports)

    def _changes(self, peer: Peer) -> bool:
        """Say whether the settings change what a peer with these fields means in a NetworkPolicy."""
        if peer.ip_block is not None:
            return self._settings.ip_block_pods != "match" or self._settings.ip_block_nodes == "ignore"
        return self._settings.host_network_peers == "match"

    def _add(self, peer: Peer, namespace: str, whole: bool = False) -> str:
        text = peer_text(peer, namespace)
        if whole:
            text = f"network {text}" if peer.ip_block is not None else f"{text} but no host-network pods"
            self.whole.add(text)
        if peer.ip_block is not None:
            self.blocks[text] = peer.ip_block
        elif text not in self.pods:
            self.pods[text] = PodPeer(namespace, peer.namespace_selector, peer.pod_selector)
            self.keys |= label_keys([peer.pod_selector])
        return text


def _peer_keys(policy: PolicyPeers) -> Iterator[PeerKey]:
    for rule in (*policy.ingress, *policy.egress):
        yield from rule.peers
    for rule in policy.egress:
        yield from ((p.port, p.protocol) for p in rule.ports if isinstance(p.port, str))


def peer_text(peer: Peer, namespace: str) -> str:
    """Return the text of a peer; peers with the same fields, and only they, have the same text.

    ``namespace`` is the policy's namespace, for a peer without a namespaceSelector.
    """
    if peer.ip_block is not None:
        excepts = ", ".join(sorted({str(e) for e in peer.ip_block.excepts}))
        return f"{peer.ip_block.cidr} except {excepts}" if excepts else str(peer.ip_block.cidr)
    scope = f"namespace {namespace}" if peer.namespace_selector is None else f"namespaces {peer.namespace_selector}"
    return f"pods {peer.pod_selector or LabelSelector()} in {scope}"


def label_keys(selectors: Iterable[LabelSelector | None]) -> frozenset[str]:
    """Return the keys of the labels that the selectors read."""
    found: set[str] = set()
    for selector in selectors:
        if selector is not None:
            found.update(key for key, _ in selector.match_labels)
            found.update(requirement.key for requirement in selector.match_expressions)
    return frozenset(found)


def labels_read(labels: Mapping[str, str], keys: Set[str]) -> tuple[tuple[str, str], ...]:
    """Return the labels that selectors with these keys read; a selector cannot tell pods apart that agree in them.

    No selector reads most labels (a pod's name, a template's hash), so many pods agree.
    """
    return tuple(sorted((key, value) for key, value in labels.items() if key in keys))
